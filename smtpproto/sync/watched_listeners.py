"""The listening sockets of the blocking server in its selector loop."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from math import inf

from ..adapters import sockets
from ..adapters.listening import Arrival, Listening

__all__ = ["WatchedListeners"]


class WatchedListeners:
    """Listening sockets that a selector watches, except during a pause.

    Arguments:
        listening: the server.
        selector: the selector of the server's loop.

    Attributes:
        resume_at: when a pause ends, on the clock `time.monotonic`; infinity if none ends.
    """

    def __init__(self, listening: Listening, selector: selectors.BaseSelector) -> None:
        self._listening = listening
        self._selector = selector
        self._sockets = set(listening.listeners)
        self.resume_at = inf

    def watch(self) -> None:
        """Begin to listen, or end a pause."""
        self.resume_at = inf
        for listener in list(self._sockets):
            try:
                self._selector.register(listener, selectors.EVENT_READ, listener)
            except (OSError, ValueError) as error:
                self._remove(listener, error)

    def pause(self, seconds: float) -> None:
        """Stop listening for some seconds."""
        for listener in self._sockets:
            self._unregister(listener)
        self.resume_at = time.monotonic() + seconds

    def accept(self, listener: socket.socket, begin: Callable[[Arrival], None]) -> None:
        """Accept the clients that wait at a listener; pause if that fails.

        Arguments:
            listener: the socket that the selector found ready.
            begin: begins a session.
        """
        try:
            if not self._listening.accept_all(listener, begin):
                self.pause(sockets.PAUSE)
        except sockets.NotListening as error:
            self._remove(listener, error)

    def _unregister(self, listener: socket.socket) -> None:
        # A paused socket is not registered, and the selector does not find a closed one.
        with suppress(KeyError, ValueError):
            self._selector.unregister(listener)

    def _remove(self, listener: socket.socket, error: Exception) -> None:
        """Continue without a broken listener; the selector would report it without end."""
        sockets.log_not_listening(error)
        self._unregister(listener)
        self._sockets.remove(listener)
