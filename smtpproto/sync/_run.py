"""The loop that runs a conversation over a blocking link, and the link."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any, TypeVar

from ..conversations.requests import (
    Call,
    CallWithContent,
    Draining,
    Flow,
    Receive,
    Report,
    Send,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

__all__ = ["Link", "run"]

T = TypeVar("T")
LOG = logging.getLogger("smtpproto")
READ = 65536


class Link:
    """A connected stream socket with deadlines.

    Arguments:
        sock: connected; belongs to the link from now on.
        most: seconds that no wait may pass, whatever the protocol would allow; None: no such bound.
        wake: a file number that becomes readable when waiting is to end with `Draining`.
    """

    def __init__(
        self, sock: socket.socket, *, most: float | None = None, wake: int | None = None
    ) -> None:
        sock.setblocking(False)
        if sock.family != getattr(socket, "AF_UNIX", None):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self._most = most
        self._wake = wake
        self._deadline = 0.0

    def _limit(self, timeout: float) -> float:
        return timeout if self._most is None else min(timeout, self._most)

    def send(self, data: bytes, timeout: float) -> None:
        """Write all of `data`, or raise `TimeoutError` if the peer takes nothing for so long."""
        view = memoryview(data)
        while view:
            try:
                view = view[self.sock.send(view) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._wait(select.POLLOUT, time.monotonic() + self._limit(timeout), None)
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN, time.monotonic() + self._limit(timeout), None)

    def receive(self, timeout: float, *, fresh: bool) -> bytes:
        """Some octets; `b""` at the end.  A wait that is not fresh keeps its deadline."""
        if fresh:
            self._deadline = time.monotonic() + self._limit(timeout)
        while True:
            self._wait(select.POLLIN, self._deadline, self._wake)
            try:
                return self.sock.recv(READ)
            except (BlockingIOError, ssl.SSLWantReadError):
                continue

    def _wait(self, event: int, deadline: float, wake: int | None) -> None:
        poll = select.poll()
        poll.register(self.sock, event)
        if wake is not None:
            poll.register(wake, select.POLLIN)
        left = deadline - time.monotonic()
        ready = poll.poll(left * 1000) if left > 0 else []
        if not ready:
            raise TimeoutError("the time limit ran out")
        if wake is not None and all(number == wake for number, _ in ready):
            self._wake = None
            raise Draining

    def refuse(self, data: bytes) -> None:
        """Say one thing that fits an empty socket buffer, and close."""
        with contextlib.suppress(OSError):
            self.sock.send(data)
        self.close()

    def abort(self) -> None:
        """End whatever waits for the link in another thread."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()


def run(flow: Flow[T], link: Link) -> T:
    """Run a conversation to its end.

    Raises:
        Exception: whatever the conversation raises.
    """
    result: Any = None
    error: Exception | None = None
    while True:
        try:
            request = flow.send(result) if error is None else flow.throw(error)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        result = error = None
        try:
            if isinstance(request, Receive):
                result = link.receive(request.timeout, fresh=request.fresh)
            elif isinstance(request, Send):
                link.send(request.data, request.timeout)
            elif isinstance(request, Call):
                result = request.function(*request.arguments)
            elif isinstance(request, CallWithContent):
                chunks = _chunks(request.read, link)
                result = request.function(*request.arguments, chunks)
            elif isinstance(request, Report):
                LOG.error("a handler failed", exc_info=request.error)
        except Exception as raised:
            error = raised


def _chunks(read: Callable[[], Generator[Any, Any, bytes | None]], link: Link) -> Iterator[bytes]:
    while (chunk := run(read(), link)) is not None:
        yield chunk
