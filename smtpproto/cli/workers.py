"""Several processes that serve together: started, replaced when they die, restarted one by one.

The supervisor makes the listening sockets and keeps them, each worker accepts from one of them
(SO_REUSEPORT spreads the connections).  So a socket lives on while its worker is replaced: what has
connected and was not accepted yet waits for the next worker, and nobody is turned away.

Signals to the supervisor: SIGINT and SIGTERM let all workers finish and end, a second one ends them
at once; SIGHUP replaces the workers one by one, the old one finishing while the new one already
accepts.  A worker that dies is replaced, the more often it dies the later.  If the supervisor
itself is killed, the workers notice by the end of a pipe and finish too.
"""

from __future__ import annotations

import contextlib
import enum
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from .common import CannotRun, OutputClosed, complain, reason
from .signals import STOPPING, Signals

__all__ = ["Supervisor", "back_off"]

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0
# Seconds after which a worker counts as one that works.
SETTLED = 10.0
# Status of a worker whose output has no reader: what a shell shows for SIGPIPE.
UNREAD = 128 + signal.SIGPIPE
# Seconds beyond the time that transactions have, before a worker is killed.
SPARE = 5.0

Work = Callable[[list[socket.socket], Callable[[], None], int], None]
"""What a worker does.

It is given its sockets, what to call once it serves, and a file whose end means stop.
"""


def back_off(deaths: int) -> float:
    """Seconds to wait before a worker is replaced.

    Arguments:
        deaths: how often in a row it died before it had settled.
    """
    return 0.0 if deaths == 0 else min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(deaths, 10))


class Stage(enum.Enum):
    """Where a worker is in its life."""

    STARTING = "not ready yet"
    SERVING = "accepts"
    LEAVING = "was told to stop"


@dataclass(eq=False, slots=True)
class Worker:
    """A process."""

    slot: int
    pid: int
    ready: int
    born: float
    stage: Stage = Stage.STARTING


@dataclass(slots=True)
class Slot:
    """The place of a worker: sockets, who has it, and when the next one is due if nobody has."""

    listeners: list[socket.socket]
    worker: Worker | None = None
    deaths: int = 0
    due: float | None = None


class Supervisor:
    """Runs workers.

    Arguments:
        places: the listening sockets of each worker.
        work: run in each worker, after `fork`.
        announce: called once all workers serve for the first time.
        grace: seconds that workers have to finish.
    """

    def __init__(
        self,
        places: list[list[socket.socket]],
        work: Work,
        announce: Callable[[], None],
        grace: float,
    ) -> None:
        self._slots = [Slot(listeners) for listeners in places]
        self._work = work
        self._announce = announce
        self._grace = grace
        self._workers: dict[int, Worker] = {}
        self._announced = False
        self._replacing: Worker | None = None
        self._to_replace: deque[int] = deque()
        self._kill_at: float | None = None
        self._failed = self._unread = False

    def run(self) -> int:
        """Run until told to stop; the exit status.

        Raises:
            CannotRun: a worker did not even start.
            OutputClosed: the reader of the workers' output is gone.
        """
        self._lifeline, self._alive = os.pipe()
        with Signals(*STOPPING, signal.SIGHUP, signal.SIGCHLD) as self._signals:
            try:
                for number in range(len(self._slots)):
                    self._start(number)
                while self._workers or not self._stopping:
                    self._turn()
            finally:
                self._end()
        if self._unread:
            raise OutputClosed
        if self._failed:
            raise CannotRun("a worker did not start: see above")
        return 0

    @property
    def _stopping(self) -> bool:
        return self._kill_at is not None

    def _turn(self) -> None:
        """Wait for something to happen, and see to it."""
        poll = select.poll()
        poll.register(self._signals.number, select.POLLIN)
        for worker in self._workers.values():
            if worker.stage is Stage.STARTING:
                poll.register(worker.ready, select.POLLIN)
        happened = {number for number, _ in poll.poll(self._patience())}
        for worker in list(self._workers.values()):
            if worker.ready in happened:
                self._said(worker)
        for number in self._signals.read():
            self._signalled(number)
        # Signals of one kind may come as one, so whoever may have died is asked each time.
        self._reap()
        self._start_due()
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._tell_all(signal.SIGKILL)

    def _patience(self) -> float | None:
        """Milliseconds until something is due; None: nothing is."""
        times = [slot.due for slot in self._slots] + [self._kill_at]
        due = min((when for when in times if when is not None), default=None)
        return None if due is None else max(0.0, due - time.monotonic()) * 1000

    # --- what happens -------------------------------------------------------------------------

    def _signalled(self, number: int) -> None:
        if number in STOPPING:
            self._stop()
        elif number == signal.SIGHUP and not self._stopping:
            self._to_replace = deque(range(len(self._slots)))
            self._replace_next()

    def _stop(self) -> None:
        """Let all workers finish; the second time end them at once."""
        if self._stopping:
            self._tell_all(signal.SIGKILL)
            return
        self._kill_at = time.monotonic() + self._grace + SPARE
        for slot in self._slots:
            slot.due = None
            for listener in slot.listeners:
                listener.close()
        self._tell_all(signal.SIGTERM)

    def _tell_all(self, number: int) -> None:
        for worker in self._workers.values():
            worker.stage = Stage.LEAVING
            os.kill(worker.pid, number)

    def _said(self, worker: Worker) -> None:
        """A worker said that it serves, or its pipe has ended without that."""
        if not os.read(worker.ready, 1):
            # It is about to end: wait for that, as the pipe stays readable.
            _, status = os.waitpid(worker.pid, 0)
            self._gone(worker, os.waitstatus_to_exitcode(status))
            return
        worker.stage = Stage.SERVING
        slot = self._slots[worker.slot]
        before, slot.worker = slot.worker, worker
        if before is not None and before is not worker:
            before.stage = Stage.LEAVING
            os.kill(before.pid, signal.SIGTERM)
        if self._replacing is worker:
            self._replacing = None
            self._replace_next()
        if not self._announced and all(
            slot.worker is not None and slot.worker.stage is Stage.SERVING for slot in self._slots
        ):
            self._announced = True
            self._announce()

    def _reap(self) -> None:
        # One by one: other children of this process are not ours to reap.
        for worker in list(self._workers.values()):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._gone(worker, os.waitstatus_to_exitcode(status))

    def _gone(self, worker: Worker, status: int) -> None:
        """A worker has ended."""
        del self._workers[worker.pid]
        os.close(worker.ready)
        if worker.stage is Stage.LEAVING:
            return
        if status == UNREAD:
            self._unread = True
            if not self._stopping:
                self._stop()
            return
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        if worker is self._replacing:
            complain(f"worker {worker.pid} ended {how} before it served: the old workers stay")
            self._replacing = None
            self._to_replace.clear()
            return
        slot = self._slots[worker.slot]
        slot.worker = None
        if not self._announced:
            self._failed = True
            if not self._stopping:
                self._stop()
            return
        settled = time.monotonic() - worker.born >= SETTLED
        slot.deaths = 0 if settled else slot.deaths + 1
        pause = back_off(slot.deaths)
        slot.due = time.monotonic() + pause
        complain(f"worker {worker.pid} ended {how}: another one starts in {pause:g} seconds")

    def _start_due(self) -> None:
        for number, slot in enumerate(self._slots):
            if slot.due is not None and time.monotonic() >= slot.due:
                slot.due = None
                if self._try_to_start(number) is None:
                    slot.due = time.monotonic() + LONGEST_PAUSE

    def _replace_next(self) -> None:
        """Start the next of those who replace a worker that serves."""
        while self._replacing is None and self._to_replace:
            number = self._to_replace.popleft()
            # Where nobody serves, whoever comes next is new in any case.
            if self._slots[number].worker is not None:
                self._replacing = self._try_to_start(number)

    def _try_to_start(self, number: int) -> Worker | None:
        """Start a worker; None if the machine has no room for it, which passes."""
        try:
            return self._start(number)
        except OSError as error:
            complain(f"no worker can be started: {reason(error)}")
            return None

    # --- processes ----------------------------------------------------------------------------

    def _start(self, number: int) -> Worker:
        """Start a worker; where there is none, it has the place at once."""
        sys.stdout.flush()
        sys.stderr.flush()
        ready, says_ready = os.pipe()
        caught = {*STOPPING, signal.SIGHUP, signal.SIGCHLD}
        # A signal to the child must not be written into the pipe that it shares with us.
        signal.pthread_sigmask(signal.SIG_BLOCK, caught)
        try:
            pid = os.fork()
            if pid == 0:
                os.close(ready)
                self._be_worker(number, says_ready, caught)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, caught)
        os.close(says_ready)
        worker = Worker(number, pid, ready, time.monotonic())
        self._workers[pid] = worker
        if self._slots[number].worker is None:
            self._slots[number].worker = worker
        return worker

    def _be_worker(self, number: int, says_ready: int, caught: set[signal.Signals]) -> None:
        """Be a worker; never returns."""
        status = 1
        try:
            for other in STOPPING:
                signal.signal(other, _leave_at_once)
            # What the terminal sends to all of us is for the supervisor.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._close_what_is_not_of(number)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, caught)

            def started() -> None:
                os.write(says_ready, b"!")

            self._work(self._slots[number].listeners, started, self._lifeline)
            status = 0
        except (CannotRun, OSError) as error:
            complain(f"worker {os.getpid()}: {reason(error)}")
            status = 2
        except OutputClosed:
            status = UNREAD
        except BaseException:  # noqa: BLE001  # nothing may get out of a forked child
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _close_what_is_not_of(self, number: int) -> None:
        """Close what a worker has inherited and must not keep open."""
        os.close(self._alive)
        self._signals.abandon()
        for worker in self._workers.values():
            os.close(worker.ready)
        mine = {id(listener) for listener in self._slots[number].listeners}
        for slot in self._slots:
            for listener in slot.listeners:
                # Workers may share one.
                if id(listener) not in mine:
                    listener.close()

    def _end(self) -> None:
        """Whatever happened: nobody is left."""
        self._tell_all(signal.SIGKILL)
        for worker in self._workers.values():
            os.waitpid(worker.pid, 0)
            os.close(worker.ready)
        os.close(self._lifeline)
        os.close(self._alive)
        for slot in self._slots:
            for listener in slot.listeners:
                listener.close()


def _leave_at_once(*_: object) -> None:
    """A worker that is told to stop before it serves has nothing to finish."""
    os._exit(0)
