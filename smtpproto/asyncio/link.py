"""A link that waits with asyncio, and the runner of conversations over it."""

from __future__ import annotations

import asyncio
import contextvars
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from ..adapters.async_link import AsyncLink, HandedSteps
from ..adapters.async_runner import AsyncRunner
from ..adapters.nonblocking_channel import RECORDS, HandshakeSettings
from ..conversations.conversation_steps import Steps
from ..conversations.io_requests import Receive

__all__ = ["RUNNER", "Link", "made_in_thread"]

T = TypeVar("T")


class Link(AsyncLink):
    """A link that waits with an event loop of asyncio, of the standard library or another.

    The event loop watches the socket for the whole session, because each change takes a system
    call.  The link reads octets as soon as they arrive, so the loop does not report the socket
    again before the task runs.  It keeps them until the task takes them, even if a wait is
    cancelled.
    """

    def __init__(
        self, sock: socket.socket, most: float | None, handshake: HandshakeSettings
    ) -> None:
        super().__init__(sock, most, handshake)
        self._loop = asyncio.get_running_loop()
        # The loop gets the file number, because some loops prevent a watched socket from closing.
        self._number = sock.fileno()
        self._arrived: bytes | None = None
        # The number of the error that followed these octets; 0: there is none.
        self._broken = 0
        self._most_octets = 0
        # Whether the loop watches the socket for reading and writing.
        self._reads = self._writes = False
        # The current wait of the task, or the last one.
        self._waiter: asyncio.Future[bool] = self._loop.create_future()
        self._waiter.cancel()
        self._deadline = 0.0
        # The conversation that `_readable` continues, and its request.
        self._steps: HandedSteps[Any] | None = None
        self._request: Receive | None = None
        # That of the task: a client's observer is called within its conversation.
        self._context: contextvars.Context | None = None
        self._timer: asyncio.TimerHandle | None = None

    def _now(self) -> float:
        return self._loop.time()

    async def _let_others_go_on(self) -> None:
        await asyncio.sleep(0)

    def _may_have_octets(self) -> bool:
        # TLS may hold decrypted octets, which do not make the socket readable.
        return self._arrived is not None or self.secure

    # --- the conversation, continued without its task -----------------------------------------

    async def receive(self, request: Receive, steps: Steps[Any]) -> bytes | None:
        if self.secure or self.unsent or self._arrived is not None:
            return await super().receive(request, steps)
        assert isinstance(steps, HandedSteps)
        self._until = request.deadline(self._loop.time(), self._until, self._most)
        self._request, self._steps = request, steps
        self._context = contextvars.copy_context()
        try:
            if not await self._hear(self._until, request.most):
                raise self._silence(self._request)
        finally:
            self._steps = self._context = None
        # The conversation already has the octets, and waits for something else.
        return None

    def _go_on(self, octets: bytes) -> None:
        """Continue the conversation; wake its task if it needs more than octets.

        Waking the task each time would take a turn of the loop, and a fifth of a server's time.
        """
        assert self._steps is not None
        assert self._context is not None
        request = self._context.run(self.take_steps, self._steps, octets)
        if request is not None and not self._broken:
            self._request, self._most_octets = request, request.most
            self._set_deadline(self._until)
            return
        self._steps.handed = self._steps.handed or request
        if not self._waiter.done():  # an observer may have cancelled the task
            self._waiter.set_result(True)

    # --- octets that the loop has read ----------------------------------------------------------

    def _take(self, most: int) -> bytes | None:
        if self._arrived is None:
            return super()._take(most)
        octets, rest = self._arrived[:most], self._arrived[most:]
        self._arrived = rest or None
        return octets

    def has_input(self) -> bool:
        return bool(self._arrived) or super().has_input()

    # --- waiting ------------------------------------------------------------------------------

    def _wait(self, until: float, *, read: int, write: bool) -> asyncio.Future[bool]:
        if self._number < 0:
            raise ConnectionAbortedError("the link was closed")
        if self._broken:
            raise OSError(self._broken, os.strerror(self._broken))
        self._waiter = waiter = self._loop.create_future()
        if until <= self._loop.time():
            waiter.set_result(False)
            return waiter
        self._most_octets = RECORDS if read and self.secure else read
        # After a wait the loop still watches the socket.
        if read and not self._reads:
            self._loop.add_reader(self._number, self._readable)
            self._reads = True
        if write and not self._writes:
            self._loop.add_writer(self._number, self._writable)
            self._writes = True
        self._set_deadline(until)
        return waiter

    def _readable(self) -> None:
        if self._waiter.done() or not self._most_octets:
            # The task does not wait for octets, for example because a handler runs.
            self._reads = False
            self._loop.remove_reader(self._number)
            return
        try:
            octets = self.sock.recv(self._most_octets)
            # Check now, because uvloop reports a socket with an error only once.
            self._broken = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        except BlockingIOError:
            return
        except Exception as error:  # noqa: BLE001  # the conversation handles it
            self._waiter.set_exception(error)
        else:
            if self._steps is not None:
                self._go_on(octets)
            else:
                self._arrived = octets
                self._waiter.set_result(True)

    def _writable(self) -> None:
        # Stop watching: the socket is nearly always writable, and waits for it are rare.
        self._writes = False
        self._loop.remove_writer(self._number)
        if not self._waiter.done() and self._steps is None:
            self._waiter.set_result(True)

    # --- deadlines ----------------------------------------------------------------------------

    def _set_deadline(self, until: float) -> None:
        self._deadline = until
        # An earlier timer stays, and sets a new one when it runs out.  So most waits set none.
        if self._timer is None or until < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(until, self._look_at_the_clock)

    def _look_at_the_clock(self) -> None:
        self._timer = None
        if not self._waiter.done():
            if self._loop.time() < self._deadline:
                self._set_deadline(self._deadline)
            else:
                self._wake()

    def _wake(self) -> None:
        if not self._waiter.done():
            self._waiter.set_result(False)

    # --- the end ------------------------------------------------------------------------------

    def abort(self) -> None:
        if self._number < 0:
            return
        if self._reads:
            self._loop.remove_reader(self._number)
        if self._writes:
            self._loop.remove_writer(self._number)
        self._number = -1
        self._arrived = None
        super().abort()
        if self._timer is not None:
            self._timer.cancel()
        if not self._waiter.done():
            error = ConnectionAbortedError("the link was closed during the wait")
            self._waiter.set_exception(error)
        # The error in it refers to tasks that refer to this link.
        self._waiter = self._loop.create_future()


class _Runner(AsyncRunner):
    """Runs conversations in asyncio's tasks.

    Asyncio raises a cancellation only once, so the runner raises it again after the conversation.
    """

    interrupts = (KeyboardInterrupt, asyncio.CancelledError)
    _steps = HandedSteps

    def _is_cancelled(self, raised: BaseException) -> bool:
        return isinstance(raised, asyncio.CancelledError)

    async def _finish(self, call: Awaitable[T], seconds: float) -> T:
        calling = asyncio.ensure_future(call)
        try:
            await asyncio.wait([calling], timeout=seconds)
            if calling.done():
                return calling.result()
            calling.cancel()
            await asyncio.wait([calling], timeout=seconds)
        finally:
            calling.cancel()
        raise self._late(seconds)


RUNNER = _Runner()


async def made_in_thread(make: Callable[[], T], close: Callable[[T], object]) -> T:
    """Call a function in a thread, and return its result; close the result after a cancellation."""

    def close_it(made: asyncio.Future[T]) -> None:
        if not made.cancelled() and made.exception() is None:
            close(made.result())

    making = asyncio.get_running_loop().run_in_executor(None, make)
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        making.add_done_callback(close_it)
        raise
