"""What the pools of all adapters do; `conversations/client/pool.py` has the rules."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..conversations.client.pool import Poolable, PoolBase, PoolLimits
from .connecting import ConnectionSettings, check_settings
from .settings_as_parameters import fields_as_parameters

if TYPE_CHECKING:
    from typing_extensions import Self

    from .async_client import AsyncClient
    from .async_runner import AsyncRunner

__all__ = ["AsyncPool", "ConnectionPool", "PoolSettings"]

K = TypeVar("K", bound=Poolable)
C = TypeVar("C", bound="AsyncClient")


@dataclass(frozen=True)
class PoolSettings(ConnectionSettings):
    """How many connections a pool keeps.

    Arguments:
        bounds: how many clients the pool keeps, and for how long.
    """

    bounds: PoolLimits = field(default=PoolLimits(), kw_only=True)


class ConnectionPool(PoolBase[K]):
    """Clients of one server: see `PoolBase`.

    An adapter adds how to connect, its clock, a semaphore, and a lock if it has several threads.
    """

    _connect_with: Callable[[ConnectionSettings], object]
    _now: Callable[[], float] = staticmethod(time.monotonic)
    _semaphore: Callable[[int], Any]
    _new_lock: Callable[[], AbstractContextManager[object]] = nullcontext

    @fields_as_parameters(PoolSettings)
    def __init__(self, settings: PoolSettings) -> None:
        """Create a pool; it connects when a client is needed."""
        self._begin(settings, settings.bounds)

    def _begin(self, settings: ConnectionSettings, bounds: PoolLimits) -> None:
        connect = partial(self._connect_with, settings)
        super().__init__(bounds, connect, self._now, self._new_lock())
        self._slots = self._semaphore(bounds.connections)

    @classmethod
    def with_settings(
        cls, settings: ConnectionSettings, *, bounds: PoolLimits = PoolLimits()
    ) -> Self:
        """Make the same as `Pool`, with settings that are made already.

        Arguments:
            settings: those of each client, as `connect_with` takes them.
            bounds: how many clients, for how long.

        Raises:
            TypeError: `settings` are not `ConnectionSettings`, or `bounds` no `PoolLimits`.
        """
        check_settings(settings)
        make: Callable[..., Self] = cls
        pool = make(bounds=bounds)
        # Each field as an argument of `__init__` would lose what a subclass of the settings adds.
        pool._begin(settings, bounds)  # noqa: SLF001  # of this class
        return pool


class AsyncPool(ConnectionPool[C]):
    """A pool of an adapter that can await; the adapter adds the runner, too."""

    _runner: AsyncRunner

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[C, None]:
        """Lend a client for the block; wait while all are in use.

        Raises:
            Exception: as `connection` of `smtpproto.sync.Pool`.
        """
        async with self._slots:
            client = await self._runner.run(self._take())
            try:
                yield client
            finally:
                await self._runner.run(self._put(client))

    async def close(self) -> None:
        """Close idle clients; one in use is closed when it comes back."""
        await self._runner.run(self._close())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
