"""Delivers what stands in the queue, and decides what follows from each attempt."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from examples.notification import Report, notification

from .attempt import Attempt, Routes, attempt, made_up
from .store import Job, Store, Work

LOG = logging.getLogger("examples.relay")


@dataclass(frozen=True)
class Schedule:
    """When and how much to deliver; all times are seconds."""

    first: float = 300  # until the second attempt; each further pause is twice as long
    longest: float = 4 * 3600  # the longest pause
    lifetime: float = 5 * 86400  # until the relay gives up (RFC 5321 section 4.5.4.1)
    workers: int = 50  # deliveries at once
    each: int = 10  # deliveries at once to one domain


class Deliverer:
    """A thread that looks for jobs, and others that do them."""

    def __init__(self, store: Store, routes: Routes, hostname: str, schedule: Schedule) -> None:
        self.store, self.routes, self.hostname, self.schedule = store, routes, hostname, schedule
        self.wake = threading.Event()  # set it to look for jobs now
        self._running: set[Job] = set()
        self._stopping = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """Begin no more deliveries, and wait for those that run."""
        self._stopping = True
        self.wake.set()
        self._thread.join()

    def _run(self) -> None:
        with ThreadPoolExecutor(self.schedule.workers) as workers:
            while not self._stopping:
                self.wake.clear()
                for job in self._jobs():
                    self._running.add(job)
                    workers.submit(self._do, job)
                self.wake.wait(min(1, self.schedule.first))

    def _jobs(self) -> Iterator[Job]:
        """Jobs to begin now: as many as may run, in all and for each domain."""
        running = self._running.copy()
        count, left = Counter(domain for _, domain in running), self.schedule.workers - len(running)
        busy = [domain for domain in count if count[domain] >= self.schedule.each]
        for job in self.store.due(time.time(), 2 * self.schedule.workers, busy) if left else ():
            if job not in running and left and count[job[1]] < self.schedule.each:
                count[job[1]] += 1
                left -= 1
                yield job

    def _do(self, job: Job) -> None:
        try:
            work = self.store.load(job)
            self._settle(job, work, attempt(self.routes, job, work))
        except Exception:
            # It stays among those that run: to try again and again might deliver it each time.
            LOG.exception("%s waits until the relay is started again", job)
        else:
            self._running.discard(job)
            self.wake.set()

    def _settle(self, job: Job, work: Work, came: Attempt) -> None:
        now = time.time()
        pause = min(self.schedule.first * 2.0 ** min(work.tries, 30), self.schedule.longest)
        retries: dict[int, tuple[float, str]] = {}
        reports: list[Report] = []
        rcpts = work.envelope.recipients
        for number, rcpt, reply in zip(work.numbers, rcpts, came.replies, strict=True):
            LOG.info("%d for %s: %s", job[0], rcpt.forward_path, reply)
            final = reply if reply.positive or reply.permanent else made_up(554, "5.4.7", reply)
            if final is not reply and now < work.arrived + self.schedule.lifetime:
                retries[number] = now + pause, str(reply)
            else:
                reports.append(Report(rcpt, final, came.server))
        reports = [each for each in reports if each.is_wanted(next_notifies=came.notifies)]
        mail, told = work.envelope.mail, None
        if reports and mail.reverse_path.mailbox is not None:
            told = notification(self.hostname, mail, work.content, reports)
        self.store.settle(job, set(work.numbers) - retries.keys(), retries, told, now)
