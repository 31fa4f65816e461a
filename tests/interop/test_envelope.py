"""Chunks, UTF-8, notifications and limits between the engine and real servers."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

import pytest

from smtpproto import (
    Client,
    Command,
    ConnectionClosed,
    ContentChunk,
    Domain,
    Ehlo,
    EndOfContent,
    ForwardPath,
    Lhlo,
    Mail,
    Need,
    Noop,
    Protocol,
    Quit,
    Rcpt,
    Rejected,
    Reply,
    ReversePath,
    Rset,
    Server,
)
from smtpproto.extensions import (
    Bdat,
    BinaryMime,
    Body,
    Chunking,
    Dsn,
    EightBitMime,
    Envid,
    Notify,
    Orcpt,
    Pipelining,
    Ret,
    ServerLimits,
    Size,
    SmtpUtf8,
    SmtpUtf8Parameter,
)
from smtpproto.vocabulary.events import ServerEvent
from tests.interop import exim, postfix
from tests.interop.dovecot import Dovecot
from tests.interop.exim import Exim
from tests.interop.peers import accepting, needs
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


class Sink:
    """A server's engine on a socket, one session after the other; accepts everything."""

    port: int

    def __init__(self) -> None:
        self.sessions: list[list[ServerEvent]] = []
        self.transcript = b""

    def session(self, accepted: socket.socket) -> None:
        extensions = (Size(10**7), EightBitMime(), Pipelining(), Chunking(), BinaryMime())
        more = (SmtpUtf8(), Dsn(), ServerLimits(rcptmax=2, mailmax=5))
        server = Server("sink.example", [*extensions, *more])
        events: list[ServerEvent] = []
        self.sessions.append(events)
        with accepted:
            while True:
                event = server.next_event()
                if event is Need.REPLY:
                    server.accept()
                elif isinstance(event, Need):
                    accepted.sendall(server.data_to_send())
                    data = accepted.recv(65536)
                    self.transcript += data
                    server.receive_data(data)
                else:
                    events.append(event)
                    if isinstance(event, ConnectionClosed):
                        accepted.sendall(server.data_to_send())
                        return

    def messages(self) -> list[bytes]:
        """The content of each complete message."""
        found, content = [], b""
        for event in [event for session in self.sessions for event in session]:
            if isinstance(event, ContentChunk):
                content += event.octets
            elif isinstance(event, EndOfContent):
                found.append(content)
                content = b""
        return found


@pytest.fixture
def sink() -> Iterator[Sink]:
    server = Sink()
    with accepting(server.session) as server.port:
        yield server


@needs("exim4")
def test_exim_sends_chunks(exim_relay: Callable[[int], Exim], sink: Sink) -> None:
    relay = exim_relay(sink.port)
    body = b".\r\n..\r\nQUIT\r\n" + b"x" * 70 + b"\r\n"
    with link(relay.port) as client:
        recipients = [rcpt(f"{name}@elsewhere.example") for name in "abcde"]
        codes = client.codes(Mail(SENDER), *recipients, *chunk(HEADER + body * 500, last=True))
        assert set(codes) == {250}
    relay.wait_until_empty()
    assert b"BDAT " in sink.transcript
    assert sink.messages()
    assert all(message.endswith(HEADER + body * 500) for message in sink.messages())
    events = [event for session in sink.sessions for event in session]
    assert sum(isinstance(event, Rcpt) for event in events) == 5
    # Where Exim does not read LIMITS, it is told what it could have known, and comes again.
    refused = [event.reply.code for event in events if isinstance(event, Rejected)]
    assert set(refused) <= {452}
