"""The server over asyncio: a task for each session."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from ..adapters import sockets
from ..adapters.listening import Arrival, Listening, ListeningSettings, Running, start_listening
from ..adapters.settings_as_parameters import fields_as_parameters
from ..timeouts import HANDLER_TIMEOUT
from .link import RUNNER, Link, in_thread

if TYPE_CHECKING:
    from ..conversations import AsyncContentHandler, AsyncMessageHandler

__all__ = ["Server", "serve", "serve_with"]


@fields_as_parameters(ListeningSettings)
@asynccontextmanager
async def serve(
    handler: AsyncMessageHandler | AsyncContentHandler, settings: ListeningSettings
) -> AsyncGenerator[Server, None]:
    """Run a server for the block; the end of the block stops it as `Server.stop` does.

    The handler is an object with some of the methods of `AsyncHandler`.  The tasks of several
    sessions call it at once.

    Raises:
        Exception: as `serve` of `smtpproto.sync`.
    """
    async with await serve_with(handler, settings) as server:
        yield server


async def serve_with(
    handler: AsyncMessageHandler | AsyncContentHandler, settings: ListeningSettings
) -> Server:
    """Do the same as `serve`, with a settings object and without a block."""
    # In a thread, because this may look up names.
    prepare = partial(start_listening, handler, settings, waits=True)
    return Server(await in_thread(prepare))


class Server(Running, AbstractAsyncContextManager["Server"]):
    """A running server, made by `serve`; a context manager that stops it at the end."""

    def __init__(self, listening: Listening) -> None:
        super().__init__(listening)
        self._loop = asyncio.get_running_loop()
        self._links: dict[asyncio.Task[None], Link] = {}
        self._stopping = self._is_cut = False
        self._stopped = asyncio.Event()
        self._timers: list[asyncio.TimerHandle] = []
        for listener in listening.listeners:
            self._listen(listener)

    async def wait(self) -> None:
        """Wait until the server has stopped."""
        await self._stopped.wait()

    async def stop(self, timeout: float | None = None) -> None:
        """Stop the server, and wait until it has stopped: see `Running`.

        If the wait is cancelled, the server closes the remaining sessions at once.

        Raises:
            RuntimeError: the task of a session calls this.
        """
        self._check_caller(own=asyncio.current_task() in self._links)
        self._stop(self._grace(timeout))
        try:
            await self._stopped.wait()
        except asyncio.CancelledError:
            self._cut()
            raise

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # --- listening ----------------------------------------------------------------------------

    def _listen(self, listener: socket.socket) -> None:
        if not self._stopping:
            try:
                self._loop.add_reader(listener.fileno(), self._accept, listener)
            except (OSError, ValueError) as error:
                self._forget(listener, error)

    def _ignore(self, listener: socket.socket) -> None:
        # If other code closed the socket, a session may have its file number now.
        if listener.fileno() >= 0:
            self._loop.remove_reader(listener.fileno())

    def _forget(self, listener: socket.socket, error: Exception) -> None:
        """Continue without a broken listener; the loop would report it without end."""
        sockets.log_not_listening(error)
        self._ignore(listener)

    def _accept(self, listener: socket.socket) -> None:
        try:
            if not self._listening.accept_all(listener, self._begin):
                self._ignore(listener)
                self._loop.call_later(sockets.PAUSE, self._listen, listener)
        except sockets.NotListening as error:
            self._forget(listener, error)

    # --- sessions -----------------------------------------------------------------------------

    def _begin(self, arrival: Arrival) -> None:
        listening = self._listening
        # Other code may have closed a socket that the loop watches; its number is used again.
        self._loop.remove_reader(arrival.sock.fileno())
        link = Link(arrival.sock, listening.settings.timeout, listening.handshake)
        task = self._loop.create_task(RUNNER.serve(arrival.flow, link))
        self._links[task] = link
        # A callback, because a task that is cancelled before its first step runs no code.
        task.add_done_callback(partial(self._end, arrival))

    def _end(self, arrival: Arrival, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            # The loop has raised this exception; without the call asyncio would log it too.
            task.exception()
        self._links.pop(task).abort()
        self._listening.leave(arrival.session)
        if self._stopping and not self._links:
            self._finish()

    # --- the end ------------------------------------------------------------------------------

    def _stop(self, grace: float) -> None:
        """Stop listening, and tell the conversations that wait for their clients."""
        if not self._stopping:
            self._stopping = True
            for listener in self._listening.listeners:
                self._ignore(listener)
            self._listening.close()
            for link in self._links.values():
                link.drain()
        # After `drain`, so that idle sessions send 421 even if there is no time to wait.
        if not self._stopped.is_set():
            self._timers.append(self._loop.call_later(grace, self._cut))
        if not self._links:
            self._finish()

    def _cut(self) -> None:
        """Cut off the remaining sessions."""
        if self._is_cut or self._stopped.is_set():
            return
        self._is_cut = True
        for task, link in self._links.items():
            link.abort()
            task.cancel()
        self._timers.append(self._loop.call_later(HANDLER_TIMEOUT, self._give_up))

    def _give_up(self) -> None:
        """Stop without waiting for handlers that still run."""
        self._log_unfinished(len(self._links))
        self._finish()

    def _finish(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._stopped.set()
