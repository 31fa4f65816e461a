"""The link of the adapters that can await: a channel with deadlines."""

from __future__ import annotations

import socket
from collections.abc import Awaitable
from typing import Any, TypeVar

from ..conversations import io_requests
from ..conversations.conversation_steps import Steps
from ..vocabulary.session_facts import TLSFacts
from .nonblocking_channel import READS, SLICE, Channel, HandshakeSettings

__all__ = ["AsyncLink", "HandedSteps"]

T = TypeVar("T")


class HandedSteps(Steps[T]):
    """The steps of a conversation.  Its link takes some of them, the runner takes the others.

    Attributes:
        handed: a request that the link has not fulfilled; the runner's next step.
        ended: the exception by which the conversation ended in a step of the link.
    """

    __slots__ = ("ended", "handed")

    def __init__(self, flow: io_requests.Flow[T]) -> None:
        super().__init__(flow)
        self.handed: io_requests.Request | None = None
        self.ended: BaseException | None = None

    def __next__(self) -> io_requests.Request:
        ended, self.ended = self.ended, None
        if ended is not None:
            try:
                raise ended
            finally:
                # The error refers to this frame, and to that of `take_steps`: a reference back
                # would keep the link in memory until the garbage collector runs.
                del ended
        handed, self.handed = self.handed, None
        # An error, such as a cancellation, takes the place of the request's result.
        return super().__next__() if handed is None or self.error is not None else handed


class AsyncLink(Channel):
    """A channel with deadlines; an adapter adds how to wait, and ends a wait in `abort`.

    It uses the socket directly.  A stream of the adapter's library would take more memory for each
    idle session, and one turn of the scheduler for each write.
    """

    __slots__ = ("_awaits_peer", "_draining", "_progress", "_until")

    def __init__(
        self, sock: socket.socket, most: float | None, handshake: HandshakeSettings
    ) -> None:
        super().__init__(sock, handshake, most)
        self._until = 0.0
        # The time by which the peer must accept some of the unsent octets.
        self._progress = 0.0
        self._draining = False
        # Whether it waits for octets from the peer; `drain` ends such a wait.
        self._awaits_peer = False

    # --- what an adapter adds -----------------------------------------------------------------

    def _now(self) -> float:
        """Return the time, on the adapter's clock."""
        raise NotImplementedError

    async def _let_others_go_on(self) -> None:
        """Let other tasks run."""
        raise NotImplementedError

    def _may_have_octets(self) -> bool:
        """Return whether to try reading before a wait."""
        raise NotImplementedError

    def _wait(self, until: float, *, read: int, write: bool) -> Awaitable[bool]:
        """Wait until the socket is ready; return False if the time is over, or after `_wake`.

        Arguments:
            until: when the time is over, on the adapter's clock.
            read: the most octets that will be read; 0: do not wait for octets.
            write: whether to wait until the socket accepts octets.

        Raises:
            OSError: the link was closed during the wait.
        """
        raise NotImplementedError

    def _wake(self) -> None:
        """End the running `_wait`."""
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
        if not self.unsent and len(request.data) < SLICE:
            return None
        if begins:
            self._progress = self._now() + self._limit(request.timeout)
        return self._send(request)

    async def _send(self, request: io_requests.Send) -> bytes | None:
        # A session usually waits after a reply.  One that writes much must let others run.
        await self._let_others_go_on()
        return await self._finish(request, READS if request.reads else 0)

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
                raise TimeoutError(f"the peer accepted no octets for {seconds:g} seconds")

    async def receive(self, request: io_requests.Receive, steps: Steps[Any]) -> bytes | None:
        """Return some octets; `b""` at the end.  A wait that is not fresh keeps its deadline.

        Arguments:
            request: the request.
            steps: the conversation, for an adapter that uses `take_steps`.
        """
        most = request.most
        if self.unsent and (octets := await self._finish(request, most)) is not None:
            return octets
        now = self._now()
        self._until = request.deadline(now, self._until, self._most)
        octets = None
        if now < self._until and not self._draining and self._may_have_octets():
            await self._let_others_go_on()
            octets = self.read(most)
        while octets is None:
            if not await self._hear(self._until, most):
                raise self._silence(request)
            self.push()
            octets = self.read(most)
        return octets

    def take_steps(self, steps: HandedSteps[Any], octets: bytes) -> io_requests.Receive | None:
        """Continue a conversation while it only exchanges octets and need not wait.

        Arguments:
            steps: the conversation; it waits for octets.
            octets: octets that have arrived.

        Returns:
            The next request for octets, with `_until` as its deadline.  None: the conversation
            needs something else, or has ended; the runner continues with `steps`.
        """
        steps.result = octets
        while True:
            try:
                # None was handed over, so the check for one can be left out.
                request = Steps.__next__(steps)
            except BaseException as error:  # noqa: BLE001  # the runner raises it
                steps.ended = error
                return None
            if type(request) is io_requests.Receive and not self._draining:
                now = self._now()
                self._until = request.deadline(now, self._until, self._most)
                if now < self._until:
                    return request
            elif type(request) is io_requests.Send and len(request.data) < SLICE:
                try:
                    self.put(request.data)
                    self.push()
                except Exception as error:  # noqa: BLE001  # the conversation handles it
                    steps.error = error
                    continue
                if not self.unsent:
                    continue
                self._progress = self._now() + self._limit(request.timeout)
                request = io_requests.Send(b"", request.timeout, request.reads)
            steps.handed = request
            return None

    async def start_tls(self, request: io_requests.BeginTLS) -> TLSFacts:
        """Do the TLS handshake."""
        until = self._now() + self._limit(request.timeout)
        while (facts := self.shake_hands()) is None:
            if not await self._hear(until, READS):
                raise self._silence(request)
            self.push()
        return facts

    async def _hear(self, until: float, most: int) -> bool:
        """Wait for octets; return False if none came in time, or the server is stopping."""
        if self._draining:
            return False
        self._awaits_peer = True
        try:
            # TLS may have to send something itself.
            return await self._wait(until, read=most, write=bool(self.unsent))
        finally:
            self._awaits_peer = False

    def _silence(self, request: io_requests.Receive | io_requests.BeginTLS) -> Exception:
        """Return the error for a conversation whose peer sent nothing."""
        if self._draining:
            self._draining = False
            return io_requests.Draining()
        if isinstance(request, io_requests.BeginTLS):
            return TimeoutError("the time limit ran out")
        return TimeoutError(f"the peer sent nothing for {self._limit(request.timeout):g} seconds")

    # --- the end ------------------------------------------------------------------------------

    def drain(self) -> None:
        """End the current or the next wait for octets or a handshake with `Draining`."""
        self._draining = True
        if self._awaits_peer:
            self._wake()
