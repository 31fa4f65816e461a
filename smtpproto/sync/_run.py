"""The loop that runs a conversation over a blocking link, and the link."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from .. import host, tls
from ..conversations import requests
from ..conversations.requests import Flow, Request
from ..conversations.steps import Steps
from ..session import TLSFacts

__all__ = ["Link", "run"]

A = TypeVar("A")
T = TypeVar("T")
_BLOCKED = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Link:
    """A connected stream socket with deadlines; `most` bounds every wait, in seconds.

    `wake` is a file number that becomes readable when waiting is to end with `Draining`.  The links
    of a server share a `turn`: who holds it works, and gives it away to wait or to call a handler.
    The interpreter runs one thread at a time in any case; left to itself, it changes threads at
    each call of the system, and under load that tripled what a session costs.
    """

    def __init__(
        self,
        sock: socket.socket,
        most: float | None,
        handshake: tls.Handshake,
        wake: int | None = None,
        turn: threading.Lock | None = None,
    ) -> None:
        host.prepare(sock)
        self.sock = sock
        self.handshake = handshake
        self.turn = turn or threading.Lock()
        self._tls: ssl.SSLSocket | None = None
        self._most = most
        self._wake = wake
        self._deadline = 0.0
        # Nearly every wait is for this, so it is registered once.
        self._incoming = select.poll()
        self._incoming.register(sock, select.POLLIN)
        if wake is not None:
            self._incoming.register(wake, select.POLLIN)

    def send(self, request: requests.Send) -> None:
        """Write all of it, or raise `TimeoutError` if the peer does not take it in time."""
        data = request.data
        try:
            sent = self.sock.send(data)
        except _BLOCKED:
            sent = 0
        if sent < len(data):
            deadline = time.monotonic() + self._limit(request.timeout)
            while data := data[sent:]:
                sent = self._retry(self.sock.send, data, select.POLLOUT, deadline)

    def receive(self, request: requests.Receive) -> bytes:
        """Some octets; `b""` at the end.  A wait that is not fresh keeps its deadline."""
        now = time.monotonic()
        if request.fresh:
            self._deadline = now + self._limit(request.timeout)
        # Octets that TLS has read already make no socket readable.
        if self._tls is None or not self._tls.pending():
            try:
                ready = self._wait(self._incoming, self._deadline - now)
            except TimeoutError:
                limit = self._limit(request.timeout)
                raise TimeoutError(f"nothing came within {limit:g} seconds") from None
            if ready[-1][0] == self._wake:
                self._incoming.unregister(self._wake)
                self._wake = None
                raise requests.Draining
        return self._retry(self.sock.recv, request.most, select.POLLIN, self._deadline)

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
            poll = select.poll()
            poll.register(self.sock, event)
            self._wait(poll, deadline - time.monotonic())

    def _wait(self, poll: select.poll, seconds: float) -> list[tuple[int, int]]:
        self.turn.release()
        try:
            ready = poll.poll(max(0.0, seconds) * 1000)
        finally:
            self.turn.acquire()
        if not ready:
            raise TimeoutError("the time limit ran out")
        return ready

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
    turn = threading.Lock() if link is None else link.turn
    with turn:
        for request in steps:
            try:
                steps.result = _fulfil(request, link, turn)
            except BaseException as raised:  # noqa: BLE001  # it knows what was under way, not this
                steps.error = raised
    return steps.returned


def _fulfil(request: Request, link: Link | None, turn: threading.Lock) -> Any:
    if link is not None:
        if isinstance(request, requests.Receive):
            return link.receive(request)
        if isinstance(request, requests.Send):
            return link.send(request)
        if isinstance(request, requests.StartTLS):
            return link.start_tls(request)
    turn.release()
    try:
        if isinstance(request, requests.Report):
            return host.report(request.error)
        assert isinstance(request, (requests.Call, requests.CallWithContent))
        arguments = request.arguments
        if isinstance(request, requests.CallWithContent):
            assert link is not None
            arguments = (*arguments, _chunks(request.read, link))
        return _at_once(request.function(*arguments))
    finally:
        turn.acquire()


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
