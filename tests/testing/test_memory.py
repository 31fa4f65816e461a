"""Handlers in memory: nothing waits, and what a handler raises is not lost."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import Mail, Rcpt, Session
from smtpproto.conversations import Admission, ClientSettings, ServerTLS, TLSMode
from smtpproto.testing import connect, converse
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

    with pytest.raises(TypeError, match="in memory nothing can be waited for"):
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
