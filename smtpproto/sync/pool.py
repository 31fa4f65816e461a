"""A pool of clients over blocking sockets; `conversations/client/pool.py` has the rules."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager

from ..adapters.pooling import ConnectionPool
from .client import Client, connect_with
from .link import run

__all__ = ["Pool"]


class Pool(ConnectionPool[Client], AbstractContextManager["Pool"]):
    """Clients of one server: see `PoolBase`."""

    _connect_with = staticmethod(connect_with)
    _semaphore = threading.Semaphore
    _new_lock = threading.Lock

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
