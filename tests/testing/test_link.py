"""Conversations in memory: nothing waits, and what a handler raises is not lost."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import Mail, Rcpt, Session
from smtpproto.conversations import (
    Admission,
    ClientSettings,
    ConnectionLost,
    ServerTLS,
    TLSError,
    TLSMode,
)
from smtpproto.testing import FakeClient, FakeServer, Link, connect, converse, serve
from smtpproto.testing import strategies as smtp
from tests.testing.handlers import ENVELOPE, SESSION, AsyncStream, Broken, Inbox, Stream


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

    with pytest.raises(TypeError, match="awaits something else than its content"):
        converse(Waiting(), SESSION)


def test_a_server_that_has_no_room() -> None:
    assert converse(Inbox(), b"QUIT\r\n", admission=Admission(most=0)).startswith(b"421 ")


def test_tls_in_memory() -> None:
    seen: list[Session] = []

    class Secure(Inbox):
        def mail(self, session: Session, mail: Mail) -> None:
            seen.append(session)

    settings = ClientSettings(name="client.example", tls=TLSMode.STARTTLS)
    with connect(Secure(), settings=settings, tls=ServerTLS.STARTTLS) as client:
        assert client.send(ENVELOPE, b"").complete
    assert seen[0].secure
    assert seen[0].tls is not None


# --- a link -------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [b"", ConnectionResetError(), TimeoutError()])
def test_a_link_is_lost_while_a_handler_streams(lost: BaseException | bytes) -> None:
    handler = Stream()
    link = serve(handler)
    link.feed(SESSION + b"one", b"\r\ntwo", lost)
    assert b"".join(handler.chunks) == b"one\r\ntwo"
    assert handler.ended == ["lost"]
    assert link.server.done


@pytest.mark.parametrize("content", [b"one\r\n", [b"one\r\n", b"two\r\n"]])
@pytest.mark.parametrize("kind", [Stream, AsyncStream])
def test_content_streams_from_a_client(kind: type[Stream], content: bytes | list[bytes]) -> None:
    handler = kind()
    with connect(handler) as client:
        assert client.send(ENVELOPE, content).complete
    assert b"".join(handler.chunks) == b"".join(
        [content] if isinstance(content, bytes) else content
    )


def test_an_error_in_the_place_of_a_request() -> None:
    link = serve(Inbox(), hostname="mx.example")
    assert link.feed(b"") == b"220 mx.example ESMTP\r\n"
    link.server.throw(TimeoutError())
    assert link.feed(b"NOOP\r\n").startswith(b"421 4.4.2 ")
    assert link.server.done
    assert link.end() == b""


def test_a_silent_client_meets_the_time_limit() -> None:
    link = serve(Inbox())
    assert link.end(eof=False).endswith(b"421 4.4.2 timeout exceeded\r\n")


def test_a_cut_link_loses_what_is_under_way() -> None:
    link = serve(Inbox())
    link.server.inbox += SESSION
    link.drop()
    link.end()
    assert link.server.requests
    with pytest.raises(ConnectionLost):
        connect(link)


def test_no_server_answers() -> None:
    with pytest.raises(ConnectionLost):
        connect(Link())


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_handshake_that_fails(side: str) -> None:
    link = serve(Inbox(), tls=ServerTLS.STARTTLS)
    getattr(link, side).tls = OSError("no cipher")
    settings = ClientSettings(name="client.example", tls=TLSMode.STARTTLS)
    with pytest.raises(ConnectionLost if side == "server" else TLSError):
        connect(link, settings=settings)
    link.end()
    assert link.server.done


def test_a_scripted_handshake() -> None:
    server = FakeServer("TLS\nS: 220 mx.example\nC: EHLO ...\nS: 250 mx.example\nC: ...\nEOF")
    settings = ClientSettings(name="client.example", tls=TLSMode.IMPLICIT)
    with server, connect(server, settings=settings) as client:
        assert client.session.secure
        client.close()


def test_plain_text_in_the_place_of_a_handshake() -> None:
    server = FakeServer("S: 220 mx.example\nC: STARTTLS\nS: 220 go\nTLS")
    with pytest.raises(AssertionError, match="expected TLS\n   found C: NOOP"):
        server.sendall(b"STARTTLS\r\nNOOP\r\n")


def test_a_client_that_should_have_closed() -> None:
    server = FakeServer("S: 220 mx.example\nEOF")
    with pytest.raises(AssertionError, match="expected EOF\n   found C: EHLO"):
        connect(server)


def test_errors_of_a_handler_are_reported_to_a_client_too() -> None:
    errors: list[BaseException] = []
    with connect(Broken(), report=errors.append) as client:
        assert not client.send(ENVELOPE, b"hello\r\n").complete
    fake = FakeClient(Broken(), report=errors.append)
    fake.say("EHLO x")
    assert fake.say("MAIL FROM:<>", "RCPT TO:<b@mx.example>", "DATA", ".").code == 451
    assert [type(error) for error in errors] == [ZeroDivisionError] * 2
