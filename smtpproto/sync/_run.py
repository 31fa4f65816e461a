"""The loop that runs a conversation over a blocking link, and the link."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from .. import host, tls
from ..conversations import requests
from ..conversations.requests import Flow, Request
from ..conversations.steps import Steps
from ..session import TLSFacts

__all__ = ["Link", "fulfil", "run"]

A = TypeVar("A")
T = TypeVar("T")
_BLOCKED = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Link:
    """A connected stream socket with deadlines; `most` bounds every wait, in seconds.

    Attributes:
        deadline: when the wait for octets is over, on the clock `time.monotonic`.
        about_to_wait: called before a wait.
    """

    def __init__(self, sock: socket.socket, most: float | None, handshake: tls.Handshake) -> None:
        host.prepare(sock)
        self.sock = sock
        self.handshake = handshake
        self.deadline = 0.0
        self.about_to_wait: Callable[[], None] | None = None
        self._tls: ssl.SSLSocket | None = None
        self._most = most

    def send(self, request: requests.Send) -> None:
        """Write all of it, or raise `TimeoutError` if the peer does not take it in time."""
        data = self.write(request.data)
        deadline = time.monotonic() + self._limit(request.timeout) if data else 0.0
        while data:
            data = data[self._retry(self.sock.send, data, select.POLLOUT, deadline) :]

    def write(self, data: bytes) -> bytes:
        """Write what can be written without a wait; the rest."""
        try:
            return data[self.sock.send(data) :]
        except _BLOCKED:
            return data

    def receive(self, request: requests.Receive) -> bytes:
        """Some octets; `b""` at the end."""
        self.expect(request)
        if not self.pending:
            self._wait(select.POLLIN, self.deadline, self.late(request))
        return self._retry(self.sock.recv, request.most, select.POLLIN, self.deadline)

    def expect(self, request: requests.Receive) -> None:
        """Set the deadline; a wait that is not fresh keeps it."""
        if request.fresh:
            self.deadline = time.monotonic() + self._limit(request.timeout)

    @property
    def pending(self) -> bool:
        """Whether octets are here that TLS has read already: they make no socket readable."""
        return self._tls is not None and self._tls.pending() > 0

    def late(self, request: requests.Receive) -> TimeoutError:
        """What to raise when the deadline has passed."""
        return TimeoutError(f"nothing came within {self._limit(request.timeout):g} seconds")

    def start_tls(self, request: requests.StartTLS) -> TLSFacts:
        """Do the TLS handshake."""
        deadline = time.monotonic() + self._limit(request.timeout)
        context, arguments = self.handshake.current(), self.handshake.arguments
        self.sock = self._tls = context.wrap_socket(
            self.sock, do_handshake_on_connect=False, **arguments
        )
        self._retry(self._tls.do_handshake, False, select.POLLIN, deadline)
        return tls.facts(self._tls)

    def _limit(self, timeout: float) -> float:
        return timeout if self._most is None else min(timeout, self._most)

    def _retry(self, operation: Callable[[A], T], argument: A, blocked: int, deadline: float) -> T:
        """Do what may have to wait: for the event `blocked`, or for what TLS wants."""
        while True:
            try:
                return operation(argument)
            except BlockingIOError:
                event = blocked
            except ssl.SSLWantReadError:
                event = select.POLLIN
            except ssl.SSLWantWriteError:
                event = select.POLLOUT
            self._wait(event, deadline, TimeoutError("the time limit ran out"))

    def _wait(self, event: int, deadline: float, late: TimeoutError) -> None:
        if self.about_to_wait is not None:
            self.about_to_wait()
        poll = select.poll()
        poll.register(self.sock, event)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise late

    def cut(self) -> None:
        """End whatever waits for the link in another thread."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close, and within TLS say so, without waiting for the peer to say the same."""
        try:
            if self._tls is not None:
                with contextlib.suppress(OSError, ValueError):
                    self._tls.unwrap()
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
            steps.result = fulfil(request, link)
        except BaseException as raised:  # noqa: BLE001  # it knows what was under way, not this
            steps.error = raised
    return steps.returned


def fulfil(request: Request, link: Link | None) -> Any:
    """Do what a conversation asks for, and wait for it."""
    if isinstance(request, requests.Report):
        return host.report(request.error)
    if isinstance(request, requests.Call):
        return _at_once(request.function(*request.arguments))
    assert link is not None
    if isinstance(request, requests.Receive):
        return link.receive(request)
    if isinstance(request, requests.Send):
        return link.send(request)
    if isinstance(request, requests.StartTLS):
        return link.start_tls(request)
    return _at_once(request.function(*request.arguments, _chunks(request.read, link)))


def _at_once(result: Any) -> Any:
    """What a function of the user's returned, unless it is to be waited for."""
    if hasattr(type(result), "__await__"):
        if isinstance(result, Coroutine):
            result.close()
        raise TypeError("the blocking adapter cannot wait for what is asynchronous")
    return result


def _chunks(read: Callable[[], Flow[bytes | None]], link: Link) -> Iterator[bytes]:
    while (chunk := run(read(), link)) is not None:
        yield chunk
