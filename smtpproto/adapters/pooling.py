"""What the pools of all adapters do; `conversations/client/pool.py` has the rules."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from ..conversations.client.pool import Poolable, PoolBase, PoolLimits
from .connecting import ConnectionSettings, check_settings

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
    """What the pools of all adapters do with settings; their `__init__` takes `PoolSettings`."""

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

    def _begin(self, settings: ConnectionSettings, bounds: PoolLimits) -> None:
        """Do what `__init__` of the adapter's pool does, perhaps once more."""
        raise NotImplementedError


class AsyncPool(ConnectionPool[C]):
    """Clients of one server: see `PoolBase`; an adapter adds the runner.

    Arguments:
        bounds, connect, clock: see `PoolBase`.
        slots: a semaphore with as many slots as there may be clients.
    """

    _runner: AsyncRunner

    def __init__(
        self,
        bounds: PoolLimits,
        connect: Callable[[], Awaitable[C]],
        clock: Callable[[], float],
        slots: AbstractAsyncContextManager[object],
    ) -> None:
        # One thread runs all tasks, so a lock is not needed.
        super().__init__(bounds, connect, clock, nullcontext())
        self._slots = slots

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
