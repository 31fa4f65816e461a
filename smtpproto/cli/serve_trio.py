"""`serving` over trio; imported only if asked for."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import trio

from .. import trio as adapter
from ..conversations import AsyncHandler
from .sinks import NOT_PRINTED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from ..adapters.listening import ListeningSettings
    from ..conversations import Envelope
    from ..vocabulary.replies import Reply
    from ..vocabulary.session_facts import Session
    from .sinks import Sinks

__all__ = ["serve_over_trio"]


class Receiver(AsyncHandler):
    """A handler that passes every message to its own sink, and waits for disks in threads."""

    def __init__(self, sinks: Sinks) -> None:
        self._sinks = sinks

    async def content(
        self, session: Session, envelope: Envelope, chunks: AsyncIterator[bytes]
    ) -> Reply | None:
        """Take a message as it arrives."""
        try:
            with self._sinks(session, envelope) as sink:
                async for chunk in chunks:
                    sink.write(chunk)
                await trio.to_thread.run_sync(sink.commit)
        except BrokenPipeError:
            return NOT_PRINTED
        return None


def serve_over_trio(
    sinks: Sinks,
    settings: ListeningSettings,
    started: Callable[[], object],
    stop: list[int],
    stopping: Callable[[], None],
) -> None:
    """See `serving.serve_until`."""

    async def wait_for(number: int, nursery: trio.Nursery) -> None:
        await trio.lowlevel.wait_readable(number)
        nursery.cancel_scope.cancel()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            serve = functools.partial(adapter.serve_with, Receiver(sinks), settings)
            server: adapter.Server = await nursery.start(serve)
            started()
            async with trio.open_nursery() as waiting:
                for number in stop:
                    waiting.start_soon(wait_for, number, waiting)
            stopping()
            await server.stop()

    trio.run(main)
