"""The blocking server: a thread for each session."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from typing import TYPE_CHECKING

from ..conversations.service import Admission, Service
from ..session import Protocol, Session
from ..wire import LineEndings
from ._run import LOG, Link, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from .._connection import Observer
    from ..conversations.requests import Flow
    from ..extensions import Extension
    from ..limits import Limits

__all__ = ["Server", "serve"]


def serve(
    handler: object,
    *,
    host: str | None = "127.0.0.1",
    port: int = 0,
    path: str | None = None,
    listeners: Sequence[socket.socket] | None = None,
    hostname: str | None = None,
    extensions: Iterable[Extension] | None = None,
    limits: Limits | None = None,
    protocol: Protocol = Protocol.SMTP,
    line_endings: LineEndings = LineEndings.REFUSE,
    admission: Admission | None = None,
    timeout: float | None = None,
    observer: Callable[[Session], Observer | None] | None = None,
) -> Server:
    """Start a server; it runs in threads of its own until it is stopped.

    Arguments:
        handler: an object with some of the methods of `Handler`; they are called in the thread of
            their session, so several at once.
        host: name or IP address to listen on; None or "" for all.
        port: 0 for any that is free.
        path: a Unix socket to listen on instead.
        listeners: sockets that listen already, instead; they are closed with the server.
        hostname: the server's own domain; None for the host's name.
        extensions: the service extensions to offer; None for `extensions.standard()`.
        limits: bounds on what a client can make it hold or do.
        protocol: SMTP or LMTP.
        line_endings: what happens to a bare CR or LF.
        admission: how many sessions at once, in all and from one address.
        timeout: seconds that no wait may pass; None: what RFC 5321 section 4.5.3.2 asks for.
        observer: called for each session; gives the observer of its transcript, or None.

    Raises:
        OSError: it cannot listen there.
        TypeError: the handler is none.
    """
    service = Service(
        handler,
        hostname=hostname or socket.gethostname(),
        extensions=extensions,
        limits=limits,
        protocol=protocol,
        line_endings=line_endings,
        admission=admission,
        observer=observer,
    )
    return Server(service, listeners or _listen(host, port, path), timeout)


def _listen(host: str | None, port: int, path: str | None) -> list[socket.socket]:
    if path is not None:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(path)
        sock.listen(1024)
        return [sock]
    found = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    listeners = []
    for family, address in dict.fromkeys((entry[0], entry[4]) for entry in found):
        if port == 0 and listeners:
            # All families on the one port that the first got.
            address = (address[0], listeners[0].getsockname()[1], *address[2:])
        listeners.append(
            socket.create_server(
                address[:2],
                family=family,
                backlog=1024,
                reuse_port=False,
            )
        )
    return listeners


class Server:
    """A running server; made by `serve`, usable as a context manager that stops it."""

    def __init__(
        self, service: Service, listeners: Sequence[socket.socket], timeout: float | None
    ) -> None:
        self._service = service
        self._listeners = listeners
        self._timeout = timeout
        # Readable from the moment when the server is to stop, for everybody who waits.
        self._wake, self._alarm = os.pipe()
        self._lock = threading.Lock()
        self._threads: dict[threading.Thread, Link] = {}
        self._stopped = threading.Event()
        self._accepting = threading.Thread(target=self._accept, name="smtpproto-accept")
        self._accepting.start()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens: host and port, of a Unix socket its path and 0."""
        names = [listener.getsockname() for listener in self._listeners]
        return [(name, 0) if isinstance(name, str) else name[:2] for name in names]

    @property
    def port(self) -> int:
        """The port of the first listener."""
        return self.addresses[0][1]

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the server has stopped; whether it has."""
        return self._stopped.wait(timeout)

    def stop(self, timeout: float = 30.0) -> None:
        """Stop: accept nobody, say 421 to the idle, let running transactions finish.

        Arguments:
            timeout: seconds after which the sessions that are left are cut off.
        """
        with self._lock:
            if self._alarm >= 0:
                os.close(self._alarm)
                self._alarm = -1
        self._accepting.join()
        deadline = time.monotonic() + timeout
        for thread in self._running():
            thread.join(max(0.0, deadline - time.monotonic()))
        for thread, link in self._running().items():
            link.abort()
            thread.join()
        if not self._stopped.is_set():
            os.close(self._wake)
            self._stopped.set()

    def _running(self) -> dict[threading.Thread, Link]:
        with self._lock:
            return dict(self._threads)

    def _accept(self) -> None:
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        by_number = {listener.fileno(): listener for listener in self._listeners}
        for listener in self._listeners:
            listener.setblocking(False)
            poll.register(listener, select.POLLIN)
        while True:
            ready = [number for number, _ in poll.poll()]
            if self._wake in ready:
                break
            for number in ready:
                self._accept_one(by_number[number])
        for listener in self._listeners:
            listener.close()

    def _accept_one(self, listener: socket.socket) -> None:
        try:
            sock, address = listener.accept()
        except OSError as error:
            # The peer is gone already, or there are no file numbers left for a moment.
            if not isinstance(error, (BlockingIOError, ConnectionError)):
                LOG.warning("accepting failed: %s", error)
                time.sleep(0.05)
            return
        session = Session(peer=address[0] if isinstance(address, tuple) else "")
        with self._lock:
            flow = self._service.open(session)
        link = Link(sock, most=self._timeout, wake=self._wake)
        if flow is None:
            link.refuse(self._service.busy())
            return
        thread = threading.Thread(target=self._serve, args=(flow, link, session))
        with self._lock:
            self._threads[thread] = link
        thread.start()

    def _serve(self, flow: Flow[None], link: Link, session: Session) -> None:
        try:
            run(flow, link)
        except Exception:
            LOG.exception("a session failed")
        finally:
            link.close()
            with self._lock:
                self._service.close(session)
                del self._threads[threading.current_thread()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
