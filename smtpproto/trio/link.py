"""A link that waits with trio, and the runner of conversations over it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import trio

from ..adapters.async_runner import AsyncLink, AsyncRunner
from ..adapters.link_base import READ, WRITE, Waited
from ..adapters.nonblocking_channel import HandshakeSettings
from ..conversations.conversation_steps import Steps

__all__ = ["RUNNER", "Link"]

T = TypeVar("T")


class Link(AsyncLink):
    """A link that waits with trio."""

    __slots__ = ("_waiting",)

    _now = staticmethod(trio.current_time)

    def __init__(
        self, sock: socket.socket, most: float | None, handshake: HandshakeSettings
    ) -> None:
        super().__init__(sock, most, handshake)
        self._waiting = trio.CancelScope()

    def fulfil(self, request: Waited, steps: Steps[Any]) -> Awaitable[None] | None:
        return None if self.expect(request) else self._fulfil(steps)

    async def _fulfil(self, steps: Steps[Any]) -> None:
        # A session that writes much must let others run.  When a busy client has its turn again, it
        # has usually sent more octets: reading takes a third of the time of a wait.
        await trio.lowlevel.checkpoint()
        result = self.attempt()
        while self.events:
            try:
                with trio.CancelScope(deadline=self.deadline) as self._waiting:
                    await _ready(self.sock, self.events)
            except trio.ClosedResourceError as error:
                raise ConnectionError("the link was closed during the wait") from error
            if self._waiting.cancelled_caught and self.deadline <= self._now():
                raise self.late()
            result = self.attempt()
        steps.result = result

    def drain(self) -> None:
        super().drain()
        self._waiting.cancel()

    def abort(self) -> None:
        if self.sock.fileno() >= 0:
            trio.lowlevel.notify_closing(self.sock)
        super().abort()


def _ready(sock: socket.socket, events: int) -> Awaitable[None]:
    """Wait for events of a socket.

    This is not a coroutine, because another frame would take memory in each idle session.

    Raises:
        ClosedResourceError: the socket was closed during the wait.
    """
    if events == READ | WRITE:
        return _readable_or_writable(sock)
    wait = trio.lowlevel.wait_readable if events == READ else trio.lowlevel.wait_writable
    return wait(sock)


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
        # Whether the next wait of this task would be cancelled.
        return trio.current_effective_deadline() <= trio.current_time()

    async def _finish(self, call: Awaitable[T], seconds: float) -> T:
        with trio.move_on_after(seconds, shield=True):
            return await call
        raise self._late(seconds)


RUNNER = _Runner()
