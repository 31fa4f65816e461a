"""The threads that call handlers: as many as the work takes, up to a bound."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from ..adapters import host

__all__ = ["HandlerThreads"]

J = TypeVar("J")


class HandlerThreads(Generic[J]):
    """Threads that do jobs in the order in which these come.

    One thread, the owner, calls the methods.  It wakes one worker at a time: a worker that is quick
    does many jobs in a row, and to wake another one would cost more than the jobs do.  While jobs
    still wait, the owner calls `hand_over` again after `PATIENCE`.

    The threads are daemons: one whose job never ends does not keep the process from ending.

    Arguments:
        most: how many threads there are at most.
        perform: called in a worker with each job; it raises nothing.
    """

    PATIENCE = 0.001
    """Seconds after which a job that still waits gets another thread."""

    def __init__(self, most: int, perform: Callable[[J], None]) -> None:
        self._most = most
        self._perform = perform
        self._jobs: deque[J] = deque()
        self._threads: set[threading.Thread] = set()
        # One lock for each worker that sleeps; to release it is to wake the worker.
        self._asleep: list[threading.Lock] = []
        self._over = False

    def __contains__(self, thread: object) -> bool:
        return thread in self._threads

    def submit(self, job: J) -> None:
        """Queue a job; `hand_over` has to follow."""
        self._jobs.append(job)

    @property
    def waiting(self) -> int:
        """How many jobs no thread has begun."""
        return len(self._jobs)

    @property
    def short(self) -> bool:
        """Whether jobs wait for which there is a thread, or room for one."""
        return bool(self._jobs) and (bool(self._asleep) or len(self._threads) < self._most)

    def hand_over(self) -> None:
        """Wake or start one thread, if jobs wait."""
        if not self._jobs:
            return
        if self._asleep:
            self._asleep.pop().release()
        elif len(self._threads) < self._most:
            try:
                self.start_one()
            except (RuntimeError, MemoryError) as error:
                # The jobs wait for the threads that there are.
                host.LOG.warning("no room for one more thread, handlers wait: %s", error)

    def start_one(self) -> None:
        """Start a thread.

        Raises:
            RuntimeError, MemoryError: there is no room for it.
        """
        thread = threading.Thread(target=self._work, name="smtpproto-handler", daemon=True)
        self._threads.add(thread)
        try:
            thread.start()
        except BaseException:
            self._threads.remove(thread)
            raise

    def end(self) -> None:
        """Drop the jobs that still wait, and let each thread end once it has none."""
        self._over = True
        self._jobs.clear()
        while self._asleep:
            self._asleep.pop().release()

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
                # While this sleeps, the job must not keep a connection in memory.
                del job

    def _sleep(self, wake: threading.Lock) -> None:
        self._asleep.append(wake)
        if self._jobs or self._over:
            # They came before the owner could see that this sleeps.
            try:
                self._asleep.remove(wake)
            except ValueError:
                pass  # The owner is about to release it.
            else:
                return
        wake.acquire()
