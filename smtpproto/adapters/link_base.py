"""The link of all adapters: a channel that fulfils requests of conversations; no method waits."""

from __future__ import annotations

import socket
from collections.abc import Callable
from math import inf
from typing import Any

from ..conversations.io_requests import BeginTLS, Draining, Receive, Send
from .nonblocking_channel import READS, SLICE, Channel, HandshakeSettings

__all__ = ["READ", "WRITE", "LinkBase", "Waited"]

Waited = Receive | Send | BeginTLS
"""The requests for which a conversation may have to wait until its socket is ready."""

READ, WRITE = 1, 2
"""The events of a socket, as the module `selectors` has them; a client need not load that."""


class LinkBase(Channel):
    """A channel that fulfils requests for its socket; an adapter adds the clock and how to wait.

    `expect` begins a request.  If that does not fulfil it, wait for `events`, if there are any, and
    call `attempt`, until that sets no more `events` and returns the result.  At the `deadline` the
    request fails with `late`.

    Arguments:
        sock: a connected socket.
        most: seconds that no wait may exceed; None: only the conversation's own bounds.
        handshake: how to begin TLS.

    Attributes:
        awaited: the last request.
        events: what to wait for, `READ` or `WRITE` or both; 0 if the request is fulfilled.
        deadline: when the wait is over, on the adapter's clock.
        draining: whether the server is stopping, and the conversation does not know it yet.
    """

    __slots__ = ("_behind", "_progress", "_until", "awaited", "deadline", "draining", "events")

    _now: Callable[[], float]

    def __init__(
        self, sock: socket.socket, most: float | None, handshake: HandshakeSettings
    ) -> None:
        super().__init__(sock, handshake, most)
        self.awaited: Waited = Send(b"", 0.0)
        self.events = 0
        self.deadline = self._until = inf
        # The time by which the peer must accept some of the unsent octets; infinity: not begun.
        self._progress = inf
        # Whether unsent octets have to leave before the time limit of the request begins.
        self._behind = False
        self.draining = False

    def expect(self, request: Waited) -> bool:
        """Begin a request; return whether it is fulfilled already, with the result None.

        Raises:
            OSError: the link broke, or the time is already over.
        """
        before, self.awaited = self.awaited, request
        self.events = 0
        if type(request) is Send:
            self.put(request.data)
            self._write()
            self._behind = bool(self.unsent)
            # After many octets other sessions have their turn.
            return not self.unsent and len(request.data) < SLICE
        self._behind = bool(self.unsent)
        if not self._behind:
            self._begin_limit()
        # The peer takes its time to answer.  But octets or an error may have come behind those that
        # were read last, and some event loops report an error only once.
        answers = type(before) is Send and type(request) is Receive
        if answers and not (self.unsent or self.draining or self.holds_octets()):
            self.events = READ
        return False

    def _begin_limit(self) -> None:
        request, now = self.awaited, self._now()
        if type(request) is Receive:
            self.deadline = self._until = request.deadline(now, self._until, self._most)
            if self.deadline <= now:
                raise self.late()
        else:
            self.deadline = now + self._limit(request.timeout)

    def attempt(self) -> Any:
        """Try to fulfil the request; return its result, and set `events`.

        Raises:
            OSError: the link broke, or the time is over.
            Draining: it would wait for the peer, and the server is stopping.
        """
        request = self.awaited
        if self.unsent:
            self._write()
            if self._behind:
                self.deadline = self._progress
                if not self.unsent:
                    self._behind = False
                    if type(request) is not Send:
                        self._begin_limit()
        if type(request) is Send:
            octets = self.read(READS) if self.unsent and request.reads else None
            self.events = 0
            if self.unsent and octets is None:
                self.events = READ | WRITE if request.reads else WRITE
            return octets
        result = self.read(request.most) if type(request) is Receive else self.shake_hands()
        self.events = 0
        if result is None:
            if self.draining:
                self.draining = False
                raise Draining
            # TLS may have to send something itself.
            self.events = READ | WRITE if self.unsent else READ
        return result

    def _write(self) -> None:
        """Write unsent octets; the time limit begins again when the peer accepts some."""
        accepted = self.push()
        if not self.unsent:
            self._progress = inf
        elif accepted or self._progress == inf:
            self._progress = self._now() + self._limit(self.awaited.timeout)

    def late(self) -> TimeoutError:
        """Return the error of a request whose time is over."""
        request = self.awaited
        if self._behind:
            what = "the peer accepted no octets for"
        elif type(request) is Receive:
            what = "the peer sent nothing for"
        else:
            what = "the TLS handshake did not end within"
        return TimeoutError(f"{what} {self._limit(request.timeout):g} seconds")

    def drain(self) -> None:
        """Let the current or the next wait for the peer end with `Draining`."""
        self.draining = True
