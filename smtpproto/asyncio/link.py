"""A link that waits with asyncio, and the runner of conversations over it."""

from __future__ import annotations

import asyncio
import contextvars
import socket
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from math import inf
from typing import Any, NoReturn, TypeVar

from ..adapters import host
from ..adapters.async_runner import AsyncLink, AsyncRunner, Following
from ..adapters.link_base import READ, WRITE, Waited
from ..adapters.nonblocking_channel import HandshakeSettings
from ..conversations.conversation_steps import Steps
from ..conversations.io_requests import Flow, Receive, Send

__all__ = ["RUNNER", "Link", "in_thread"]

T = TypeVar("T")


class Link(AsyncLink):
    """A link that waits with an event loop of asyncio, of the standard library or another.

    While a conversation needs only its socket, the event loop calls the link, which continues the
    conversation.  To wake the task each time would take another turn of the loop, and a fifth of a
    server's time.  The loop watches the socket for the whole session, because each change takes a
    system call.
    """

    def __init__(
        self, sock: socket.socket, most: float | None, handshake: HandshakeSettings
    ) -> None:
        super().__init__(sock, most, handshake)
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        # The loop gets the file number, because some loops prevent a watched socket from closing.
        self._number = sock.fileno()
        # The events that the loop watches for.
        self._watched = 0
        # When the loop will call `_look_at_the_clock`.
        self._due = inf
        self._timer: asyncio.Handle | None = None
        # The wait of the task; its conversation and context, which an observer may use.
        self._waiter: asyncio.Future[Following | None] | None = None
        self._steps: Steps[Any]
        self._context: contextvars.Context

    def fulfil(self, request: Waited, steps: Steps[Any]) -> Awaitable[Following | None] | None:
        self._steps = steps
        if self._begin(request):
            return None
        self._context = contextvars.copy_context()
        self._waiter = self._loop.create_future()
        return self._waiter

    # --- the conversation -----------------------------------------------------------------------

    def _begin(self, request: Waited) -> bool:
        """Begin a request; return whether it is fulfilled already."""
        if self._number < 0:
            raise ConnectionAbortedError("the link was closed")
        if self.expect(request):
            return True
        self._wait()
        return False

    def _look(self) -> None:
        """Try to fulfil the request; then continue the conversation, or wake its task."""
        waiter = self._waiter
        if waiter is None or waiter.done():
            # The task does not wait for the socket, for example because a handler runs.
            self._watch(0)
            return
        try:
            self._steps.result = self.attempt()
            if self.events:
                self._wait()
                return
        except Exception as error:  # noqa: BLE001  # the conversation handles it
            self._steps.error = error
        # An observer may close the link meanwhile, or cancel the task.
        self._waiter = None
        following = self._context.run(self._go_on)
        if following is None:
            self._waiter = waiter
        elif not waiter.done():
            waiter.set_result(following)
        # An error in them refers to this frame, see `AsyncRunner.run`.
        del waiter, following

    def _go_on(self) -> Following | None:
        """Continue the conversation while it needs only the socket; return None if it waits."""
        while True:
            try:
                request = next(self._steps)
            except BaseException as error:  # noqa: BLE001  # the task raises it
                return partial(_raise, error)
            if type(request) is not Receive and type(request) is not Send:
                return lambda: request
            try:
                if not self._begin(request):
                    return None
            except Exception as error:  # noqa: BLE001  # the conversation handles it
                self._steps.error = error

    def _wake(self, error: Exception) -> None:
        """Wake the task, if it waits; the conversation gets the error."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            self._steps.error = error
            waiter.set_result(None)

    # --- waiting --------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Let the loop call `_look` for the events; in its next turn, if there are none."""
        if self.events and self.events != self._watched:
            self._watch(self.events)
        # An earlier timer stays, and sets a new one when it runs out.  So most waits set none.
        due = self.deadline if self.events else 0.0
        if due < self._due:
            if self._timer is not None:
                self._timer.cancel()
            self._due, self._timer = due, self._loop.call_at(due, self._look_at_the_clock)

    def _look_at_the_clock(self) -> None:
        self._due, self._timer = inf, None
        if self.events and self.deadline <= self._now():
            self._wake(self.late())
        else:
            self._look()

    def _watch(self, events: int) -> None:
        changed, self._watched = events ^ self._watched, events
        loop = self._loop
        for event, add, remove in (
            (READ, loop.add_reader, loop.remove_reader),
            (WRITE, loop.add_writer, loop.remove_writer),
        ):
            if changed & events & event:
                add(self._number, self._look)
            elif changed & event:
                remove(self._number)

    # --- the end --------------------------------------------------------------------------------

    def drain(self) -> None:
        super().drain()
        # At once, so that the session can end before it is cut off.
        self._look()

    def abort(self) -> None:
        if self._number < 0:
            return
        self._watch(0)
        self._number = -1
        super().abort()
        if self._timer is not None:
            self._timer.cancel()
        self._wake(ConnectionAbortedError("the link was closed during the wait"))


def _raise(error: BaseException) -> NoReturn:
    try:
        raise error
    finally:
        # It refers to this frame, see `AsyncRunner.run`.
        del error


class _Runner(AsyncRunner):
    """Runs conversations in asyncio's tasks.

    Asyncio raises a cancellation only once, so the runner raises it again after the conversation.
    """

    interrupts = (KeyboardInterrupt, asyncio.CancelledError)

    async def serve(self, flow: Flow[None], link: AsyncLink) -> None:
        try:
            await super().serve(flow, link)
        except asyncio.CancelledError:
            # A handler raises this too, if it awaits what another task cancels.
            task = asyncio.current_task()
            if sys.version_info >= (3, 11) and task is not None and not task.cancelling():
                host.log().exception("a session failed")
            raise

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


async def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a thread; if this is cancelled, close what the function returns."""
    calling = asyncio.get_running_loop().run_in_executor(None, function, *arguments)
    try:
        return await asyncio.shield(calling)
    except asyncio.CancelledError:
        calling.add_done_callback(_close)
        raise


def _close(called: asyncio.Future[Any]) -> None:
    if not called.cancelled() and called.exception() is None and hasattr(called.result(), "close"):
        called.result().close()
