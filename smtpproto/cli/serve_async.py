"""`serve` over asyncio and trio; imported only if asked for."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import trio

    from ..adapters.listening import ListeningSettings
    from .signals import Signals
    from .sinks import MakeHandler


def serve_over_asyncio(
    make: MakeHandler,
    settings: ListeningSettings,
    started: Callable[[], object],
    signals: Signals,
    others: tuple[int, ...],
) -> None:
    """See `serve.serve_until`."""
    import asyncio

    from .. import asyncio as adapter

    async def in_thread(function: Callable[[], Any]) -> Any:
        calling = asyncio.get_running_loop().run_in_executor(None, function)
        try:
            return await asyncio.shield(calling)
        except asyncio.CancelledError:
            # The cancellation is raised once the function has returned.
            await asyncio.wait([calling])
            raise

    async def main() -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()

        def look_for_signals() -> None:
            # The file is readable after any signal that the process handles.
            if signals.read():
                stopped.set()

        async with await adapter.serve_with(make(in_thread, asyncio.sleep), settings):
            started()
            loop.add_reader(signals.number, look_for_signals)
            for number in others:
                loop.add_reader(number, stopped.set)
            await stopped.wait()
            for number in (signals.number, *others):
                loop.remove_reader(number)
            signals.end_at_the_next()

    asyncio.run(main())


def serve_over_trio(
    make: MakeHandler,
    settings: ListeningSettings,
    started: Callable[[], object],
    signals: Signals,
    others: tuple[int, ...],
) -> None:
    """See `serve.serve_until`."""
    import trio

    from .. import trio as adapter

    async def wait_for(number: int, nursery: trio.Nursery) -> None:
        await trio.lowlevel.wait_readable(number)
        nursery.cancel_scope.cancel()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            handler = make(trio.to_thread.run_sync, trio.sleep)
            serve = functools.partial(adapter.serve_with, handler, settings)
            server: adapter.Server = await nursery.start(serve)
            started()
            async with trio.open_nursery() as waiting:
                for number in (signals.number, *others):
                    waiting.start_soon(wait_for, number, waiting)
            signals.end_at_the_next()
            await server.stop()

    with signals.waking_left_to_others():
        trio.run(main)
