"""A selector that other threads can wake."""

from __future__ import annotations

import os
import selectors
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

__all__ = ["WakeableSelector"]


class WakeableSelector:
    """A queue of calls for the thread that waits for sockets; other threads add to it.

    Attributes:
        selector: the selector that the thread waits on.
    """

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self._wake, self._alarm = os.pipe()
        self.selector.register(self._wake, selectors.EVENT_READ)
        self._posted: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        # Whether `post` must write to the pipe; `_lock` guards this and `_over`.
        self._sleeps = False
        self._over = False
        self._lock = threading.Lock()

    def post(self, function: Callable[..., None], *arguments: Any) -> bool:
        """Queue a function for the selector's thread; any thread may call this.

        Returns:
            Whether it will be called; False after `close`.
        """
        with self._lock:
            if self._over:
                return False
            self._posted.append((function, arguments))
            if self._sleeps:
                self._sleeps = False
                os.write(self._alarm, b"!")
        return True

    def select(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for sockets until a call is posted, at most `timeout` seconds."""
        with self._lock:
            self._sleeps = not self._posted
        found = self.selector.select(timeout if self._sleeps else 0)
        self._sleeps = False
        for index, (key, _) in enumerate(found):
            if key.fd == self._wake:
                os.read(self._wake, 4096)
                del found[index]
                break
        return found

    def run(self) -> None:
        """Call the posted functions."""
        for _ in range(len(self._posted)):
            function, arguments = self._posted.popleft()
            function(*arguments)

    def close(self) -> None:
        """Accept no more calls, and make the earlier ones."""
        with self._lock:
            self._over = True
            self._sleeps = False
        self.run()
        self.selector.close()
        os.close(self._wake)
        os.close(self._alarm)
