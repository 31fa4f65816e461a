"""A pool of clients over asyncio; `conversations/client/pool.py` has the rules."""

from __future__ import annotations

import asyncio

from ..adapters.pooling import AsyncPool
from .client import Client, connect_with
from .link import RUNNER

__all__ = ["Pool"]


class Pool(AsyncPool[Client]):
    """Clients of one server: see `PoolBase`."""

    _runner = RUNNER
    _connect_with = staticmethod(connect_with)
    _semaphore = asyncio.Semaphore
