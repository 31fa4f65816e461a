"""The loop that runs a conversation over a blocking link, and the link."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ..adapters import host, tls_contexts
from ..adapters.nonblocking_channel import Channel
from ..conversations import io_requests
from ..conversations.io_requests import Flow, Request
from ..vocabulary.session_facts import TLSFacts

__all__ = ["Link", "at_once", "run"]

T = TypeVar("T")
_READS = 65536  # octets to read at most while there is something to write


class Link(Channel):
    """A channel with deadlines; `most` bounds every wait, in seconds."""

    __slots__ = ("_deadline", "_most", "_progress")

    def __init__(
        self, sock: socket.socket, most: float | None, handshake: tls_contexts.HandshakeSettings
    ) -> None:
        super().__init__(sock, handshake)
        self._most = most
        # When the wait for octets is over, and when the peer has to have taken some of what is
        # unsent; on the clock `time.monotonic`.
        self._deadline = 0.0
        self._progress = 0.0

    def send(self, request: io_requests.Send) -> bytes | None:
        """Write all of it, or else give what the peer says meanwhile, if the request `reads`.

        Raises:
            TimeoutError: the peer took nothing for as long as the request says.
        """
        behind = bool(self.unsent)
        self.put(request.data)
        progress = self.push()
        if not self.unsent:
            return None
        if progress or not behind:
            self._progress = time.monotonic() + self._limit(request.timeout)
        return self._finish(request, _READS, reads=request.reads)

    def _finish(
        self, request: io_requests.Send | io_requests.Receive, most: int, *, reads: bool
    ) -> bytes | None:
        """Write what is unsent, or give what the peer says meanwhile; None once all is written."""
        seconds = self._limit(request.timeout)
        octets = self.read(most) if reads and self.secure else None
        events = select.POLLOUT | (select.POLLIN if reads else 0)
        while self.unsent and octets is None:
            ready = self._wait(events, self._progress)
            if not ready:
                raise TimeoutError(f"the peer took no octets for {seconds:g} seconds")
            if reads and ready & ~select.POLLOUT:
                octets = self.read(most)
            if self.push():
                self._progress = time.monotonic() + seconds
        return octets

    def receive(self, request: io_requests.Receive) -> bytes:
        """Some octets; `b""` at the end."""
        if self.unsent and (octets := self._finish(request, request.most, reads=True)) is not None:
            return octets
        self._deadline = request.deadline(time.monotonic(), self._deadline, self._most)
        # What TLS has decrypted makes no socket readable.
        found = self.read(request.most) if self.secure else None
        while found is None:
            # TLS may have something to say by itself.
            events = select.POLLIN | (select.POLLOUT if self.unsent else 0)
            if not self._wait(events, self._deadline):
                limit = self._limit(request.timeout)
                raise TimeoutError(f"nothing came within {limit:g} seconds")
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

    def _limit(self, timeout: float) -> float:
        return timeout if self._most is None else min(timeout, self._most)

    def _wait(self, events: int, deadline: float) -> int:
        """Wait for what `select.poll` calls events; which of them there are, 0 after the deadline.

        To be called before reading and writing, since what is waited for is seldom there already.
        """
        poll = select.poll()
        poll.register(self.sock, events)
        ready = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
        return ready[0][1] if ready else 0

    def close(self) -> None:
        """Close, and within TLS say so, without waiting for the peer to say the same."""
        try:
            self.say_goodbye()
        finally:
            self.abort()

    def abort(self) -> None:
        """Close at once."""
        self.sock.close()


def run(flow: Flow[T], link: Link | None = None) -> T:
    """Run a conversation to its end; without a link if it only calls functions.

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
        try:
            resume, result = flow.send, _fulfil(request, link)
        except BaseException as raised:  # noqa: BLE001  # it knows what was under way, not this
            resume, result = flow.throw, raised


def _fulfil(request: Request, link: Link | None) -> Any:
    """Do what a conversation asks for, and wait for it."""
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
    """What a function of the user's returned, unless it is to be waited for."""
    if hasattr(type(result), "__await__"):
        if isinstance(result, Coroutine):
            result.close()
        raise TypeError("the blocking adapter cannot wait for what is asynchronous")
    return result
