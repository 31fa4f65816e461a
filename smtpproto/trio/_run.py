"""The loop that runs a conversation over a link of trio's, and the link."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Any, TypeVar

import trio

from .. import host, tls
from ..conversations import requests
from ..conversations.requests import Flow, Request
from ..conversations.steps import Steps
from ..session import TLSFacts

__all__ = ["Link", "run"]

T = TypeVar("T")
LARGE = 16384  # octets after which others get a turn
_TRIOS = (trio.BrokenResourceError, trio.ClosedResourceError)


class Link:
    """A connected stream socket with deadlines.

    A socket alone is used directly: a stream of trio's would cost each idle session memory, and
    each write a turn of the scheduler.  `most` bounds every wait, in seconds.
    """

    __slots__ = ("_draining", "_most", "_tls", "_until", "_waiting", "handshake", "sock")

    def __init__(self, sock: socket.socket, most: float | None, handshake: tls.Handshake) -> None:
        host.prepare(sock)
        self.sock = sock
        self.handshake = handshake
        self._tls: trio.SSLStream[trio.SocketStream] | None = None
        self._most = most
        self._until = 0.0
        self._draining = False
        self._waiting = trio.CancelScope()

    def send(self, request: requests.Send) -> Awaitable[None] | None:
        """Write all of it, or raise `TimeoutError` if the peer does not take it in time."""
        sent = 0
        if self._tls is None:
            with contextlib.suppress(BlockingIOError):
                sent = self.sock.send(request.data)
        if sent == len(request.data) < LARGE:
            return None
        return self._send(request.data[sent:], self._limit(request.timeout))

    async def _send(self, data: bytes, seconds: float) -> None:
        with _deadline(seconds):
            if self._tls is not None:
                await self._tls.send_all(data)
                return
            # A reply is followed by a wait; a stream of content must let others have a turn.
            await trio.lowlevel.checkpoint()
            while data:
                await trio.lowlevel.wait_writable(self.sock)
                with contextlib.suppress(BlockingIOError):
                    data = data[self.sock.send(data) :]

    async def receive(self, request: requests.Receive) -> bytes:
        """Some octets; `b""` at the end.  A wait that is not fresh keeps its deadline."""
        now = trio.current_time()
        if request.fresh:
            self._until = now + self._limit(request.timeout)
        if self._tls is None and now < self._until and not self._draining:
            # What a busy client says next is there by the time it is this task's turn again; to
            # look costs a third of what a wait with a deadline does.
            await trio.lowlevel.checkpoint()
            with contextlib.suppress(BlockingIOError):
                return self.sock.recv(request.most)
        with trio.CancelScope(deadline=self._until) as self._waiting:
            if self._draining:
                self._waiting.cancel()
            return await self._read(request.most)
        if self._draining:
            self._draining = False
            raise requests.Draining
        raise TimeoutError(f"nothing came within {self._limit(request.timeout):g} seconds")

    async def _read(self, most: int) -> bytes:
        try:
            if self._tls is not None:
                return bytes(await self._tls.receive_some(most))
            while True:
                await trio.lowlevel.wait_readable(self.sock)
                with contextlib.suppress(BlockingIOError):
                    return self.sock.recv(most)
        except _TRIOS as error:
            if isinstance(error.__cause__, ssl.SSLEOFError):
                # Closed without a word within TLS: SMTP itself tells what is complete.
                return b""
            raise _reason(error) from error

    async def start_tls(self, request: requests.StartTLS) -> TLSFacts:
        """Do the TLS handshake."""
        transport = trio.SocketStream(trio.socket.from_stdlib_socket(self.sock))
        handshake = self.handshake
        self._tls = trio.SSLStream(transport, handshake.current(), **handshake.arguments)
        with _deadline(self._limit(request.timeout)):
            await self._tls.do_handshake()
        return tls.facts(self._tls)

    def _limit(self, timeout: float) -> float:
        return timeout if self._most is None else min(timeout, self._most)

    def drain(self) -> None:
        """End the present wait for octets, or else the next one, with `Draining`."""
        self._draining = True
        self._waiting.cancel()

    async def close(self) -> None:
        """Close, and within TLS say so, without waiting for the peer to say the same."""
        if self._tls is not None:
            with trio.move_on_after(1):
                await self._tls.aclose()
        self.abort()

    def abort(self) -> None:
        """Close at once."""
        if self.sock.fileno() >= 0:
            trio.lowlevel.notify_closing(self.sock)
        self.sock.close()


@contextlib.contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """A limit for what is done with a link, and Python's errors in place of trio's."""
    try:
        with trio.fail_after(seconds):
            yield
    except trio.TooSlowError:
        raise TimeoutError("the time limit ran out") from None
    except _TRIOS as error:
        raise _reason(error) from error


def _reason(error: Exception) -> OSError:
    cause = error.__cause__
    return cause if isinstance(cause, OSError) else ConnectionError(str(error))


async def run(flow: Flow[T], link: Link | None = None) -> T:
    """Run a conversation to its end; without a link if it only calls functions.

    Raises:
        Exception: whatever the conversation raises.
        trio.Cancelled: the conversation may have been anywhere: close the link.
    """
    steps = Steps(flow)
    for request in steps:
        try:
            result = _fulfil(request, link)
            steps.result = await result if hasattr(type(result), "__await__") else result
        except BaseException as raised:  # noqa: BLE001  # it knows what was under way, not this
            steps.error = raised
    return steps.returned


def _fulfil(request: Request, link: Link | None) -> Any:
    """What a request asks for, or an awaitable of it."""
    if isinstance(request, requests.Call):
        return request.function(*request.arguments)
    if isinstance(request, requests.Report):
        return host.report(request.error)
    assert link is not None
    if isinstance(request, requests.Receive):
        return link.receive(request)
    if isinstance(request, requests.Send):
        return link.send(request)
    if isinstance(request, requests.CallWithContent):
        return _call(request, link)
    return link.start_tls(request)


async def _call(request: requests.CallWithContent, link: Link) -> Any:
    async with contextlib.aclosing(_chunks(request.read, link)) as chunks:
        return await request.function(*request.arguments, chunks)


async def _chunks(read: Callable[[], Flow[Any]], link: Link) -> AsyncGenerator[bytes, None]:
    while (chunk := await run(read(), link)) is not None:
        yield chunk
