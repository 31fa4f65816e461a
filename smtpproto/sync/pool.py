"""A pool of clients over blocking sockets; `conversations/client/pool.py` has the rules."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from ..adapters.connecting import ConnectionSettings
from ..adapters.pooling import ConnectionPool, PoolSettings
from ..adapters.settings_as_parameters import fields_as_parameters
from ..conversations import PoolLimits
from .client import Client, connect_with
from .link import run

__all__ = ["Pool"]


class Pool(ConnectionPool[Client], AbstractContextManager["Pool"]):
    """Clients of one server: see `PoolBase`."""

    @fields_as_parameters(PoolSettings)
    def __init__(self, settings: PoolSettings) -> None:
        """Create a pool; it connects when a client is needed."""
        self._begin(settings, settings.bounds)

    def _begin(self, settings: ConnectionSettings, bounds: PoolLimits) -> None:
        super().__init__(bounds, partial(connect_with, settings), time.monotonic, threading.Lock())
        self._slots = threading.Semaphore(bounds.connections)

    @contextmanager
    def connection(self) -> Generator[Client, None, None]:
        """Lend a client for the block; wait while all are in use.

        Raises:
            LocalProtocolError: the pool is closed.
            Exception: as `connect`.
        """
        with self._slots:
            client = run(self._take())
            try:
                yield client
            finally:
                run(self._put(client))

    def close(self) -> None:
        """Close idle clients; one in use is closed when it comes back."""
        run(self._close())

    def __exit__(self, *_: object) -> None:
        self.close()
