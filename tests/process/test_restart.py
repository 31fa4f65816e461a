"""Restarting and stopping under load: nobody loses a message, nobody is refused but with 421."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from smtpproto.cli.common import IO
from smtpproto.conversations import Status
from tests.effort import effort
from tests.process.load import Load, found
from tests.programs import serve, until

KINDS = pytest.mark.parametrize("io", IO)
RESTARTS = effort(1, 3)


@KINDS
def test_a_rolling_restart(io: str, tmp_path: Path) -> None:
    with serve("--maildir", str(tmp_path), "--workers", "4", "--io", io) as server:
        load = Load(server.port, 1)
        with load.running():
            for _ in range(RESTARTS):
                before = set(server.workers())
                load.wait_until_accepted(len(load.accepted) + 25)
                server.send_signal(signal.SIGHUP)
                until(
                    lambda old=before: not old & set(server.workers()),  # type: ignore[misc]  # no type for it
                    40,
                    "that all are replaced",
                )
                assert len(server.workers()) == 4
            load.stop()
        assert server.stop() == 0
        assert server.stderr == ""
    there = found(tmp_path)
    print(f"{len(load.accepted)} accepted, refusals: {dict(load.refusals)}")
    assert load.troubles == []
    assert set(load.refusals) <= {421}
    assert set(there) == load.accepted
    assert set(there.values()) == {1}
    assert len(there) > 20


@KINDS
@pytest.mark.parametrize("workers", [[], ["--workers", "2"]])
def test_a_stop_under_load(workers: list[str], io: str, tmp_path: Path) -> None:
    with serve("--maildir", str(tmp_path), "--io", io, *workers) as server:
        load = Load(server.port, 1)
        with load.running():
            load.wait_until_accepted(10)
            assert server.stop() == 0
            load.stop()
        assert server.stderr == ""
    there = found(tmp_path)
    print(f"{len(load.accepted)} accepted, refusals: {dict(load.refusals)}")
    assert set(load.refusals) <= {421}
    assert load.of(Status.UNKNOWN) == set()
    assert set(there) == load.accepted
    assert set(there.values()) == {1}
