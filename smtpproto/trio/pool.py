"""A pool of clients over trio; `conversations.pool` decides."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

import trio

from ..adapters.options import ConnectOptions, opening_of
from ..conversations.client.pool import PoolBase, PoolLimits
from .client import Client, open_client
from .link import run

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Pool"]


class Pool(PoolBase[Client], AbstractAsyncContextManager["Pool"]):
    """Clients of one server: see `PoolBase`."""

    def __init__(
        self,
        host: str = "localhost",
        port: int = 25,
        *,
        bounds: PoolLimits = PoolLimits(),
        **options: Unpack[ConnectOptions],
    ) -> None:
        # What cannot be used is found now, and not with the first message.
        opening_of(host, port, options)
        connect = partial(open_client, host, port, options)
        super().__init__(bounds, connect, trio.current_time, nullcontext())
        self._slots = trio.Semaphore(bounds.connections)

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Client, None]:
        """A client for the time of a block; waits while all are in use."""
        async with self._slots:
            client = await run(self._take())
            try:
                yield client
            finally:
                await run(self._put(client))

    async def close(self) -> None:
        """Close what is idle; what is in use is closed when it comes back."""
        await run(self._close())

    async def __aexit__(self, *_: object) -> None:
        await self.close()
