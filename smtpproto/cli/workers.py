"""Several processes that serve together: started, watched, replaced.

The supervisor opens the listening sockets and keeps them.  Each worker accepts from the sockets of
its place (SO_REUSEPORT spreads the connections).  So a socket stays open while its worker is
replaced: a client that waits in its queue is served by the next worker.

Signals to the supervisor: SIGINT and SIGTERM let all workers finish and end; a second one ends them
at once.  SIGHUP replaces the workers one by one: the old one finishes while the new one already
accepts; but if it says that the terminal is closed, all finish.  The supervisor replaces a worker
that dies, with a longer pause each time.  If the supervisor itself is killed, the workers notice
the end of a pipe and finish too.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from .common import CannotRun
from .signals import STOPPING, Signals
from .terminal import OutputClosed, OutputFailed, complain

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0
# Seconds after which a worker counts as working.
SETTLED = 10.0
# The status of a worker whose output was closed: the same that a shell shows for SIGPIPE.
UNREAD = 128 + signal.SIGPIPE
# Seconds after the grace period before a worker is killed.
SPARE = 5.0
# Octets of a process id in the pipe of workers that are ready.
PID = 4

Work = Callable[[list[socket.socket], Callable[[], None], int], None]
"""The function that a worker runs.

Its arguments: the sockets; a function to call when it serves; a file whose end tells it to stop.
"""


def back_off(deaths: int) -> float:
    """Return the seconds to wait before a worker is replaced.

    Arguments:
        deaths: how often in a row it died before it counted as working.
    """
    return 0.0 if deaths == 0 else min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(deaths, 10))


@dataclass(eq=False, slots=True)
class Worker:
    """A worker process.

    Arguments:
        pid: its process id.
        place: the number of its place.
        born: when it was started, on the clock `time.monotonic`.
        serves: whether it has said that it serves.
        leaving: whether it was told to end.
    """

    pid: int
    place: int
    born: float
    serves: bool = False
    leaving: bool = False


class Supervisor:
    """Runs one worker in each place.

    Arguments:
        places: the listening sockets of each worker.
        work: run in each worker, after `fork`.
        announce: called once, when all workers serve.
        grace: seconds that workers have to finish.
    """

    def __init__(
        self,
        places: list[list[socket.socket]],
        work: Work,
        announce: Callable[[], None],
        grace: float,
    ) -> None:
        self._places = places
        self._work = work
        self._announce = announce
        self._grace = grace
        self._workers: dict[int, Worker] = {}
        # How often in a row the worker of a place died, and when to start the next one.
        self._deaths = [0] * len(places)
        self._due: dict[int, float] = {}
        self._to_replace: deque[int] = deque()
        self._announced = False
        self._kill_at: float | None = None
        self._failed = self._unread = False
        self._on_terminal = os.isatty(0)

    def run(self) -> int:
        """Run until a signal stops it; return the exit status.

        Raises:
            CannotRun: a worker did not start.
            OutputClosed: the reader of the workers' output has closed it.
        """
        self._lifeline, self._alive = os.pipe()
        self._ready, self._say_ready = os.pipe()
        with Signals(*STOPPING, signal.SIGHUP, signal.SIGCHLD) as self._signals:
            try:
                for place in range(len(self._places)):
                    self._start(place)
                while self._workers or self._kill_at is None:
                    self._turn()
            finally:
                self._end()
        if self._unread:
            raise OutputClosed
        if self._failed:
            raise CannotRun("a worker did not start: see above")
        return 0

    def _turn(self) -> None:
        """Wait for an event, and handle it."""
        times = [*self._due.values(), *([self._kill_at] if self._kill_at is not None else [])]
        patience = max(0.0, min(times) - time.monotonic()) if times else None
        if self._ready in select.select([self._signals.number, self._ready], [], [], patience)[0]:
            self._serves(int.from_bytes(os.read(self._ready, PID), "big"))
        for number in self._signals.read():
            if number in STOPPING:
                self._stop()
            elif number == signal.SIGHUP and self._kill_at is None:
                if self._on_terminal and not os.isatty(0):
                    # The terminal is closed.
                    self._stop()
                else:
                    self._to_replace = deque(range(len(self._places)))
        # Several signals may arrive as one, so check each worker; one by one, because this process
        # may have other children.
        for worker in list(self._workers.values()):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._gone(worker, os.waitstatus_to_exitcode(status))
        for place in [place for place, due in self._due.items() if due <= time.monotonic()]:
            del self._due[place]
            if not self._try_to_start(place):
                self._due[place] = time.monotonic() + LONGEST_PAUSE
        self._replace_next()
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._tell(self._workers.values(), signal.SIGKILL)

    # --- what happens -------------------------------------------------------------------------

    def _at(self, place: int) -> list[Worker]:
        """Return the workers of a place that stay: one, or two while one replaces the other."""
        return [each for each in self._workers.values() if each.place == place and not each.leaving]

    def _stop(self) -> None:
        """Let all workers finish; the second time, end them at once."""
        if self._kill_at is not None:
            self._tell(self._workers.values(), signal.SIGKILL)
            return
        self._kill_at = time.monotonic() + self._grace + SPARE
        self._due.clear()
        self._to_replace.clear()
        self._close_listeners()
        self._tell(self._workers.values(), signal.SIGTERM)

    def _tell(self, workers: Iterable[Worker], number: int) -> None:
        for worker in workers:
            worker.leaving = True
            os.kill(worker.pid, number)

    def _serves(self, pid: int) -> None:
        """A worker serves: let the one that it replaces finish."""
        worker = self._workers.get(pid)
        if worker is None:
            # It has ended already.
            return
        worker.serves = True
        if not worker.leaving:
            self._tell([old for old in self._at(worker.place) if old is not worker], signal.SIGTERM)
        if not self._announced and all(each.serves for each in self._workers.values()):
            self._announced = True
            self._announce()

    def _gone(self, worker: Worker, status: int) -> None:
        """A worker has ended: start another one, or keep the old one of its place."""
        del self._workers[worker.pid]
        place = worker.place
        if worker.leaving:
            return
        if status == UNREAD or not self._announced:
            self._unread |= status == UNREAD
            self._failed |= status != UNREAD
            if self._kill_at is None:
                self._stop()
            return
        how = f"worker {worker.pid} ended " + (
            f"by signal {-status}" if status < 0 else f"with status {status}"
        )
        if self._at(place):
            if worker.serves:
                complain(f"{how}: another one starts already")
            else:
                self._to_replace.clear()
                complain(f"{how} before it served: the old workers stay")
            return
        settled = time.monotonic() - worker.born >= SETTLED
        self._deaths[place] = 0 if settled else self._deaths[place] + 1
        pause = back_off(self._deaths[place])
        self._due[place] = time.monotonic() + pause
        complain(f"{how}: another one starts in {pause:g} seconds")

    def _replace_next(self) -> None:
        """Once all others serve, start a worker beside the next one to be replaced."""
        while self._to_replace and all(each.serves for each in self._workers.values()):
            place = self._to_replace.popleft()
            # If there is none, the next one to be started is new anyway.
            if self._at(place):
                self._try_to_start(place)

    # --- processes ----------------------------------------------------------------------------

    def _try_to_start(self, place: int) -> bool:
        """Start a worker; return False if the system has no room for it at the moment."""
        try:
            self._start(place)
        except OSError as error:
            complain(f"no worker can be started: {error}")
            return False
        return True

    def _start(self, place: int) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        caught = {*STOPPING, signal.SIGHUP, signal.SIGCHLD}
        # A signal to the child must not be written into the pipe that it shares with us.
        signal.pthread_sigmask(signal.SIG_BLOCK, caught)
        try:
            pid = os.fork()
            if pid == 0:
                self._be_worker(place, caught)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, caught)
        self._workers[pid] = Worker(pid, place, time.monotonic())

    def _be_worker(self, place: int, caught: set[signal.Signals]) -> None:
        """Run as worker; never returns."""
        status = 1
        try:
            for other in STOPPING:
                # Stopped before it serves, it has nothing to finish.
                signal.signal(other, lambda *_: os._exit(0))
            # The supervisor handles the signals that the terminal sends to all processes.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(self._alive)
            os.close(self._ready)
            self._signals.abandon()
            self._close_listeners(self._places[place])
            signal.pthread_sigmask(signal.SIG_UNBLOCK, caught)

            def started() -> None:
                os.write(self._say_ready, os.getpid().to_bytes(PID, "big"))

            self._work(self._places[place], started, self._lifeline)
            status = 0
        except OutputClosed:
            status = UNREAD
        except (CannotRun, OSError, OutputFailed) as error:
            status = 2
            complain(f"worker {os.getpid()}: {error}")
        except BaseException:  # noqa: BLE001  # no exception may leave a forked child
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _close_listeners(self, but: Collection[socket.socket] = ()) -> None:
        for listeners in self._places:
            for listener in listeners:
                # Workers may share a socket.
                if listener not in but:
                    listener.close()

    def _end(self) -> None:
        """End all workers."""
        self._tell(self._workers.values(), signal.SIGKILL)
        for worker in self._workers.values():
            os.waitpid(worker.pid, 0)
        for file in (self._lifeline, self._alive, self._ready, self._say_ready):
            os.close(file)
        self._close_listeners()
