"""The threads that call handlers: started as needed, up to a bound."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from ..adapters import host

__all__ = ["HandlerThreads"]

J = TypeVar("J")


class HandlerThreads(Generic[J]):
    """Threads that do jobs in the order of submission.

    One thread, the owner, calls the methods.  It wakes one worker at a time: a fast worker does
    many jobs in a row, and waking another one takes longer than the jobs.  An owner with other work
    wakes one once per `PATIENCE`, for all jobs until then.  While jobs still wait, the owner calls
    `hand_over` again after `PATIENCE`.

    The threads are daemons, so a job that never ends does not keep the process running.

    Arguments:
        most: the most threads.
        perform: called in a worker with each job; it must not raise.

    Attributes:
        holds: whether jobs wait for `hand_over` to be called without other work.
    """

    PATIENCE = 0.001
    """Seconds after which a job that still waits gets another thread."""

    def __init__(self, most: int, perform: Callable[[J], None]) -> None:
        self._most = most
        self._perform = perform
        self._jobs: deque[J] = deque()
        self._threads: set[threading.Thread] = set()
        # One lock for each sleeping worker; releasing it wakes the worker.
        self._asleep: list[threading.Lock] = []
        self._over = False
        self.holds = False
        # Before this time no second worker is woken while the owner is busy.
        self._next = 0.0

    def __contains__(self, thread: object) -> bool:
        return thread in self._threads

    def submit(self, job: J) -> None:
        """Queue a job; call `hand_over` after it."""
        self._jobs.append(job)

    @property
    def waiting(self) -> int:
        """How many jobs are queued."""
        return len(self._jobs)

    @property
    def short(self) -> bool:
        """Whether jobs are queued and a thread can be woken or started for them."""
        return bool(self._jobs) and (bool(self._asleep) or len(self._threads) < self._most)

    def hand_over(self, *, busy: bool) -> None:
        """Wake or start one thread, if jobs are queued.

        Arguments:
            busy: whether the owner has other work meanwhile.
        """
        self.holds = False
        if not self._jobs:
            return
        now = time.monotonic()
        if busy and now < self._next:
            self.holds = True
            return
        self._next = now + self.PATIENCE
        if self._asleep:
            self._asleep.pop().release()
        elif len(self._threads) < self._most:
            try:
                self.start_one()
            except (RuntimeError, MemoryError) as error:
                # The jobs wait for the existing threads.
                host.log().warning("the system cannot start another thread; calls wait: %s", error)

    def start_one(self) -> None:
        """Start a thread.

        Raises:
            RuntimeError, MemoryError: the system cannot start another thread.
        """
        thread = threading.Thread(target=self._work, name="smtpproto-handler", daemon=True)
        self._threads.add(thread)
        try:
            thread.start()
        except BaseException:
            self._threads.remove(thread)
            raise

    def end(self) -> None:
        """Drop the queued jobs, and let each thread end after its job."""
        self._over = True
        self._jobs.clear()
        while self._asleep:
            self._asleep.pop().release()

    def join(self, until: float) -> None:
        """Wait for the end of the threads, after `end`.

        Arguments:
            until: how long at most, on the clock `time.monotonic`.
        """
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _work(self) -> None:
        wake = threading.Lock()
        wake.acquire()
        while not self._over:
            try:
                job = self._jobs.popleft()
            except IndexError:
                self._sleep(wake)
            else:
                self._perform(job)
                # A sleeping thread must not keep a connection in memory through its last job.
                del job

    def _sleep(self, wake: threading.Lock) -> None:
        self._asleep.append(wake)
        if self._jobs or self._over:
            # Jobs came before the owner could see that this thread sleeps.
            try:
                self._asleep.remove(wake)
            except ValueError:
                pass  # The owner is about to release it.
            else:
                return
        wake.acquire()
