r"""Handlers without sockets: runs conversations in memory, octet by octet as on a socket.

Nothing waits and no thread runs: both sides take turns, so a test always gives the same result.

    >>> class Inbox:
    ...     def message(self, session, envelope, content): ...
    >>> converse(Inbox(), b"QUIT\r\n", hostname="mx.example")
    b'220 mx.example ESMTP\r\n221 2.0.0 Bye\r\n'
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator
from typing import Any, Protocol, TypeVar

from ..conversations import ContentLost, ServerSettings, SessionFactory, io_requests
from ..conversations.io_requests import Flow
from ..conversations.server.session import BUSY
from ..vocabulary.session_facts import Session, TLSFacts

__all__ = ["MemoryLink", "Peer", "Served", "converse", "run_flow"]

T = TypeVar("T")


class Peer(Protocol):
    """The other end of a link in memory.

    Attributes:
        closed: whether it has closed.
    """

    @property
    def closed(self) -> bool:
        """Whether it has closed."""

    def exchange(self, octets: bytes) -> bytes:
        """Take octets, and return its own; both may be empty."""


class MemoryLink:
    """One end of a link in memory.

    Arguments:
        report: called with each exception that a handler raised; None: they are kept in `errors`.

    Attributes:
        incoming: segments that arrived and are unread.
        outgoing: octets that were sent and not taken.
        closed: whether the peer has closed, after what arrived.
        silent: whether the peer waits too, so that time limits run out.
        errors: the exceptions of handlers.
    """

    def __init__(self, report: Callable[[BaseException], object] | None = None) -> None:
        self.incoming: deque[bytes] = deque()
        self.outgoing = bytearray()
        self.closed = False
        self.silent = False
        self.errors: list[BaseException] = []
        self.report = report or self.errors.append

    def take(self) -> bytes:
        """Return all octets that were sent."""
        octets = bytes(self.outgoing)
        self.outgoing.clear()
        return octets

    def ready(self) -> bool:
        """Whether `receive` can return."""
        return bool(self.incoming) or self.closed or self.silent

    def receive(self, most: int) -> bytes:
        """Return a segment, or its first octets; empty at the end."""
        if not self.incoming:
            if self.closed:
                return b""
            self.silent = False
            raise TimeoutError("in memory: both sides wait for each other")
        segment = self.incoming.popleft()
        if len(segment) > most:
            self.incoming.appendleft(segment[most:])
        return segment[:most]


class _Chunks(Iterator[bytes], AsyncIterator[bytes]):
    """Content for a `content` hook, plain or async."""

    def __init__(self, chunks: list[bytes], lost: Exception | None) -> None:
        self._chunks = iter(chunks)
        self._lost = lost

    def __next__(self) -> bytes:
        for chunk in self._chunks:
            return chunk
        if self._lost is not None:
            raise self._lost
        raise StopIteration

    async def __anext__(self) -> bytes:
        for chunk in self:
            return chunk
        raise StopAsyncIteration


def _finished(result: Any) -> Any:
    """Return the result of a hook; an async one may await nothing but content."""
    if not hasattr(type(result), "__await__"):
        return result
    try:
        next(result.__await__())
    except StopIteration as stop:
        return stop.value
    raise TypeError("in memory nothing can be waited for: the handler awaits more than its content")


def run_flow(flow: Flow[T], link: MemoryLink) -> Generator[None, None, T]:
    """Run a conversation over a link in memory.

    This generator yields when the conversation waits for octets: put them into the link, then go
    on.  Time limits never run out, and TLS handshakes succeed without octets.

    Arguments:
        flow: the conversation.
        link: its end of the link.

    Returns:
        The conversation's return value.

    Raises:
        Exception: any error that the conversation raises.
    """
    result: Any = None
    error: BaseException | None = None
    while True:
        try:
            request = flow.send(result) if error is None else flow.throw(error)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # a Flow[T] returns a T
        result = error = None
        try:
            result = yield from _fulfil(request, link)
        except Exception as raised:  # noqa: BLE001  # only the conversation knows what was under way
            error = raised


def _fulfil(request: io_requests.Request, link: MemoryLink) -> Generator[None, None, Any]:
    if isinstance(request, io_requests.Send):
        link.outgoing += request.data
    elif isinstance(request, io_requests.Receive):
        while not link.ready():
            yield
        return link.receive(request.most)
    elif isinstance(request, io_requests.HasUnread):
        return bool(link.incoming)
    elif isinstance(request, io_requests.BeginTLS):
        return TLSFacts("TLSv1.3", "in memory")
    elif isinstance(request, io_requests.Report):
        link.report(request.error)
    elif isinstance(request, io_requests.Call):
        return _finished(request.function(*request.arguments))
    else:
        # A plain function cannot pause until more octets arrive, so all content is read first.
        chunks: list[bytes] = []
        lost: Exception | None = None
        try:
            while (chunk := (yield from run_flow(request.read(), link))) is not None:
                chunks.append(chunk)
        except ContentLost as error:
            lost = error
        return _finished(request.function(*request.arguments, _Chunks(chunks, lost)))
    return None


class Served:
    """The server's end: serves a handler in memory; a `Peer`.

    It calls a `content` hook when the content is complete or lost, with the chunks in which it
    arrived.

    Arguments:
        handler: see `smtpproto.conversations.Handler`; its methods may be async if they await
            nothing but content.
        session: the facts of the client; None for a client at 192.0.2.1.
        report: called with each exception of the handler; None: it is raised once both sides wait.
        options: the fields of `smtpproto.conversations.ServerSettings`.
    """

    def __init__(
        self,
        handler: object,
        *,
        session: Session | None = None,
        report: Callable[[BaseException], object] | None = None,
        **options: Any,
    ) -> None:
        count = itertools.count(1)
        options.setdefault("nonce", lambda: f"nonce{next(count)}")
        self.link = MemoryLink(report)
        self._over = False
        session = session or Session(peer="192.0.2.1")
        factory = SessionFactory(handler, ServerSettings(**options))
        flow = factory.open(session)
        if flow is None:
            self.link.outgoing += factory.farewell(BUSY)
            self._over = True
            return
        self._running = run_flow(flow, self.link)
        self._go_on()

    @property
    def closed(self) -> bool:
        """Whether the session is over."""
        return self._over

    def exchange(self, octets: bytes) -> bytes:
        """Take octets of the client; return the server's.

        Raises:
            Exception: any error of the handler, unless `report` was given.
        """
        if octets:
            self.link.incoming.append(octets)
        self._go_on()
        return self.link.take()

    def close(self) -> bytes:
        """Close the client's side; return the server's last octets."""
        self.link.closed = True
        return self.exchange(b"")

    def _go_on(self) -> None:
        while not self._over:
            try:
                next(self._running)
            except StopIteration:
                self._over = True
            if not self.link.ready():
                break
        if self.link.errors:
            raise self.link.errors.pop(0)


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
        handler: as for `Served`.
        octets: what the client sends, at once or in segments.
        session: the facts of the client.
        report: called with each exception of the handler; None: it is raised.
        options: the fields of `smtpproto.conversations.ServerSettings`.

    Raises:
        Exception: any error of the handler.
    """
    served = Served(handler, session=session, report=report, **options)
    said = [served.link.take()]
    segments = [octets] if isinstance(octets, (bytes, bytearray)) else octets
    said += [served.exchange(bytes(segment)) for segment in segments if segment]
    said.append(served.close())
    return b"".join(said)
