"""kill -9 at any moment: what got 250 is there, whole and once; what did not end is not."""

from __future__ import annotations

import os
import random
import signal
import socket
import time
from collections import Counter
from pathlib import Path

import pytest

from smtpproto.cli.common import IO
from smtpproto.conversations import Status
from tests.effort import effort
from tests.process.load import Load, found
from tests.programs import HOST, Serve, serve

ROUNDS = effort(2, 5)
KINDS = pytest.mark.parametrize("io", IO)


def check(load: Load, there: Counter[int]) -> None:
    assert load.accepted <= set(there)
    assert set(there.values()) <= {1}
    # Nobody may be told that trying again is safe, and get it twice.
    assert not load.of(Status.FAILED, Status.REFUSED) & set(there)
    # Where nobody can know, the outcome says so.
    assert set(there) <= load.accepted | load.of(Status.UNKNOWN)


def unfinished(port: int) -> socket.socket:
    """A session that has sent all of a message but the end of its content."""
    link = socket.create_connection((HOST, port), 20)
    with link.makefile("rb") as replies:
        link.sendall(b"HELO me.example\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n")
        while not replies.readline().startswith(b"354 "):
            pass
    link.sendall(b"X-Number: 0\r\n\r\nnobody shall see this\r\n.\r")
    return link


@KINDS
def test_the_server_is_killed(io: str, tmp_path: Path) -> None:
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    dice = random.Random(seed)
    first, lost, unknown = 1, 0, 0
    everything: set[int] = set()
    for _ in range(ROUNDS):
        with serve("--maildir", str(tmp_path), "--io", io) as server:
            link = unfinished(server.port)
            load = Load(server.port, seed, first)
            with load.running():
                # Early or late: how long the first messages take depends on the machine.
                load.wait_until_accepted(dice.randrange(2, 20))
                time.sleep(dice.uniform(0, 0.1))
                server.send_signal(signal.SIGKILL)
                server.process.wait()
                load.stop()
            link.close()
        first = max(load.outcomes, default=first) + 1
        there = found(tmp_path)
        everything |= load.accepted
        check(load, Counter({n: times for n, times in there.items() if n in load.outcomes}))
        # Nor does a later round lose what an earlier one had.
        assert everything <= set(there)
        assert 0 not in there
        unknown += len(load.of(Status.UNKNOWN))
        lost += len(load.of(Status.FAILED))
    print(f"{len(everything)} accepted, {unknown} unknown, {lost} not accepted")
    assert len(everything) > ROUNDS


@KINDS
def test_workers_are_killed(io: str, tmp_path: Path) -> None:
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    dice = random.Random(seed)
    with serve("--maildir", str(tmp_path), "--workers", "3", "--io", io) as server:
        link = unfinished(server.port)
        load = Load(server.port, seed, 1)
        with load.running():
            for _ in range(ROUNDS):
                time.sleep(dice.uniform(0.05, 0.8))
                kill_one(server, dice)
            # A worker takes time to start on a busy machine: those that took over accept, too.
            load.wait_until_accepted(ROUNDS + 1)
            load.stop()
        link.close()
        assert server.stop() == 0
    there = found(tmp_path)
    check(load, there)
    assert 0 not in there
    print(f"{len(load.accepted)} accepted, {len(load.of(Status.UNKNOWN))} unknown")
    assert len(load.accepted) > ROUNDS


def kill_one(server: Serve, dice: random.Random) -> None:
    workers = server.workers()
    if workers:
        os.kill(dice.choice(workers), signal.SIGKILL)
