"""The blocking server: a thread for each session."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from .. import host
from ..options import Arrival, Listening, Running, ServeOptions, listening
from ._run import Link, run

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Server", "serve"]


def serve(handler: object, **options: Unpack[ServeOptions]) -> Server:
    """Start a server; it runs in threads of its own until it is stopped.

    Handler, options and errors: see `smtpproto.options.ServeOptions`.
    """
    return Server(listening(handler, options))


class Server(Running, AbstractContextManager["Server"]):
    """A running server; made by `serve`, usable as a context manager that stops it."""

    def __init__(self, listening: Listening) -> None:
        super().__init__(listening)
        # Readable from the moment when the server is to stop, for everybody who waits.
        self._wake, self._alarm = os.pipe()
        # Held for all that follows, and for `listening`.
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._links: dict[threading.Thread, Link] = {}
        self._stopped = threading.Event()
        self._accepting = threading.Thread(target=self._accept_all, name="smtpproto-accept")
        self._accepting.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait, seconds at most, until the server has stopped; whether it has."""
        return self._stopped.wait(timeout)

    def stop(self, timeout: float | None = None) -> None:
        """Stop, and wait until that is done: see `Running`."""
        deadline = time.monotonic() + (self._listening.grace if timeout is None else timeout)
        with self._lock:
            if self._alarm >= 0:
                os.close(self._alarm)
                self._alarm = -1
        self._accepting.join()
        for thread in self._sessions():
            while thread.is_alive() and (left := deadline - time.monotonic()) > 0:
                # A signal that comes just before a wait is handled only after it.
                thread.join(min(left, 1.0))
        for thread, link in self._sessions().items():
            link.cut()
            thread.join()
        with self._lock:
            if not self._stopped.is_set():
                os.close(self._wake)
                self._stopped.set()

    def _sessions(self) -> dict[threading.Thread, Link]:
        with self._lock:
            return dict(self._links)

    def _accept_all(self) -> None:
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        listeners = {listener.fileno(): listener for listener in self._listening.listeners}
        for number in listeners:
            poll.register(number, select.POLLIN)
        while self._wake not in (ready := [number for number, _ in poll.poll()]):
            for number in ready:
                try:
                    self._accept(listeners[number])
                except host.Overloaded:
                    time.sleep(host.PAUSE)
        self._listening.close()

    def _accept(self, listener: socket.socket) -> None:
        with self._lock:
            arrival = self._listening.accept(listener)
        if arrival is None:
            return
        settings = self._listening
        link = Link(arrival.sock, settings.timeout, settings.handshake, self._wake, self._turn)
        thread = threading.Thread(target=self._serve, args=(arrival, link))
        with self._lock:
            self._links[thread] = link
        try:
            thread.start()
        except RuntimeError as error:
            # No room for a thread: as if there were none for the connection.
            self._leave(thread, arrival, link)
            raise host.Overloaded from error

    def _serve(self, arrival: Arrival, link: Link) -> None:
        try:
            run(arrival.flow, link)
        except Exception:  # noqa: BLE001  # a defect: whatever it is, the server goes on
            host.LOG.exception("a session failed")
        finally:
            self._leave(threading.current_thread(), arrival, link)

    def _leave(self, thread: threading.Thread, arrival: Arrival, link: Link) -> None:
        link.close()
        with self._lock:
            self._listening.leave(arrival.session)
            del self._links[thread]

    def __exit__(self, *_: object) -> None:
        self.stop()
