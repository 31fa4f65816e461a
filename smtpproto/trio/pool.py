"""A pool of clients over trio; `conversations/client/pool.py` has the rules."""

from __future__ import annotations

from functools import partial

import trio

from ..adapters.connecting import ConnectionSettings
from ..adapters.pooling import AsyncPool, PoolSettings
from ..adapters.settings_as_parameters import fields_as_parameters
from ..conversations import PoolLimits
from .client import Client, connect_with
from .link import RUNNER

__all__ = ["Pool"]


class Pool(AsyncPool[Client]):
    """Clients of one server: see `PoolBase`."""

    _runner = RUNNER

    @fields_as_parameters(PoolSettings)
    def __init__(self, settings: PoolSettings) -> None:
        """Create a pool; it connects when a client is needed."""
        self._begin(settings, settings.bounds)

    def _begin(self, settings: ConnectionSettings, bounds: PoolLimits) -> None:
        slots = trio.Semaphore(bounds.connections)
        super().__init__(bounds, partial(connect_with, settings), trio.current_time, slots)
