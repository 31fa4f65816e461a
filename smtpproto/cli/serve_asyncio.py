"""`serve` over asyncio; imported only if asked for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .. import asyncio as adapter

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..adapters.listening import ListeningSettings
    from .signals import Signals
    from .sinks import MakeHandler

__all__ = ["serve_over_asyncio"]


async def _in_thread(function: Callable[[], Any]) -> Any:
    """Call a function in a thread; a cancellation is raised once it has returned."""
    calling = asyncio.get_running_loop().run_in_executor(None, function)
    try:
        return await asyncio.shield(calling)
    except asyncio.CancelledError:
        await asyncio.wait([calling])
        raise


def serve_over_asyncio(
    make: MakeHandler,
    settings: ListeningSettings,
    started: Callable[[], object],
    signals: Signals,
    others: tuple[int, ...],
) -> None:
    """See `serve_blocking.serve_until`."""

    async def main() -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()

        def look_for_signals() -> None:
            # The file is readable after any signal that the process handles.
            if signals.read():
                stopped.set()

        async with await adapter.serve_with(make(_in_thread, asyncio.sleep), settings):
            started()
            loop.add_reader(signals.number, look_for_signals)
            for number in others:
                loop.add_reader(number, stopped.set)
            await stopped.wait()
            for number in (signals.number, *others):
                loop.remove_reader(number)
            signals.end_at_the_next()

    asyncio.run(main())
