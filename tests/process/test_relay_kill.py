"""examples/relay is killed again and again: what got a 250 is delivered, or its sender is told."""

from __future__ import annotations

import time
from pathlib import Path

from smtpproto.conversations import Status
from tests.process.load import Load
from tests.relay.lives import KILLS, Unfriendly, check, new_dice, world


def test_kills_under_load(tmp_path: Path) -> None:
    dice = new_dice()
    behind = Unfriendly(dice)
    first = 1
    accepted: set[int] = set()
    unknown: set[int] = set()
    with world(tmp_path, behind) as here:
        for _ in range(KILLS):
            with here.relay() as (process, port):
                load = Load(port, dice.getrandbits(32), first)
                with load.running():
                    load.wait_until_accepted(dice.randrange(2, 50))
                    time.sleep(dice.uniform(0, 0.1))
                    process.kill()
                    process.wait()
                    load.stop()
            first = max(load.outcomes, default=first) + 1
            accepted |= load.accepted
            unknown |= load.of(Status.UNKNOWN)
        here.finish()
    check(behind, accepted, unknown, "n{}@example.com")
    assert len(accepted) > KILLS
