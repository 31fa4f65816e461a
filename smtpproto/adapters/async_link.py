"""The link of the adapters that can await: a channel with deadlines."""

from __future__ import annotations

import socket
from collections.abc import Awaitable

from ..conversations import io_requests
from ..vocabulary.session_facts import TLSFacts
from . import tls_contexts
from .nonblocking_channel import Channel

__all__ = ["AsyncLink"]

_SLICE = 2048  # octets to write before other sessions may go on
_READS = 65536  # most octets to read while there is something to write


class AsyncLink(Channel):
    """A channel with deadlines; an adapter adds how to wait for its socket.

    It uses the socket directly.  A stream of the adapter's library would take more memory for each
    idle session, and one turn of the scheduler for each write.

    Arguments:
        sock: a connected socket.
        most: seconds that no wait may exceed; None: only the conversation's own bounds.
        handshake: how to begin TLS.
    """

    __slots__ = ("_awaits_peer", "_draining", "_most", "_progress", "_until")

    def __init__(
        self, sock: socket.socket, most: float | None, handshake: tls_contexts.HandshakeSettings
    ) -> None:
        super().__init__(sock, handshake)
        self._most = most
        self._until = 0.0
        # The time by which the peer must accept some of the unsent octets.
        self._progress = 0.0
        self._draining = False
        # Whether it waits for the peer to speak first: draining ends such a wait.
        self._awaits_peer = False

    # --- what an adapter adds -----------------------------------------------------------------

    def _now(self) -> float:
        """Return the time, on the adapter's clock."""
        raise NotImplementedError

    async def _let_others_go_on(self) -> None:
        """Let other tasks run."""
        raise NotImplementedError

    def _look(self, most: int) -> Awaitable[bytes | None] | None:
        """Return what `read` does, to await, if the octets are probably there; otherwise None."""
        raise NotImplementedError

    def _wait(self, until: float, *, read: int, write: bool) -> Awaitable[bool]:
        """Wait until the socket is ready; return False if the time is over, or after `_wake`.

        Arguments:
            until: when the time is over, on the adapter's clock.
            read: the most octets that will be read; 0: not to wait for them.
            write: whether to wait until the socket accepts octets.

        Raises:
            OSError: the link was closed meanwhile.
        """
        raise NotImplementedError

    def _wake(self) -> None:
        """End the running `_wait`."""
        raise NotImplementedError

    def abort(self) -> None:
        """Close at once; a wait ends with an error."""
        raise NotImplementedError

    # --- requests -----------------------------------------------------------------------------

    def send(self, request: io_requests.Send) -> Awaitable[bytes | None] | None:
        """Write all octets; or return what the peer sends first, if the request `reads`.

        Raises:
            TimeoutError: the peer accepted no octets within the request's timeout.
        """
        begins = not self.unsent
        self.put(request.data)
        self.push()
        if not self.unsent and len(request.data) < _SLICE:
            return None
        if begins:
            self._progress = self._now() + self._limit(request.timeout)
        return self._send(request)

    async def _send(self, request: io_requests.Send) -> bytes | None:
        # After a reply the session waits; one that writes much without waiting must let others go
        # on.
        await self._let_others_go_on()
        return await self._finish(request, _READS if request.reads else 0)

    async def _finish(
        self, request: io_requests.Send | io_requests.Receive, reads: int
    ) -> bytes | None:
        """Write the unsent octets; or return what the peer sends first, if it `reads` any."""
        seconds = self._limit(request.timeout)
        while True:
            if self.push():
                self._progress = self._now() + seconds
            if not self.unsent:
                return None
            if reads and (octets := self.read(reads)) is not None:
                return octets
            if not await self._wait(self._progress, read=reads, write=True):
                raise TimeoutError(f"the peer took no octets for {seconds:g} seconds")

    async def receive(self, request: io_requests.Receive) -> bytes:
        """Return some octets; `b""` at the end.  A wait that is not fresh keeps its deadline."""
        most = request.most
        if self.unsent and (octets := await self._finish(request, most)) is not None:
            return octets
        now = self._now()
        self._until = request.deadline(now, self._until, self._most)
        octets = None
        if now < self._until and not self._draining and (look := self._look(most)) is not None:
            octets = await look
        while octets is None:
            late = f"nothing came within {self._limit(request.timeout):g} seconds"
            await self._hear(self._until, most, late)
            octets = self.read(most)
        return octets

    async def start_tls(self, request: io_requests.BeginTLS) -> TLSFacts:
        """Do the TLS handshake."""
        until = self._now() + self._limit(request.timeout)
        while (facts := self.shake_hands()) is None:
            await self._hear(until, _READS, "the time limit ran out")
        return facts

    async def _hear(self, until: float, most: int, late: str) -> None:
        """Wait for octets.

        Raises:
            TimeoutError: none came in time; `late` is its text.
            Draining: the server shall stop.
        """
        if not self._draining:
            self._awaits_peer = True
            try:
                # TLS may have to send something itself.
                ready = await self._wait(until, read=most, write=bool(self.unsent))
            finally:
                self._awaits_peer = False
            if ready:
                if self.unsent:
                    self.push()
                return
        if not self._draining:
            raise TimeoutError(late)
        self._draining = False
        raise io_requests.Draining

    def _limit(self, timeout: float) -> float:
        return timeout if self._most is None else min(timeout, self._most)

    # --- the end ------------------------------------------------------------------------------

    def drain(self) -> None:
        """End the current or the next wait for octets or a handshake with `Draining`."""
        self._draining = True
        if self._awaits_peer:
            self._wake()

    def close(self) -> None:
        """Close, and close TLS first, without waiting for the peer's close."""
        try:
            self.say_goodbye()
        finally:
            self.abort()
