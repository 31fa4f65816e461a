"""A relay in a process of its own that is killed and starts again, and the server behind it.

That server refuses for now and for good, and drops connections.  The relay's name in EHLO says
which of its lives a message came from.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from examples.names import name_server
from examples.relay.delivery import Schedule
from examples.relay.store import Store
from smtpproto import Rcpt, Reply, Session, sync
from smtpproto.sync import Envelope
from tests.effort import effort
from tests.programs import HOST, ROOT, environment, until
from tests.relay.world import zone

KILLS = effort(3, 8)
REFUSED_FOR_GOOD = 7  # every number that this divides


def new_dice() -> random.Random:
    """Dice that a failed test says how to throw again."""
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    return random.Random(seed)


class Dropped(BaseException):
    """Closes the session without a reply."""


class Delivery(NamedTuple):
    """A message that the server behind has taken."""

    life: str
    dropped: bool  # so that the relay was not told


@dataclass
class Unfriendly:
    """The server behind the relay.

    Attributes:
        delivered: the messages by their number.
        told: the notifications by the number of the message that they are about.
    """

    dice: random.Random
    delivered: defaultdict[str, list[Delivery]] = field(default_factory=lambda: defaultdict(list))
    told: defaultdict[str, list[Delivery]] = field(default_factory=lambda: defaultdict(list))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def rcpt(self, session: Session, rcpt: Rcpt) -> Reply | None:
        if number_in(str(rcpt.forward_path)) % REFUSED_FOR_GOOD == 0:
            return Reply(550, "5.1.1", "no such user")
        return Reply(450, "4.2.1", "not now") if self.dice.random() < 0.1 else None

    def message(self, session: Session, envelope: Envelope, content: bytes) -> Reply | None:
        chance = self.dice.random()
        if chance < 0.05:
            return Reply(452, "4.3.1", "no room")
        if chance < 0.1:
            raise Dropped
        dropped = chance < 0.15
        delivery = Delivery(str(session.name), dropped)
        with self._lock:
            if envelope.reverse_path.mailbox is None:
                (about,) = re.findall(rb"Final-Recipient: rfc822;(.*)\r\n", content)
                self.told[about.decode()].append(delivery)
            else:
                (rcpt,) = envelope.forward_paths
                self.delivered[str(rcpt.mailbox)].append(delivery)
        if dropped:
            raise Dropped
        return None

    def unnecessary(self) -> int:
        """How often something came again though no connection was dropped: one for each kill.

        Within one life of the relay that must not happen.
        """
        count = 0
        for deliveries in [*self.delivered.values(), *self.told.values()]:
            for first, second in itertools.pairwise(deliveries):
                assert first.dropped or first.life != second.life, deliveries
                count += not first.dropped
        return count


def number_in(address: str) -> int:
    """The number of a recipient; 1 if there is none."""
    found = re.search(r"[0-9]+", address)
    return int(found[0]) if found is not None else 1


@dataclass
class World:
    """What a relay needs."""

    queue: Path
    dns: int
    port: int
    lives: int = 0

    @contextlib.contextmanager
    def relay(self) -> Iterator[tuple[subprocess.Popen[str], int]]:
        """A relay in its next life, and its port; killed at the end if it still runs."""
        self.lives += 1
        command = [
            *(sys.executable, "-W", "error", "-m", "examples.relay", "serve", str(self.queue)),
            *("--listen", "0", "--hostname", f"life{self.lives}.relay.example"),
            *("--dns", f"{HOST}:{self.dns}", "--port", str(self.port)),
            *("--first", "0.1"),
        ]
        with (
            (self.queue.parent / "log").open("ab") as log,
            subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment(),
                cwd=ROOT,
            ) as process,
        ):
            try:
                assert process.stdout is not None
                line = process.stdout.readline()
                assert line.startswith("listening on "), self.log()
                yield process, int(line.rpartition(":")[2])
            finally:
                process.kill()

    def log(self) -> str:
        return (self.queue.parent / "log").read_text(encoding="utf-8")

    def finish(self) -> None:
        """A last life that delivers what is left and ends as a program does."""
        with self.relay() as (process, _):
            store = Store(self.queue)
            until(lambda: not store.listing(), 180, "an empty queue")
            store.close()
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        assert "Traceback" not in self.log(), self.log()


@contextlib.contextmanager
def world(folder: Path, behind: Unfriendly) -> Iterator[World]:
    with (
        name_server(zone("example.com", "example.org")) as resolver,
        sync.serve(behind, hostname="mx.example", received=False) as server,
    ):
        yield World(folder / "queue.db", resolver.port, server.port)


def check(behind: Unfriendly, accepted: set[int], unknown: set[int], address: str) -> None:
    """Count in and out."""
    there = {number_in(each) for each in behind.delivered}
    told = {number_in(each) for each in behind.told}
    again = behind.unnecessary()
    print(
        f"{len(accepted)} accepted, {len(unknown)} unknown to the client; {len(there)} delivered, "
        f"{len(told)} told; again after a kill: {again}"
    )
    assert {address.format(number) for number in there} == set(behind.delivered)
    assert not there & told
    assert {number for number in accepted if number % REFUSED_FOR_GOOD == 0} <= told
    assert {number for number in accepted if number % REFUSED_FOR_GOOD} <= there
    # What a client could send again because it was told so never came.
    assert there | told <= accepted | unknown
    # For each kill, at most what was being delivered then.
    assert again <= KILLS * 2 * Schedule.each
