"""A link that waits with trio, and the runner of conversations over it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from ..adapters.async_link import AsyncLink
from ..adapters.async_runner import AsyncRunner
from ..adapters.nonblocking_channel import HandshakeSettings

__all__ = ["RUNNER", "Link", "is_cancelled", "run"]

T = TypeVar("T")


class Link(AsyncLink):
    """A link that waits with trio."""

    __slots__ = ("_waiting",)

    def __init__(
        self, sock: socket.socket, most: float | None, handshake: HandshakeSettings
    ) -> None:
        super().__init__(sock, most, handshake)
        self._waiting = trio.CancelScope()

    def _now(self) -> float:
        return trio.current_time()

    async def _let_others_go_on(self) -> None:
        await trio.lowlevel.checkpoint()

    def _may_have_octets(self) -> bool:
        # When this task runs again, a busy client has usually sent more octets.  Reading takes a
        # third of the time of a wait with a deadline.
        return True

    async def _wait(self, until: float, *, read: int, write: bool) -> bool:
        with trio.CancelScope(deadline=until) as self._waiting:
            try:
                await _ready(self.sock, read=read > 0, write=write)
            except trio.ClosedResourceError as error:
                raise ConnectionError("the link was closed during the wait") from error
            return True
        return False

    def _wake(self) -> None:
        self._waiting.cancel()

    def abort(self) -> None:
        if self.sock.fileno() >= 0:
            trio.lowlevel.notify_closing(self.sock)
        super().abort()


def _ready(sock: socket.socket, *, read: bool, write: bool) -> Awaitable[None]:
    """Wait until the socket is readable or writable, as asked.

    This is not a coroutine, because another frame would take memory in each idle session.

    Raises:
        ClosedResourceError: the socket was closed during the wait.
    """
    if read and write:
        return _readable_or_writable(sock)
    return (trio.lowlevel.wait_readable if read else trio.lowlevel.wait_writable)(sock)


async def _readable_or_writable(sock: socket.socket) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_first, trio.lowlevel.wait_writable, sock, nursery.cancel_scope)
        await _first(trio.lowlevel.wait_readable, sock, nursery.cancel_scope)


async def _first(
    wait: Callable[[socket.socket], Awaitable[None]], sock: socket.socket, others: trio.CancelScope
) -> None:
    # A socket closed during the wait fails at its next use.
    with contextlib.suppress(trio.ClosedResourceError):
        await wait(sock)
    others.cancel()


class _Runner(AsyncRunner):
    """Runs conversations in trio's tasks.

    Trio raises KeyboardInterrupt in the task that runs when the user presses Ctrl-C.
    """

    interrupts = (KeyboardInterrupt, trio.Cancelled)

    def _is_cancelled(self, raised: BaseException) -> bool:
        return is_cancelled()

    async def _finish(self, call: Awaitable[T], seconds: float) -> T:
        with trio.move_on_after(seconds, shield=True):
            return await call
        raise self._late(seconds)


RUNNER = _Runner()
run = RUNNER.run


def is_cancelled() -> bool:
    """Return whether the next wait of this task would be cancelled."""
    return trio.current_effective_deadline() <= trio.current_time()
