"""A pool of clients over trio; `conversations/client/pool.py` has the rules."""

from __future__ import annotations

import trio

from ..adapters.pooling import AsyncPool
from .client import Client, connect_with
from .link import RUNNER

__all__ = ["Pool"]


class Pool(AsyncPool[Client]):
    """Clients of one server: see `PoolBase`."""

    _runner = RUNNER
    _connect_with = staticmethod(connect_with)
    _now = staticmethod(trio.current_time)
    _semaphore = trio.Semaphore
