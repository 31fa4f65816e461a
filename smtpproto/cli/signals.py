"""Signals as octets in a pipe, so that a loop that waits for files can wait for them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections import deque
from typing import TYPE_CHECKING, Any

from .terminal import OutputFailed, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

STOPPING = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def held_back(*numbers: int) -> Iterator[None]:
    """Block signals during the block; threads started in it block them for ever.

    A thread inherits the mask of the thread that starts it.  Only the main thread runs handlers,
    and a signal that another thread received would not wake it.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


class Signals:
    """Catches signals during a block.

    Arguments:
        numbers: the signals; one that is ignored stays ignored, as the parent process wants.

    Attributes:
        number: the file that becomes readable after a signal.

    Python runs handlers between two instructions.  So a signal just before a system call that waits
    would be handled only after that wait.  Therefore the interpreter itself also writes to the file
    at the moment of the signal, unless another loop uses that facility.
    """

    def __init__(self, *numbers: int) -> None:
        self._numbers = numbers
        self._before: dict[int, Any] = {}
        self._at_once = False
        self._came: deque[int] = deque(maxlen=4096)
        self._woken_before = -1
        self.number, self._write = -1, -1

    def read(self) -> list[int]:
        """Return the signals since the last call, in order."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.number, 4096)
        return [self._came.popleft() for _ in range(len(self._came))]

    def wait(self, *others: int) -> None:
        """Wait for one of the signals, or until one of the other files is readable."""
        while not self.read():
            if select.select([self.number, *others], [], [])[0] != [self.number]:
                return

    @contextlib.contextmanager
    def waking_left_to_others(self) -> Iterator[None]:
        """During the block, let a signal wake a loop with its own signal handling first."""
        signal.set_wakeup_fd(-1)
        try:
            yield
        finally:
            signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)

    def abandon(self) -> None:
        """Close the pipe in a forked child, which has its own handlers."""
        signal.set_wakeup_fd(-1)
        os.close(self.number)
        os.close(self._write)

    def end_at_the_next(self) -> None:
        """From now on another signal ends the process at once, with status 1."""
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
        # If the pipe is full it is readable, which is enough.
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b"\0")

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._woken_before)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self.number)
        os.close(self._write)


class ServerOutput:
    """Standard output and standard error for the sessions of a server.

    If the output cannot be written, the server stops as after SIGTERM, so that running transactions
    finish.
    """

    def __init__(self) -> None:
        self._failure: OutputFailed | None = None

    def written(self, write: Callable[[], object]) -> bool:
        """Call a function that writes; return whether it could."""
        try:
            with writing():
                write()
        except OutputFailed as failure:
            if self._failure is None:
                self._failure = failure
                os.kill(os.getpid(), signal.SIGTERM)
            return False
        return True

    def check(self) -> None:
        """Raise the `OutputFailed` that has stopped the server, if there is one."""
        if self._failure is not None:
            raise self._failure
