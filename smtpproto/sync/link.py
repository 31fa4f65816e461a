"""A blocking link, and the loop that runs a conversation over it."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ..adapters import host
from ..adapters.nonblocking_channel import READS, Channel, HandshakeSettings
from ..conversations import io_requests
from ..conversations.io_requests import Flow, Request
from ..vocabulary.session_facts import TLSFacts

__all__ = ["Link", "at_once", "run"]

T = TypeVar("T")


class Link(Channel):
    """A channel with deadlines, whose methods wait."""

    __slots__ = ("_deadline", "_progress")

    def __init__(
        self, sock: socket.socket, most: float | None, handshake: HandshakeSettings
    ) -> None:
        super().__init__(sock, handshake, most)
        # Times on the clock `time.monotonic`: the end of the wait for octets; and the time by which
        # the peer must accept some of the unsent octets.
        self._deadline = self._progress = 0.0

    def send(self, request: io_requests.Send) -> bytes | None:
        """Write all octets; or return what the peer sends first, if the request `reads`.

        Raises:
            TimeoutError: the peer accepted no octets within the request's timeout.
        """
        behind = bool(self.unsent)
        self.put(request.data)
        progress = self.push()
        if not self.unsent:
            return None
        if progress or not behind:
            self._progress = time.monotonic() + self._limit(request.timeout)
        return self._finish(request, READS, reads=request.reads)

    def _finish(
        self, request: io_requests.Send | io_requests.Receive, most: int, *, reads: bool
    ) -> bytes | None:
        """Write the unsent octets; or return what the peer sends first, if `reads` is True."""
        seconds = self._limit(request.timeout)
        octets = self.read(most) if reads and self.secure else None
        events = select.POLLOUT | (select.POLLIN if reads else 0)
        while self.unsent and octets is None:
            ready = self._wait(events, self._progress)
            if not ready:
                raise TimeoutError(f"the peer accepted no octets for {seconds:g} seconds")
            if reads and ready & ~select.POLLOUT:
                octets = self.read(most)
            if self.push():
                self._progress = time.monotonic() + seconds
        return octets

    def receive(self, request: io_requests.Receive) -> bytes:
        """Return some octets; `b""` at the end."""
        if self.unsent and (octets := self._finish(request, request.most, reads=True)) is not None:
            return octets
        self._deadline = request.deadline(time.monotonic(), self._deadline, self._most)
        # TLS may hold decrypted octets, which do not make the socket readable.
        found = self.read(request.most) if self.secure else None
        while found is None:
            # TLS may have to send something itself.
            events = select.POLLIN | (select.POLLOUT if self.unsent else 0)
            if not self._wait(events, self._deadline):
                limit = self._limit(request.timeout)
                raise TimeoutError(f"the peer sent nothing for {limit:g} seconds")
            self.push()
            found = self.read(request.most)
        return found

    def start_tls(self, request: io_requests.BeginTLS) -> TLSFacts:
        """Do the TLS handshake."""
        deadline = time.monotonic() + self._limit(request.timeout)
        while (facts := self.shake_hands()) is None:
            events = select.POLLIN | (select.POLLOUT if self.unsent else 0)
            if not self._wait(events, deadline):
                raise TimeoutError("the time limit ran out")
            self.push()
        return facts

    def _wait(self, events: int, deadline: float) -> int:
        """Wait for events of `select.poll`; return those that came, or 0 after the deadline."""
        poll = select.poll()
        poll.register(self.sock, events)
        ready = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
        return ready[0][1] if ready else 0


def run(flow: Flow[T], link: Link | None = None) -> T:
    """Run a conversation to its end; the link may be None if it only calls functions.

    Raises:
        Exception: any error that the conversation raises.
    """
    resume: Callable[[Any], Request] = flow.send
    result: Any = None
    while True:
        try:
            request = resume(result)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        finally:
            # It may be an error, which refers to this frame: a reference back would keep the link
            # in memory until the garbage collector runs.
            result = None
        try:
            resume, result = flow.send, _fulfil(request, link)
        except BaseException as raised:  # noqa: BLE001  # the conversation handles it
            resume, result = flow.throw, raised


def _fulfil(request: Request, link: Link | None) -> Any:
    """Fulfil a request of a conversation; return the result."""
    if isinstance(request, io_requests.Call):
        return at_once(request.function(*request.arguments))
    if isinstance(request, io_requests.Report):
        return host.report(request.error)
    assert link is not None
    if isinstance(request, io_requests.Send):
        return link.send(request)
    if isinstance(request, io_requests.Receive):
        return link.receive(request)
    if isinstance(request, io_requests.HasUnread):
        return link.has_input()
    assert isinstance(request, io_requests.BeginTLS)
    return link.start_tls(request)


def at_once(result: Any) -> Any:
    """Return the result of a user's function.

    Raises:
        TypeError: the result must be awaited.
    """
    if hasattr(type(result), "__await__"):
        if isinstance(result, Coroutine):
            result.close()
        raise TypeError(
            f"the blocking adapter cannot await, found {result!r:.80}: write a plain function, or "
            "use smtpproto.asyncio or smtpproto.trio"
        )
    return result
