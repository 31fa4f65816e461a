"""The loop that runs a conversation over a link of trio's, and the link."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import trio

from ..adapters import host, tls_contexts
from ..adapters.nonblocking_channel import Channel
from ..conversations import io_requests
from ..conversations.conversation_steps import Steps
from ..conversations.io_requests import Flow, Request
from ..conversations.server.incoming_content import ContentLost
from ..vocabulary.session_facts import TLSFacts

__all__ = ["Link", "is_cancelled", "run"]

T = TypeVar("T")
_SLICE = 2048  # octets to write before other sessions may go on
_READS = 65536  # most octets to read while there is something to write
# Seconds that a call has after the cancellation of its conversation: less than `Server.stop` waits.
_LAST_CALL = 0.3


class Link(Channel):
    """A channel with deadlines; `most` bounds every wait, in seconds.

    It uses the socket directly.  A trio stream would take more memory for each idle session, and
    one turn of the scheduler for each write.
    """

    __slots__ = ("_draining", "_most", "_progress", "_until", "_waiting")

    def __init__(
        self, sock: socket.socket, most: float | None, handshake: tls_contexts.HandshakeSettings
    ) -> None:
        super().__init__(sock, handshake)
        self._most = most
        self._until = 0.0
        # The time by which the peer must accept some of the unsent octets.
        self._progress = 0.0
        self._draining = False
        self._waiting = trio.CancelScope()

    def send(self, request: io_requests.Send) -> Awaitable[bytes | None] | None:
        """Write all octets; or return what the peer sends first, if the request `reads`.

        Raises:
            TimeoutError: the peer accepted no octets within the request's timeout.
        """
        begins = not self.unsent
        self.put(request.data)
        self.push()
        if not self.unsent and len(request.data) < _SLICE:
            return None
        if begins:
            self._progress = trio.current_time() + self._limit(request.timeout)
        return self._send(request)

    async def _send(self, request: io_requests.Send) -> bytes | None:
        # After a reply the session waits; one that writes much without waiting must let others go
        # on.
        await trio.lowlevel.checkpoint()
        return await self._finish(request, _READS)

    async def _finish(
        self, request: io_requests.Send | io_requests.Receive, reads: int
    ) -> bytes | None:
        seconds = self._limit(request.timeout)
        both = isinstance(request, io_requests.Receive) or request.reads
        while True:
            if self.push():
                self._progress = trio.current_time() + seconds
            if not self.unsent:
                return None
            if both and (octets := self.read(reads)) is not None:
                return octets
            with trio.move_on_at(self._progress):
                await _ready(self.sock, read=both, write=True)
                continue
            raise TimeoutError(f"the peer took no octets for {seconds:g} seconds")

    async def receive(self, request: io_requests.Receive) -> bytes:
        """Return some octets; `b""` at the end.  A wait that is not fresh keeps its deadline."""
        if self.unsent and (octets := await self._finish(request, request.most)) is not None:
            return octets
        now = trio.current_time()
        self._until = request.deadline(now, self._until, self._most)
        if now < self._until and not self._draining:
            # A busy client's next octets are usually here when this task runs again.  A look takes
            # a third of the time of a wait with a deadline.
            await trio.lowlevel.checkpoint()
            if (octets := self.read(request.most)) is not None:
                return octets
        with trio.CancelScope(deadline=self._until) as self._waiting:
            if self._draining:
                self._waiting.cancel()
            return await self._read(request.most)
        if self._draining:
            self._draining = False
            raise io_requests.Draining
        raise TimeoutError(f"nothing came within {self._limit(request.timeout):g} seconds")

    async def _read(self, most: int) -> bytes:
        while True:
            # TLS may have to send something itself.
            await _ready(self.sock, read=True, write=bool(self.unsent))
            self.push()
            if (octets := self.read(most)) is not None:
                return octets

    async def start_tls(self, request: io_requests.BeginTLS) -> TLSFacts:
        """Do the TLS handshake."""
        until = trio.current_time() + self._limit(request.timeout)
        with trio.CancelScope(deadline=until) as self._waiting:
            if self._draining:
                self._waiting.cancel()
            while (facts := self.shake_hands()) is None:
                await _ready(self.sock, read=True, write=bool(self.unsent))
                self.push()
            return facts
        if self._draining:
            self._draining = False
            raise io_requests.Draining
        raise TimeoutError("the time limit ran out")

    def _limit(self, timeout: float) -> float:
        return timeout if self._most is None else min(timeout, self._most)

    def drain(self) -> None:
        """End the current or the next wait for octets or a handshake with `Draining`."""
        self._draining = True
        self._waiting.cancel()

    def close(self) -> None:
        """Close, and close TLS first, without waiting for the peer's close."""
        self.say_goodbye()
        self.abort()

    def abort(self) -> None:
        """Close at once."""
        if self.sock.fileno() >= 0:
            trio.lowlevel.notify_closing(self.sock)
        self.sock.close()


async def _ready(sock: socket.socket, *, read: bool, write: bool) -> None:
    """Wait until the socket is readable or writable, as asked.

    Raises:
        OSError: the socket was closed during the wait.
    """
    wait = trio.lowlevel.wait_readable if read else trio.lowlevel.wait_writable
    try:
        if not (read and write):
            await wait(sock)
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_first, trio.lowlevel.wait_writable, sock, nursery.cancel_scope)
            await _first(wait, sock, nursery.cancel_scope)
    except trio.ClosedResourceError as error:
        raise ConnectionError("the link was closed meanwhile") from error


async def _first(
    wait: Callable[[socket.socket], Awaitable[None]], sock: socket.socket, others: trio.CancelScope
) -> None:
    # A socket closed during the wait fails at its next use.
    with contextlib.suppress(trio.ClosedResourceError):
        await wait(sock)
    others.cancel()


async def run(flow: Flow[T], link: Link | None = None) -> T:
    """Run a conversation to its end; the link may be None if it only calls functions.

    What a conversation still calls after its cancellation, such as the hook `closed`, has a short
    time.

    Raises:
        Exception: any error that the conversation raises.
        trio.Cancelled: the state of the conversation is unknown: close the link.
        KeyboardInterrupt: raised after the conversation has ended.  Trio raises it in the task
            that runs when the user presses Ctrl-C, but it is meant for the program.
    """
    steps, interrupt, cancelled = Steps(flow), None, False
    for request in steps:
        try:
            result = _fulfil(request, link)
            if hasattr(type(result), "__await__"):
                last = cancelled and isinstance(request, io_requests.Call)
                result = await (_finish_call(result) if last else result)
            steps.result = result
        except BaseException as raised:  # noqa: BLE001  # it knows what was under way, not this
            steps.error = raised
            interrupt = raised if isinstance(raised, KeyboardInterrupt) else interrupt
            cancelled = is_cancelled()
    if interrupt is not None:
        raise interrupt
    return steps.returned


def is_cancelled() -> bool:
    """Whether the next wait of this task would be cancelled."""
    return trio.current_effective_deadline() <= trio.current_time()


async def _finish_call(result: Awaitable[T]) -> T:
    with trio.move_on_after(_LAST_CALL, shield=True):
        return await result
    raise TimeoutError(
        f"the session was cancelled, and the call took more than {_LAST_CALL:g} seconds"
    )


def _fulfil(request: Request, link: Link | None) -> Any:
    """Do what a request asks for; return the result or an awaitable of it."""
    if isinstance(request, io_requests.Call):
        return request.function(*request.arguments)
    if isinstance(request, io_requests.Report):
        return host.report(request.error)
    assert link is not None
    if isinstance(request, io_requests.Receive):
        return link.receive(request)
    if isinstance(request, io_requests.Send):
        return link.send(request)
    if isinstance(request, io_requests.HasUnread):
        return link.has_input()
    if isinstance(request, io_requests.CallWithContent):
        return _call(request, link)
    return link.start_tls(request)


async def _call(request: io_requests.CallWithContent, link: Link) -> Any:
    with _Chunks(request.read, link) as chunks:
        return await request.function(*request.arguments, chunks)


class _Chunks(AsyncIterator[bytes], contextlib.AbstractContextManager["_Chunks"]):
    """The content for a handler, until the handler returns; a thread of it may ask later.

    Only the end of the content ends the iteration normally.  A cancellation or an error raises,
    because the chunks before it are no complete message.
    """

    def __init__(self, read: Callable[[], Flow[Any]], link: Link) -> None:
        self._read = read
        self._link = link
        self._over = False

    async def __anext__(self) -> bytes:
        if self._over:
            raise ContentLost("the handler has returned, and its content is gone")
        chunk = await run(self._read(), self._link)
        if chunk is None:
            raise StopAsyncIteration
        return bytes(chunk)

    def __exit__(self, *_: object) -> None:
        self._over = True
