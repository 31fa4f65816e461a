"""Handlers and clients in memory: nothing waits, and what a handler raises is not lost."""

from __future__ import annotations

import smtplib
from collections.abc import AsyncIterator, Generator, Iterator
from email.message import EmailMessage
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import Domain, Mail, Noop, Protocol, Rcpt, Reply, ReversePath, Session
from smtpproto.conversations import (
    Admission,
    ConnectionLost,
    ContentLost,
    Delivery,
    Envelope,
    Opening,
    PermanentError,
    ServerTLS,
    Status,
    TLSMode,
)
from smtpproto.extensions import Expansion, standard
from smtpproto.testing import FakeClient, FakeServer, Served, connect, converse
from smtpproto.testing import strategies as smtp

ENVELOPE = Envelope.of("a@client.example", ["b@mx.example", "c@mx.example"])


class Inbox:
    """Keeps what it gets."""

    def __init__(self) -> None:
        self.messages: list[tuple[Envelope, bytes]] = []
        self.peers: list[str] = []

    def rcpt(self, session: Session, rcpt: Rcpt) -> Reply | None:
        self.peers.append(session.peer)
        return Reply(550, "5.1.1", "no such mailbox") if "nobody" in str(rcpt) else None

    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        self.messages.append((envelope, content))


class Stream:
    """Keeps chunks."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.ended: list[str] = []

    def body(self, session: Session, envelope: Envelope, chunks: Iterator[bytes]) -> None:
        try:
            self.chunks += chunks
            self.ended.append("complete")
        except ContentLost:
            self.ended.append("lost")
            raise


class AsyncStream(Stream):
    async def rcpt(self, session: Session, rcpt: Rcpt) -> None:
        return None

    async def body(  # type: ignore[override]
        self, session: Session, envelope: Envelope, chunks: AsyncIterator[bytes]
    ) -> None:
        self.chunks += [chunk async for chunk in chunks]
        self.ended.append("complete")


class Broken(Inbox):
    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        raise ZeroDivisionError


SESSION = b"EHLO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n"

# --- converse -----------------------------------------------------------------------------------


def test_all_that_a_server_says() -> None:
    inbox = Inbox()
    said = converse(inbox, SESSION + b"hi\r\n.\r\nQUIT\r\n", hostname="mx.example", extensions=())
    assert said.decode().splitlines() == [
        "220 mx.example ESMTP",
        "250 mx.example",
        "250 OK",
        "250 OK",
        "354 End data with <CR><LF>.<CR><LF>",
        "250 OK",
        "221 Bye",
    ]
    assert [content for _, content in inbox.messages] == [b"hi\r\n"]
    assert inbox.peers == ["192.0.2.1"]


def test_what_is_known_of_the_client() -> None:
    inbox = Inbox()
    converse(inbox, SESSION, session=Session(peer="192.0.2.77"))
    assert inbox.peers == ["192.0.2.77"]
    assert inbox.messages == []


@given(smtp.sessions(()), st.data())
def test_segments_make_no_difference(session: smtp.ClientSession, data: st.DataObject) -> None:
    whole, cut = Inbox(), Inbox()
    segments = data.draw(smtp.segmentations(session.octets))
    assert converse(whole, session.octets) == converse(cut, segments)
    assert whole.messages == cut.messages == [(m.envelope, m.content) for m in session.messages]


def test_an_error_of_the_handler_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        converse(Broken(), SESSION + b"hi\r\n.\r\n")


def test_an_error_of_the_handler_is_reported_instead() -> None:
    errors: list[BaseException] = []
    said = converse(Broken(), SESSION + b"hi\r\n.\r\nQUIT\r\n", report=errors.append)
    assert b"\r\n451 4.3.0 " in said
    assert said.endswith(b"\r\n221 2.0.0 Bye\r\n")
    assert [type(error) for error in errors] == [ZeroDivisionError]


@pytest.mark.parametrize("kind", [Stream, AsyncStream])
def test_a_handler_that_streams(kind: type[Stream]) -> None:
    handler = kind()
    assert b"\r\n250 2.0.0 " in converse(handler, [SESSION, b"a\r\n", b"b\r\n.\r\n"])
    assert b"".join(handler.chunks) == b"a\r\nb\r\n"
    assert handler.ended == ["complete"]


def test_content_that_does_not_become_complete() -> None:
    handler = Stream()
    converse(handler, [SESSION, b"a\r\n"])
    assert b"".join(handler.chunks) == b"a"
    assert handler.ended == ["lost"]


def test_an_async_handler_may_not_wait() -> None:
    class Waiting(Inbox):
        async def rcpt(self, session: Session, rcpt: Rcpt) -> None:  # type: ignore[override]
            await _Never()

    class _Never:
        def __await__(self) -> Generator[None, None, None]:
            yield

    with pytest.raises(TypeError, match="in memory nothing can be waited for"):
        converse(Waiting(), SESSION)


def test_a_server_that_has_no_room() -> None:
    assert converse(Inbox(), b"QUIT\r\n", admission=Admission(most=0)).startswith(b"421 ")


def test_tls_in_memory() -> None:
    seen: list[Session] = []

    class Secure(Inbox):
        def mail(self, session: Session, mail: Mail) -> None:
            seen.append(session)

    opening = Opening(name=Domain("client.example"), tls=TLSMode.STARTTLS)
    with connect(Secure(), opening=opening, tls=ServerTLS.STARTTLS) as client:
        assert client.send(ENVELOPE, b"").complete
    assert seen[0].secure
    assert seen[0].tls is not None


# --- connect ------------------------------------------------------------------------------------


def test_a_client_of_a_handler() -> None:
    inbox = Inbox()
    with connect(inbox) as client:
        assert client.session.name == Domain("client.example")
        envelope = Envelope.of("a@client.example", ["b@mx.example", "nobody@mx.example"])
        delivery = client.send(envelope, BytesIO(b"hello\r\n"))
        assert [o.status for o in delivery.outcomes] == [Status.ACCEPTED, Status.REFUSED]
    assert [content for _, content in inbox.messages] == [b"hello\r\n"]
    assert client.closed


def test_everything_that_a_client_can_ask() -> None:
    message = EmailMessage()
    message["From"], message["To"] = "a@client.example", "b@mx.example"
    message.set_content("hello\n")
    inbox = Inbox()
    with connect(inbox, extensions=(*standard(), Expansion())) as client:
        assert client.send_message(message).complete
        assert client.verify("b").code == 252
        assert client.expand("b").code == 252
        assert client.noop().positive
        assert client.help().code == 214
        assert client.command(Mail(ReversePath.of(""))).positive
        assert client.reset().positive
    assert b"hello\r\n" in inbox.messages[0][1]


def test_an_error_of_the_handler_reaches_who_talks_to_it() -> None:
    with pytest.raises(ZeroDivisionError), connect(Broken()) as client:
        client.send(ENVELOPE, b"hello\r\n")
    assert client.closed


def test_an_error_in_the_block_closes_without_quit() -> None:
    inbox = Stream()
    with pytest.raises(KeyError), connect(inbox) as client:
        raise KeyError
    assert client.closed
    assert isinstance(client.peer, Served)
    assert client.peer.closed


def test_lmtp_in_memory() -> None:
    from smtpproto import Client

    class Partly(Inbox):
        def message(  # type: ignore[override]
            self, session: Session, envelope: Envelope, content: bytes
        ) -> list[Reply | None]:
            return [None, Reply(452, "4.2.2", "full")]

    lmtp = Client(protocol=Protocol.LMTP)
    with connect(Partly(), client=lmtp, protocol=Protocol.LMTP) as client:
        delivery = client.send(ENVELOPE, b"hello\r\n")
    assert [o.status for o in delivery.outcomes] == [Status.ACCEPTED, Status.REFUSED]


def test_a_client_may_be_turned_away() -> None:
    class Closed(Inbox):
        def connect(self, session: Session) -> Reply:
            return Reply(554, "5.3.2", "not here")

    with pytest.raises(PermanentError, match="not here"):
        connect(Closed())


def test_options_are_for_handlers() -> None:
    with pytest.raises(TypeError, match="options are for handlers: hostname"):
        connect(FakeServer(""), hostname="mx.example")


# --- FakeServer ---------------------------------------------------------------------------------

SCRIPT = """
    S: 220 mx.example
    C: EHLO client.example
    S: 250-mx.example
    S: 250 PIPELINING
    C: MAIL FROM:<a@client.example>
    C: RCPT TO:<b@mx.example>
    C: RCPT TO:<c@mx.example>
    C: DATA
    S: 250 OK
    S: 250 OK
    S: 550 no such mailbox
    S: 354 go on
    C: Subject: ...
    C: ...
    C: .
    S: 451 try again
    C: QUIT
    S: 221 bye
"""


def submit(server: FakeServer, content: bytes = b"Subject: x\r\n\r\nhello\r\n") -> Delivery:
    with connect(server) as client:
        return client.send(ENVELOPE, content)


def test_a_script() -> None:
    with FakeServer(SCRIPT) as server:
        delivery = submit(server)
    assert [str(o.reply) for o in delivery.outcomes] == ["451 try again", "550 no such mailbox"]
    assert server.closed


def test_a_client_that_does_not_follow_the_script() -> None:
    with pytest.raises(AssertionError) as found:
        submit(FakeServer(SCRIPT), b"Date: today\r\n")
    assert str(found.value) == "expected C: Subject: ...\n   found C: Date: today"


def test_a_script_that_is_not_played_to_the_end() -> None:
    with pytest.raises(AssertionError, match="ended before C: QUIT"), FakeServer(SCRIPT) as server:
        connect(server).send(ENVELOPE, b"Subject: x\r\n")


def test_an_error_in_the_block_says_more_than_what_is_left_of_the_script() -> None:
    with pytest.raises(KeyError), FakeServer(SCRIPT):
        raise KeyError


def test_a_client_that_says_more_than_the_script() -> None:
    server = FakeServer("S: 220 mx.example")
    with pytest.raises(AssertionError, match="the script is over, the client says QUIT"):
        server.sendall(b"QUIT\r\n")


def test_a_server_that_closes_early() -> None:
    server = FakeServer("S: 220 mx.example\nC: EHLO client.example\n")
    with pytest.raises(ConnectionLost, match="closed"):
        connect(server)


def test_a_server_that_says_nothing() -> None:
    server = FakeServer("C: EHLO client.example\nS: 250 late")
    with pytest.raises(ConnectionLost, match="no reply within 300 seconds"):
        connect(server)


def test_a_script_is_read_strictly() -> None:
    with pytest.raises(ValueError, match="begins with C: or S:, found 'EHLO x'"):
        FakeServer("EHLO x")


def test_a_script_for_code_with_sockets_of_its_own() -> None:
    server = FakeServer("""
        S: 220 mx.example
        C: ehlo client.example
        S: 250 mx.example
        C: mail FROM:<a@client.example>
        S: 250 OK
        C: rcpt TO:<b@mx.example>
        S: 250 OK
        C: data
        S: 354 go on
        C: hello
        C: .
        S: 250 OK
        C: QUIT
        S: 221 bye
    """)

    class Client(smtplib.SMTP):
        def _get_socket(self, host: str, port: int, timeout: float) -> Any:
            server.settimeout(timeout)
            return server

    with server, Client("mx.example", local_hostname="client.example") as client:
        client.sendmail("a@client.example", ["b@mx.example"], b"hello\r\n")
    assert server.recv(10) == b""


def test_a_socket_that_would_wait_for_ever() -> None:
    server = FakeServer("S: 220 mx.example\nC: QUIT\nS: 221 bye")
    assert server.recv(4) + server.recv(100) == b"220 mx.example\r\n"
    with pytest.raises(TimeoutError, match="the server waits for C: QUIT"):
        server.recv(1)
    with pytest.raises(ValueError, match="expected 'rb'"):
        server.makefile("w")


# --- FakeClient ---------------------------------------------------------------------------------


def test_step_by_step() -> None:
    inbox = Inbox()
    client = FakeClient(inbox, hostname="mx.example")
    assert str(client.greeting) == "220 mx.example ESMTP"
    assert client.say("EHLO client.example").lines[0] == "mx.example"
    assert client.say("MAIL FROM:<>", "RCPT TO:<b@mx.example>") == Reply(250, "2.1.5", "OK")
    assert [reply.code for reply in client.send(b"DATA\r\nhel")] == [354]
    assert client.send(b"lo\n.\n") == []
    assert client.say(b"", b".").code == 550
    assert client.say("FOO").code == 500
    assert inbox.messages == []
    assert client.say("QUIT").code == 221
    assert client.closed
    assert client.close() == []
    assert client.octets.startswith(b"220 mx.example ESMTP\r\n250-mx.example\r\n")


def test_a_client_that_vanishes() -> None:
    handler = Stream()
    client = FakeClient(handler)
    client.say("EHLO client.example")
    client.say("MAIL FROM:<>", "RCPT TO:<b@mx.example>", "DATA")
    client.send(b"half a mess")
    assert client.close() == []
    assert handler.ended == ["lost"]


def test_what_gets_no_reply() -> None:
    client = FakeClient(Inbox())
    client.say("EHLO x")
    client.say("MAIL FROM:<>", "RCPT TO:<b@mx.example>", "DATA")
    with pytest.raises(AssertionError, match="no reply to 'hello'"):
        client.say("hello")
    assert client.say(".").positive
    assert client.say(str(Noop())).positive
