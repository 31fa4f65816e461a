"""A pool of clients over trio; `conversations/client/pool.py` has the rules."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial

import trio

from ..adapters.connecting import PoolSettings
from ..adapters.settings_as_parameters import fields_as_parameters
from ..conversations.client.pool import PoolBase
from .client import Client, connect_with
from .link import run

__all__ = ["Pool"]


class Pool(PoolBase[Client], AbstractAsyncContextManager["Pool"]):
    """Clients of one server: see `PoolBase`."""

    @fields_as_parameters(PoolSettings)
    def __init__(self, settings: PoolSettings) -> None:
        """Make a pool without connections."""
        bounds = settings.bounds
        super().__init__(bounds, partial(connect_with, settings), trio.current_time, nullcontext())
        self._slots = trio.Semaphore(bounds.connections)

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Client, None]:
        """Lend a client for the block; wait while all are in use."""
        async with self._slots:
            client = await run(self._take())
            try:
                yield client
            finally:
                await run(self._put(client))

    async def close(self) -> None:
        """Close idle clients; one in use is closed when it comes back."""
        await run(self._close())

    async def __aexit__(self, *_: object) -> None:
        await self.close()
