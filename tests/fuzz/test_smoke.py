"""A short run of each fuzz target, the same each time; `python -m tests.fuzz.…` makes long ones."""

from __future__ import annotations

from random import Random
from types import ModuleType

import pytest

from tests.effort import effort
from tests.fuzz import campaign, fuzz_client, fuzz_parsers, fuzz_server

INPUTS = effort(1600, 3000)


@pytest.mark.parametrize("target", [fuzz_server, fuzz_client, fuzz_parsers])
def test_nothing_is_found(target: ModuleType) -> None:
    seeds = target.seeds()
    count = campaign.run(target.target, seeds, inputs=INPUTS, seconds=60, seed=1)
    # Of the seeds each, and of mutants many.
    assert count == INPUTS > 2 * len(seeds)


def test_what_is_wrong_is_found() -> None:
    def target(data: bytes) -> None:
        if b"\n.\n" in data:
            raise ValueError("found")

    with pytest.raises(ValueError, match="found"):
        campaign.run(target, [b"DATA\r\n.\r\n"], inputs=20_000, seconds=60, seed=1)


def test_inputs_repeat_themselves() -> None:
    def first(seed: int) -> list[bytes]:
        mutants = campaign.mutants([b"MAIL FROM:<a@b>\r\n"], Random(seed))
        return [next(mutants) for _ in range(50)]

    assert first(1) == first(1)
    assert first(1) != first(2)
