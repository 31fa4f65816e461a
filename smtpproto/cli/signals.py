"""Signals as octets in a pipe, so that whatever waits for files can wait for them too."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

__all__ = ["STOPPING", "Signals", "held_back"]

STOPPING = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def held_back(*numbers: int) -> Iterator[None]:
    """Let signals wait for the time of a block, and for ever in threads that are started in it.

    Threads begin with the mask of those who start them.  A signal that another thread got would
    not wake the main one, which alone runs handlers.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


class Signals:
    """Signals that are caught for the time of a block.

    Arguments:
        numbers: which; one that is ignored stays so, as whoever started us wants it.

    Attributes:
        number: of the file that is readable once a signal has come.
    """

    def __init__(self, *numbers: int) -> None:
        self._numbers = numbers
        self._before: dict[int, Any] = {}
        self._at_once = False
        self.number, self._write = -1, -1

    def read(self) -> list[int]:
        """The signals that came since the last call, in their order."""
        try:
            return list(os.read(self.number, 4096))
        except BlockingIOError:
            return []

    def abandon(self) -> None:
        """Close the pipe in a forked child, which has other handlers by then."""
        os.close(self.number)
        os.close(self._write)

    def end_at_the_next(self) -> None:
        """From now on one more signal ends the process at once, with status 1."""
        self._at_once = True

    def __enter__(self) -> Self:
        self.number, self._write = os.pipe()
        os.set_blocking(self.number, False)
        os.set_blocking(self._write, False)
        for number in self._numbers:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._caught)
        return self

    def _caught(self, number: int, _: object) -> None:
        if self._at_once:
            os._exit(1)
        try:
            os.write(self._write, bytes([number]))
        except BlockingIOError:
            # So many came already that one more says nothing new.
            return

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self.number)
        os.close(self._write)
