"""Signals as octets in a pipe, so that whatever waits for files can wait for them too."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections import deque
from typing import TYPE_CHECKING, Any

from .common import OutputClosed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

__all__ = ["STOPPING", "ServerOutput", "Signals", "held_back"]

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

    Python runs handlers between two instructions, so a signal that comes just before the system is
    asked to wait would be seen only when that wait is over.  The interpreter itself therefore
    writes to the file as well, at the moment of the signal, unless somebody else's loop does.
    """

    def __init__(self, *numbers: int) -> None:
        self._numbers = numbers
        self._before: dict[int, Any] = {}
        self._at_once = False
        self._came: deque[int] = deque(maxlen=4096)
        self._woken_before = -1
        self.number, self._write = -1, -1

    def read(self) -> list[int]:
        """The signals that came since the last call, in their order."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.number, 4096)
        return [self._came.popleft() for _ in range(len(self._came))]

    def wait(self, *others: int) -> None:
        """Wait until one of the signals has come, or one of other files is readable."""
        while not self.read():
            if select.select([self.number, *others], [], [])[0] != [self.number]:
                return

    @contextlib.contextmanager
    def waking_left_to_others(self) -> Iterator[None]:
        """For the time of a block a loop that looks after signals itself is told of them first."""
        signal.set_wakeup_fd(-1)
        try:
            yield
        finally:
            signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)

    def abandon(self) -> None:
        """Close the pipe in a forked child, which has other handlers by then."""
        signal.set_wakeup_fd(-1)
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
        self._woken_before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        return self

    def _caught(self, number: int, _: object) -> None:
        if self._at_once:
            os._exit(1)
        self._came.append(number)
        # If it is full, it is readable, which is all that this is for.
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b"\0")

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._woken_before)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self.number)
        os.close(self._write)


class ServerOutput:
    """Standard output and standard error as the sessions of a server use them.

    Once the reader is gone, the server is told to stop as by SIGTERM, so that running transactions
    finish.

    Attributes:
        closed: whether the reader is gone.
    """

    def __init__(self) -> None:
        self.closed = False

    def written(self, write: Callable[[], object]) -> bool:
        """Call a function that writes; False if the reader is gone."""
        try:
            write()
        except (BrokenPipeError, OutputClosed):
            if not self.closed:
                self.closed = True
                os.kill(os.getpid(), signal.SIGTERM)
            return False
        return True
