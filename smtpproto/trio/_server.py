"""The server over trio: a task for each session."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import trio

from .. import host
from ..options import Arrival, Listening, Running, ServeOptions, listening
from ._run import Link, run

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Server", "serve"]


async def serve(
    handler: object,
    *,
    task_status: trio.TaskStatus[Server] = trio.TASK_STATUS_IGNORED,
    **options: Unpack[ServeOptions],
) -> None:
    """Run a server until it is cancelled or stopped; `nursery.start` gives its `Server`.

    To cancel it is to stop it gently, as `Server.stop` does.
    Handler, options and errors: see `smtpproto.options.ServeOptions`.
    """
    # In a thread, as names may have to be looked up.
    server = Server(await trio.to_thread.run_sync(listening, handler, options))
    await server._run(task_status)  # noqa: SLF001  # only this function runs a server


class Server(Running):
    """A running server; `serve` makes it."""

    def __init__(self, listening: Listening) -> None:
        super().__init__(listening)
        self._links: set[Link] = set()
        # Cancelling `serve` reaches `_watch` alone; what this shields has time until its deadline.
        self._cut = trio.CancelScope(shield=True)
        self._stopping = trio.Event()
        self._stopped = trio.Event()

    async def wait(self) -> None:
        """Wait until the server has stopped."""
        await self._stopped.wait()

    async def stop(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  # not for the call
        """Stop, and wait until that is done: see `Running`."""
        self._stop(timeout)
        await self._stopped.wait()

    def _stop(self, timeout: float | None = None) -> None:
        grace = self._listening.grace if timeout is None else timeout
        self._cut.deadline = min(self._cut.deadline, trio.current_time() + grace)
        self._stopping.set()

    async def _run(self, task_status: trio.TaskStatus[Server]) -> None:
        try:
            async with trio.open_nursery() as watching:
                watching.start_soon(self._watch)
                with self._cut:
                    async with trio.open_nursery() as sessions:
                        await self._accept_all(sessions, task_status)
                        for link in self._links:
                            link.drain()
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
        settings = self._listening
        while True:
            await trio.lowlevel.wait_readable(listener)
            try:
                arrival = settings.accept(listener)
            except host.Overloaded:
                await trio.sleep(host.PAUSE)
                continue
            if arrival is not None:
                link = Link(arrival.sock, settings.timeout, settings.handshake)
                self._links.add(link)
                sessions.start_soon(self._serve, arrival, link)

    async def _serve(self, arrival: Arrival, link: Link) -> None:
        try:
            await run(arrival.flow, link)
            link.close()
        except Exception:  # noqa: BLE001  # a defect: whatever it is, the server goes on
            host.LOG.exception("a session failed")
        finally:
            link.abort()
            self._links.remove(link)
            self._listening.leave(arrival.session)
