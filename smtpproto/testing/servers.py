r"""Servers without sockets: a handler in memory, octet by octet as on a socket.

Nothing waits and no thread runs, so a test always gives the same result.

    >>> class Inbox:
    ...     def message(self, session, envelope, content): ...
    >>> converse(Inbox(), b"QUIT\r\n", hostname="mx.example")
    b'220 mx.example ESMTP\r\n221 2.0.0 Bye\r\n'
    >>> link = serve(Inbox(), hostname="mx.example")
    >>> link.feed(b"")
    b'220 mx.example ESMTP\r\n'
    >>> link.server.throw(ConnectionResetError())
    >>> link.feed(b"NOOP\r\n"), link.server.done
    (b'', True)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from ..conversations import ContentLost, ServerSettings, SessionFactory
from ..conversations.conversation_steps import Steps
from ..conversations.io_requests import Call, CallWithContent, Flow, Request, Send
from ..conversations.server.session import BUSY
from ..vocabulary.session_facts import Session
from .link import Chunks, Link

__all__ = ["converse", "serve"]

T = TypeVar("T")


def serve(
    handler: object,
    *,
    session: Session | None = None,
    stream: bool = True,
    **options: Any,
) -> Link:
    """Return a link to a server.

    Arguments:
        handler: see `smtpproto.conversations.Handler`; its methods may be async if they await
            nothing but content.
        session: the facts of the client; None for a client at 192.0.2.1.
        stream: whether a `content` hook runs while its content arrives; False: the server calls it
            when the content is complete or lost, with the chunks in which it arrived.
        options: the fields of `smtpproto.conversations.ServerSettings`.
    """
    count = itertools.count(1)
    options.setdefault("nonce", lambda: f"nonce{next(count)}")
    factory = SessionFactory(handler, ServerSettings(**options))
    flow = factory.open(session or Session(peer="192.0.2.1"))
    if flow is None:
        return Link(_turn_away(factory.farewell(BUSY)))
    return Link(flow if stream else _collect(flow))


def _turn_away(octets: bytes) -> Flow[None]:
    yield Send(octets, 0)


def _collect(flow: Flow[T]) -> Flow[T]:
    """Run a server's conversation, and read all content before its hook is called."""
    steps = Steps(flow)
    for step in steps:
        request: Request = step
        try:
            if isinstance(request, CallWithContent):
                request = yield from _collected(request)
            steps.result = yield request
        except BaseException as error:  # noqa: BLE001  # only the conversation knows its state
            steps.error = error
    return steps.returned


def _collected(request: CallWithContent) -> Flow[Call]:
    found: list[bytes] = []
    lost: ContentLost | None = None
    try:
        while (chunk := (yield from request.read())) is not None:
            found.append(chunk)
    except ContentLost as error:
        lost = error

    def read() -> bytes | None:
        if found:
            return found.pop(0)
        if lost is not None:
            raise lost
        return None

    return Call(request.function, (*request.arguments, Chunks(read)))


def converse(
    handler: object,
    octets: bytes | Iterable[bytes],
    *,
    session: Session | None = None,
    report: Callable[[BaseException], object] | None = None,
    **options: Any,
) -> bytes:
    """Return all that a server sends to a client that sends these octets and closes.

    Arguments:
        handler: as for `serve`.
        octets: what the client sends, at once or in segments.
        session: the facts of the client.
        report: called with each exception of the handler; None: it is raised.
        options: the fields of `smtpproto.conversations.ServerSettings`.

    Raises:
        Exception: any error of the handler.
    """
    link = serve(handler, session=session, stream=False, **options)
    link.server.report = report
    said = [link.feed(b""), *(link.feed(segment) for segment in _segments(octets)), link.end()]
    link.check()
    return b"".join(said)


def _segments(octets: object) -> Iterator[bytes]:
    at_once = isinstance(octets, (bytes, bytearray, memoryview, str))
    for segment in octets if isinstance(octets, Iterable) and not at_once else [octets]:
        if not isinstance(segment, (bytes, bytearray, memoryview)):
            raise TypeError(f"expected bytes from the peer, found {segment!r}")
        yield bytes(segment)
