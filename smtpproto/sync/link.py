"""The loop that runs a conversation over a blocking link, and the link."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from ..adapters import host, tls
from ..adapters.channel import Channel
from ..conversations import requests
from ..conversations.requests import Flow, Request
from ..conversations.steps import Steps
from ..vocabulary.session import TLSFacts

__all__ = ["Link", "at_once", "run"]

T = TypeVar("T")
_READS = 65536  # octets to read at most while there is something to write


class Link(Channel):
    """A channel with deadlines; `most` bounds every wait, in seconds.

    Attributes:
        deadline: when the wait for octets is over, on the clock `time.monotonic`.
    """

    def __init__(self, sock: socket.socket, most: float | None, handshake: tls.Handshake) -> None:
        super().__init__(sock, handshake)
        self.deadline = 0.0
        self._most = most
        # When the peer has to have taken some of what is unsent.
        self._progress = 0.0

    def send(self, request: requests.Send) -> bytes | None:
        """Write all of it, or else give what the peer says meanwhile, if the request `reads`.

        Raises:
            TimeoutError: the peer took nothing for as long as the request says.
        """
        if not self.unsent:
            self._progress = time.monotonic() + self._limit(request.timeout)
        self.put(request.data)
        self.push()
        return self._finish(request, _READS) if self.unsent else None

    def _finish(self, request: requests.Send | requests.Receive, reads: int) -> bytes | None:
        seconds = self._limit(request.timeout)
        both = isinstance(request, requests.Receive) or request.reads
        events = select.POLLOUT | (select.POLLIN if both else 0)
        late = TimeoutError(f"the peer took no octets for {seconds:g} seconds")
        while True:
            if self.push():
                self._progress = time.monotonic() + seconds
            if not self.unsent:
                return None
            if both and (octets := self.read(reads)) is not None:
                return octets
            self._wait(events, self._progress, late)

    def receive(self, request: requests.Receive) -> bytes:
        """Some octets; `b""` at the end."""
        if self.unsent and (octets := self._finish(request, request.most)) is not None:
            return octets
        self.expect(request)
        while (octets := self.read(request.most)) is None:
            events = select.POLLIN
            if self.unsent and not self.push():
                # What TLS has to say by itself.
                events |= select.POLLOUT
            self._wait(events, self.deadline, self.late(request))
        return octets

    def expect(self, request: requests.Receive) -> None:
        """Set the deadline; a wait that is not fresh keeps it."""
        self.deadline = request.deadline(time.monotonic(), self.deadline, self._most)

    def late(self, request: requests.Receive) -> TimeoutError:
        """What to raise when the deadline has passed."""
        return TimeoutError(f"nothing came within {self._limit(request.timeout):g} seconds")

    def start_tls(self, request: requests.BeginTLS) -> TLSFacts:
        """Do the TLS handshake."""
        deadline = time.monotonic() + self._limit(request.timeout)
        while (facts := self.shake_hands()) is None:
            events = select.POLLIN | (select.POLLOUT if self.unsent else 0)
            self._wait(events, deadline, TimeoutError("the time limit ran out"))
            self.push()
        return facts

    def _limit(self, timeout: float) -> float:
        return timeout if self._most is None else min(timeout, self._most)

    def _wait(self, events: int, deadline: float, late: TimeoutError) -> None:
        poll = select.poll()
        poll.register(self.sock, events)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise late

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
        Exception: whatever the conversation raises.
    """
    steps = Steps(flow)
    for request in steps:
        try:
            steps.result = _fulfil(request, link)
        except BaseException as raised:  # noqa: BLE001  # it knows what was under way, not this
            steps.error = raised
    return steps.returned


def _fulfil(request: Request, link: Link | None) -> Any:
    """Do what a conversation asks for, and wait for it."""
    if isinstance(request, requests.Report):
        return host.report(request.error)
    if isinstance(request, requests.Call):
        return at_once(request.function(*request.arguments))
    assert link is not None
    if isinstance(request, requests.Look):
        return link.has_input()
    if isinstance(request, requests.Receive):
        return link.receive(request)
    if isinstance(request, requests.Send):
        return link.send(request)
    assert isinstance(request, requests.BeginTLS)
    return link.start_tls(request)


def at_once(result: Any) -> Any:
    """What a function of the user's returned, unless it is to be waited for."""
    if hasattr(type(result), "__await__"):
        if isinstance(result, Coroutine):
            result.close()
        raise TypeError("the blocking adapter cannot wait for what is asynchronous")
    return result
