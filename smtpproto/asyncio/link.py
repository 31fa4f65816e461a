"""The link of asyncio, which waits with the event loop, and what runs a conversation over it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ..adapters import tls_contexts
from ..adapters.async_link import AsyncLink
from ..adapters.async_runner import AsyncRunner

__all__ = ["RUNNER", "Link", "made_in_thread", "run"]

T = TypeVar("T")

# Octets of TLS records to read at once: more than one record of maximum size.
_RECORDS = 32768


class Link(AsyncLink):
    """A link that waits with an event loop of asyncio, of the standard library or another.

    The loop watches the socket for all of the session, because to begin and to end that takes
    system calls.  It reads as soon as octets arrive, so that the socket is not ready in the turns
    until the task runs; the octets stay here until the task takes them, even if it is cancelled.
    """

    __slots__ = (
        "_arrived",
        "_broken",
        "_deadline",
        "_loop",
        "_most_octets",
        "_number",
        "_reads",
        "_timer",
        "_waiter",
        "_writes",
    )

    def __init__(
        self, sock: socket.socket, most: float | None, handshake: tls_contexts.HandshakeSettings
    ) -> None:
        super().__init__(sock, most, handshake)
        self._loop = asyncio.get_running_loop()
        # A file, not a socket: some loops keep a socket that they watch from being closed.
        self._number = sock.fileno()
        self._arrived: bytes | None = None
        # The number of the error that came behind these octets.
        self._broken = 0
        self._most_octets = 0
        # What the loop watches the socket for.
        self._reads = self._writes = False
        # What the task waits for, or has waited for.
        self._waiter: asyncio.Future[bool] = self._loop.create_future()
        self._waiter.cancel()
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def _now(self) -> float:
        return self._loop.time()

    async def _let_others_go_on(self) -> None:
        await asyncio.sleep(0)

    def _look(self, most: int) -> Awaitable[bytes | None] | None:
        # What TLS has decrypted already makes no socket readable.
        at_hand = self._arrived is not None or self.secure
        return self._read_soon(most) if at_hand else None

    async def _read_soon(self, most: int) -> bytes | None:
        await asyncio.sleep(0)
        return self.read(most)

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
        self._most_octets = _RECORDS if read and self.secure else read
        # The loop goes on to watch the socket when a wait is over.
        if read and not self._reads:
            self._loop.add_reader(self._number, self._readable)
            self._reads = True
        if write and not self._writes:
            self._loop.add_writer(self._number, self._writable)
            self._writes = True
        self._deadline = until
        if self._timer is None or until < self._timer.when():
            self._set_timer()
        return waiter

    def _readable(self) -> None:
        if self._waiter.done() or not self._most_octets:
            # The task does something else: a handler has to return first.
            self._reads = False
            self._loop.remove_reader(self._number)
            return
        try:
            self._arrived = self.sock.recv(self._most_octets)
            # After an error uvloop tells of the socket once, and never again.
            self._broken = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        except BlockingIOError:
            return
        except OSError as error:
            self._waiter.set_exception(error)
        else:
            self._waiter.set_result(True)

    def _writable(self) -> None:
        # Nearly always it is: a wait for this is rare.
        self._writes = False
        self._loop.remove_writer(self._number)
        if not self._waiter.done():
            self._waiter.set_result(True)

    # --- deadlines ----------------------------------------------------------------------------

    def _set_timer(self) -> None:
        # A timer that is too early is set again when it runs out.  So most waits set none.
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._deadline, self._look_at_the_clock)

    def _look_at_the_clock(self) -> None:
        self._timer = None
        if not self._waiter.done():
            if self._loop.time() < self._deadline:
                self._set_timer()
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
        self.sock.close()
        if self._timer is not None:
            self._timer.cancel()
        if not self._waiter.done():
            self._waiter.set_exception(ConnectionAbortedError("the link was closed meanwhile"))


class _Runner(AsyncRunner):
    """Runs conversations in asyncio's tasks.

    A cancellation is raised once only, so a conversation that goes on after it hides it.
    """

    interrupts = (KeyboardInterrupt, asyncio.CancelledError)

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
        raise TimeoutError(
            f"the session was cancelled, and the call took more than {seconds:g} seconds"
        )


RUNNER = _Runner()
run = RUNNER.run


async def made_in_thread(make: Callable[[], T], close: Callable[[T], object]) -> T:
    """Return what a function makes in a thread; close it if the caller was cancelled meanwhile."""

    def close_it(made: asyncio.Future[T]) -> None:
        if not made.cancelled() and made.exception() is None:
            close(made.result())

    making = asyncio.get_running_loop().run_in_executor(None, make)
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        making.add_done_callback(close_it)
        raise
