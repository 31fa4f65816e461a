"""Chunks, UTF-8, notifications and limits between the engine and real servers."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

import pytest

from smtpproto import (
    Client,
    Command,
    ContentChunk,
    Domain,
    Ehlo,
    ForwardPath,
    Lhlo,
    Mail,
    Need,
    Noop,
    Protocol,
    Quit,
    Rcpt,
    Reply,
    ReversePath,
    Rset,
    sync,
)
from smtpproto.conversations import Transcript
from smtpproto.extensions import (
    Bdat,
    BinaryMime,
    Body,
    Chunking,
    Dsn,
    Envid,
    Notify,
    Orcpt,
    Ret,
    ServerLimits,
    SmtpUtf8,
    SmtpUtf8Parameter,
)
from smtpproto.extensions.known import standard
from tests.interop import exim, postfix
from tests.interop.dovecot import Dovecot
from tests.interop.exim import Exim
from tests.interop.inbox import Inbox
from tests.interop.peers import needs
from tests.interop.postfix import Postfix
from tests.programs import HOST

SENDER = ReversePath.of("sender@client.example")
HEADER = b"From: sender@client.example\r\nTo: alice@local.test\r\nSubject: chunks\r\n\r\n"


class Link:
    """A client's engine on a socket."""

    def __init__(self, port: int, protocol: Protocol = Protocol.SMTP) -> None:
        self.socket = socket.create_connection((HOST, port), 20)
        self.client = Client(protocol=protocol)
        assert self.replies(1)[0].code == 220
        kind = Lhlo if protocol is Protocol.LMTP else Ehlo
        assert self.codes(kind(Domain("client.example"))) == [250]

    def say(self, *messages: Command | ContentChunk) -> list[Reply]:
        """Send all at once and wait for every reply."""
        for message in messages:
            self.client.send(message)
        return self.replies()

    def replies(self, count: int = 0) -> list[Reply]:
        found: list[Reply] = []
        while len(found) < count or self.client.pending:
            self.socket.sendall(self.client.data_to_send())
            event = self.client.next_event()
            if isinstance(event, Reply):
                found.append(event)
            else:
                assert event is Need.DATA, event
                self.client.receive_data(self.socket.recv(65536))
        return found

    def codes(self, *messages: Command | ContentChunk) -> list[int]:
        return [reply.code for reply in self.say(*messages)]

    def close(self) -> None:
        assert self.codes(Quit()) == [221]
        self.socket.close()


@contextlib.contextmanager
def link(port: int, protocol: Protocol = Protocol.SMTP) -> Iterator[Link]:
    client = Link(port, protocol)
    yield client
    client.close()


def chunk(octets: bytes, *, last: bool = False) -> tuple[Bdat, ContentChunk]:
    return Bdat(len(octets), last), ContentChunk(octets)


def rcpt(address: str, *parameters: Notify | Orcpt) -> Rcpt:
    return Rcpt(ForwardPath.of(address), parameters)


# --- chunks to Postfix and Exim ---------------------------------------------------------------


@pytest.fixture(
    params=[
        pytest.param("postfix", marks=needs("postfix")),
        pytest.param("exim", marks=needs("exim4")),
    ]
)
def inbound(request: pytest.FixtureRequest) -> Postfix | Exim:
    """A server that delivers here."""
    peers = request.getfixturevalue("peers")
    server: Postfix | Exim = peers.start(
        postfix.postfix() if request.param == "postfix" else exim.exim()
    )
    return server


def domain(server: Postfix | Exim) -> str:
    return postfix.DOMAIN if isinstance(server, Postfix) else exim.DOMAIN


def test_chunks_in_one_flight(inbound: Postfix | Exim) -> None:
    alice, bob = rcpt(f"alice@{domain(inbound)}"), rcpt(f"bob@{domain(inbound)}")
    body = b".\r\n..\r\nRSET\r\nQUIT\r\n" + b"x" * 70 + b"\r\n"
    with link(inbound.port) as client:
        assert Chunking in client.client.offered
        codes = client.codes(
            Mail(SENDER), alice, *chunk(HEADER), *chunk(body * 2000), Bdat(0, last=True)
        )
        assert codes == [250] * 5
        # The session goes on, with a chunk cut within a CRLF.
        codes = client.codes(
            Mail(SENDER), bob, *chunk(HEADER[:-1]), *chunk(b"\n" + body, last=True)
        )
        assert codes == [250] * 4
    assert inbound.delivered("alice") == [HEADER + body * 2000]
    assert inbound.delivered("bob") == [HEADER + body]


def test_a_refused_recipient_and_its_chunk(inbound: Postfix | Exim) -> None:
    """What the server refuses is dropped, and RSET makes everything good again."""
    nobody, alice = rcpt(f"nobody@{domain(inbound)}"), rcpt(f"alice@{domain(inbound)}")
    content = HEADER + b"RSET\r\nMAIL FROM:<x@y.example>\r\nQUIT\r\n"
    with link(inbound.port) as client:
        replies = client.say(Mail(SENDER), nobody, *chunk(content, last=True))
        assert [reply.code // 100 for reply in replies] == [2, 5, 5]
        assert client.codes(Noop(), Rset()) == [250, 250]
        assert client.codes(Mail(SENDER), alice, *chunk(content, last=True)) == [250] * 3
    assert inbound.delivered("alice") == [content]


def test_rset_between_chunks(inbound: Postfix | Exim) -> None:
    alice = rcpt(f"alice@{domain(inbound)}")
    with link(inbound.port) as client:
        assert client.codes(Mail(SENDER), alice, *chunk(HEADER), Rset()) == [250] * 4
        assert (
            client.codes(Mail(SENDER), alice, *chunk(HEADER + b"two\r\n", last=True)) == [250] * 3
        )
    assert inbound.delivered("alice") == [HEADER + b"two\r\n"]


@needs("dovecot")
def test_lmtp_a_reply_for_each_recipient(dovecot_lmtp: Dovecot) -> None:
    """RFC 2033 section 4.2, after BDAT LAST alone."""
    alice, nobody, bob = (rcpt(f"{name}@local.test") for name in ("alice", "nobody", "bob"))
    with link(dovecot_lmtp.port, Protocol.LMTP) as client:
        for _ in range(2):
            replies = client.say(
                Mail(SENDER), alice, nobody, bob, *chunk(HEADER), *chunk(b"x\r\n", last=True)
            )
            assert [reply.code for reply in replies] == [250, 250, 550, 250, 250, 250, 250]
            assert [reply.recipient for reply in replies[-3:]] == [None, alice, bob]
    assert dovecot_lmtp.delivered("alice", 2) == [HEADER + b"x\r\n"] * 2
    assert dovecot_lmtp.delivered("bob", 2) == [HEADER + b"x\r\n"] * 2


# --- the envelope, to Postfix -----------------------------------------------------------------


@needs("postfix")
def test_notifications_as_asked_for(postfix_inbound: Postfix) -> None:
    wanted = Envid.of("id with spaces+more")
    with link(postfix_inbound.port) as client:
        assert Dsn in client.client.offered
        codes = client.codes(
            Mail(SENDER, (Ret("hdrs"), wanted)),
            rcpt(
                "alice@local.test",
                Notify(("success", "DELAY")),
                Orcpt.of("a+b=c@original.example"),
            ),
            rcpt("bob@local.test", Notify(("NEVER",))),
            *chunk(HEADER, last=True),
        )
        assert codes == [250] * 4
    assert postfix_inbound.delivered("alice") == [HEADER]
    assert postfix_inbound.delivered("bob") == [HEADER]
    # One notification of success: alice's.
    postfix_inbound.logs("delivery status notification")
    assert postfix_inbound.log().count("delivery status notification") == 1


@needs("postfix")
def test_a_parameter_that_postfix_refuses_is_not_sent(postfix_inbound: Postfix) -> None:
    """Both sides have the same idea of what may be said."""
    with link(postfix_inbound.port) as client:
        client.codes(Mail(SENDER))
        for line in (b"NOTIFY=NEVER,DELAY", b"ORCPT=nobody", b"NOTIFY=LATER"):
            client.socket.sendall(b"RCPT TO:<alice@local.test> " + line + b"\r\n")
            assert client.socket.recv(4096).startswith(b"501 ")


@needs("postfix")
def test_utf_8_addresses(postfix_inbound: Postfix) -> None:
    with link(postfix_inbound.port) as client:
        assert SmtpUtf8 in client.client.offered
        codes = client.codes(
            Mail(ReversePath.of("зд@client.example"), (SmtpUtf8Parameter(), Body("8BITMIME"))),
            rcpt("jürgen@local.test", Orcpt.of("jürgen@local.test", smtputf8=True)),
            rcpt("alice@local.test", Orcpt.of("jürgen+x@local.test")),
            *chunk(HEADER, last=True),
        )
        assert codes == [250] * 4
    assert postfix_inbound.delivered("jürgen") == [HEADER]
    assert postfix_inbound.delivered("alice") == [HEADER]


# --- chunks and limits from Exim --------------------------------------------------------------


@needs("exim4")
def test_exim_sends_chunks(exim_relay: Callable[[int], Exim]) -> None:
    inbox = Inbox()
    lines: list[str] = []
    limits = ServerLimits(rcptmax=2, mailmax=5)
    body = b".\r\n..\r\nQUIT\r\n" + b"x" * 70 + b"\r\n"
    with sync.serve(
        inbox,
        hostname="sink.example",
        extensions=[*standard(), Chunking(), BinaryMime(), SmtpUtf8(), Dsn(), limits],
        observer=lambda _: Transcript(lines.append),
    ) as server:
        relay = exim_relay(server.port)
        with link(relay.port) as client:
            recipients = [rcpt(f"{name}@elsewhere.example") for name in "abcde"]
            codes = client.codes(Mail(SENDER), *recipients, *chunk(HEADER + body * 500, last=True))
            assert set(codes) == {250}
        relay.wait_until_empty()
    assert any(line.startswith("C: BDAT ") for line in lines)
    assert all(mail.content.endswith(HEADER + body * 500) for mail in inbox.mails)
    assert sum(len(mail.recipients) for mail in inbox.mails) == 5
    # Where Exim does not read LIMITS, it is told what it could have known, and comes again.
    assert {rejected.reply.code for rejected in inbox.rejected_by_core} <= {452}
