"""A pool of clients over blocking sockets; `conversations.pool` decides."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from ..adapters.options import ConnectOptions, opening_of
from ..conversations.client.pool import PoolBase, PoolLimits
from .client import Client, connect
from .link import run

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Pool"]


class Pool(PoolBase[Client], AbstractContextManager["Pool"]):
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
        open_client = partial(connect, host, port, **options)
        super().__init__(bounds, open_client, time.monotonic, threading.Lock())
        self._slots = threading.Semaphore(bounds.connections)

    @contextmanager
    def connection(self) -> Generator[Client, None, None]:
        """A client for the time of a block; waits while all are in use."""
        with self._slots:
            client = run(self._take())
            try:
                yield client
            finally:
                run(self._put(client))

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it comes back."""
        run(self._close())

    def __exit__(self, *_: object) -> None:
        self.close()
