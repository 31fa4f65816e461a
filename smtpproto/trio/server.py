"""The server over trio: a task for each session."""

from __future__ import annotations

import functools
import socket
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

import trio

from ..adapters import sockets
from ..adapters.listening import Arrival, Listening, ListeningSettings, Running, start_listening
from ..adapters.settings_as_parameters import fields_as_parameters
from ..timeouts import HANDLER_TIMEOUT
from .link import RUNNER, Link

if TYPE_CHECKING:
    from ..conversations import AsyncContentHandler, AsyncMessageHandler

__all__ = ["Server", "TaskSettings", "serve", "serve_with"]


@dataclass(frozen=True, kw_only=True)
class TaskSettings(ListeningSettings):
    """How the server's task is started.

    Arguments:
        task_status: what `nursery.start` passes; it gets the `Server` as soon as that listens.
    """

    task_status: trio.TaskStatus[Server] = field(default=trio.TASK_STATUS_IGNORED, repr=False)


@fields_as_parameters(TaskSettings)
async def serve(handler: AsyncMessageHandler | AsyncContentHandler, settings: TaskSettings) -> None:
    """Run a server until it is cancelled or stopped; `nursery.start` gives its `Server`.

    Cancelling this stops the server as `Server.stop` does.  It returns only after all methods of
    the handler have returned, also those that wait for a thread or in a shielded scope.

    The handler is an object with some of the methods of `AsyncHandler`.  The tasks of several
    sessions call it at once.

    Raises:
        Exception: as `serve` of `smtpproto.sync`.
    """
    await serve_with(handler, settings, task_status=settings.task_status)


async def serve_with(
    handler: AsyncMessageHandler | AsyncContentHandler,
    settings: ListeningSettings,
    *,
    task_status: trio.TaskStatus[Server] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Do the same as `serve`, with a settings object."""
    prepare = functools.partial(start_listening, handler, settings, waits=True)
    # In a thread, because this may look up names.
    server = Server(await trio.to_thread.run_sync(prepare))
    await server._run(task_status)  # noqa: SLF001  # only this function runs a server


class Server(Running):
    """A running server; `serve` makes it."""

    def __init__(self, listening: Listening) -> None:
        super().__init__(listening)
        self._links: set[Link] = set()
        self._sessions: trio.Nursery | None = None
        # A cancellation of `serve` reaches only `_watch`.  This scope shields the sessions from it
        # until their deadline, which is `_cut_at` as soon as they know that the server stops.
        self._cut = trio.CancelScope(shield=True)
        self._cut_at = inf
        self._stopping = trio.Event()
        self._stopped = trio.Event()

    async def wait(self) -> None:
        """Wait until the server has stopped."""
        await self._stopped.wait()

    async def stop(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  # not for the call
        """Stop the server, and wait until it has stopped: see `Running`.

        Raises:
            RuntimeError: the task of a session calls this.
        """
        self._check_caller(own=trio.lowlevel.current_task().parent_nursery is self._sessions)
        self._stop(timeout)
        with trio.move_on_at(self._cut_at + HANDLER_TIMEOUT):
            await self._stopped.wait()
        if not self._stopped.is_set():
            self._give_up()

    def _stop(self, timeout: float | None = None) -> None:
        self._cut_at = min(self._cut_at, trio.current_time() + self._grace(timeout))
        if self._stopping.is_set():
            self._cut.deadline = self._cut_at
        self._stopping.set()

    def _give_up(self) -> None:
        """Stop without waiting for handlers that still run."""
        self._log_unfinished(len(self._links))
        for link in self._links:
            link.abort()
        self._stopped.set()

    async def _run(self, task_status: trio.TaskStatus[Server]) -> None:
        try:
            async with trio.open_nursery() as watching:
                watching.start_soon(self._watch)
                with self._cut:
                    async with trio.open_nursery() as self._sessions:
                        await self._accept_all(self._sessions, task_status)
                        for link in self._links:
                            link.drain()
                        # Idle sessions send 421 now, even if there is no time to wait.
                        await trio.lowlevel.cancel_shielded_checkpoint()
                        self._cut.deadline = self._cut_at
                watching.cancel_scope.cancel()
        finally:
            self._stopped.set()

    async def _watch(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self._stop()

    async def _accept_all(
        self, sessions: trio.Nursery, task_status: trio.TaskStatus[Server]
    ) -> None:
        try:
            async with trio.open_nursery() as accepting:
                for listener in self._listening.listeners:
                    accepting.start_soon(self._accept, listener, sessions)
                task_status.started(self)
                await self._stopping.wait()
                accepting.cancel_scope.cancel()
        finally:
            self._listening.close()

    async def _accept(self, listener: socket.socket, sessions: trio.Nursery) -> None:
        begin = functools.partial(self._begin, sessions)
        while True:
            try:
                await trio.lowlevel.wait_readable(listener)
                if not self._listening.accept_all(listener, begin):
                    await trio.sleep(sockets.PAUSE)
            except (sockets.NotListening, trio.ClosedResourceError, ValueError) as error:
                # A further wait would return at once, without end.
                sockets.log_not_listening(error)
                return

    def _begin(self, sessions: trio.Nursery, arrival: Arrival) -> None:
        listening = self._listening
        link = Link(arrival.sock, listening.settings.timeout, listening.handshake)
        self._links.add(link)
        sessions.start_soon(self._serve, arrival, link)

    async def _serve(self, arrival: Arrival, link: Link) -> None:
        try:
            await RUNNER.serve(arrival.flow, link)
        finally:
            link.abort()
            self._links.remove(link)
            self._listening.leave(arrival.session)
