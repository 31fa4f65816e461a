"""`serve` over trio; imported only if asked for."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import trio

from .. import trio as adapter

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..adapters.listening import ListeningSettings
    from .signals import Signals
    from .sinks import MakeHandler

__all__ = ["serve_over_trio"]


def serve_over_trio(
    make: MakeHandler,
    settings: ListeningSettings,
    started: Callable[[], object],
    signals: Signals,
    others: tuple[int, ...],
) -> None:
    """See `serve_blocking.serve_until`."""

    async def wait_for(number: int, nursery: trio.Nursery) -> None:
        await trio.lowlevel.wait_readable(number)
        nursery.cancel_scope.cancel()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            receiver = make(trio.to_thread.run_sync, trio.sleep)
            serve = functools.partial(adapter.serve_with, receiver, settings)
            server: adapter.Server = await nursery.start(serve)
            started()
            async with trio.open_nursery() as waiting:
                for number in (signals.number, *others):
                    waiting.start_soon(wait_for, number, waiting)
            signals.end_at_the_next()
            await server.stop()

    trio.run(main)
