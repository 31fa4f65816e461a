from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from tests.adapters.event_loops import LOOPS, Run, run_in
from tests.adapters.worlds import Asyncio, Sync, Trio, Uvloop, World, nothing_left_over
from tests.effort import effort

WORLDS = effort([Sync, Trio, Asyncio], [Sync, Trio, Asyncio, Uvloop])


@pytest.fixture(params=WORLDS, ids=lambda world: world.__name__.lower())
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Each adapter in its turn, and nothing may be left of it."""
    with nothing_left_over():
        world: World = request.param()
        yield world
        world.close()


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a test body in each kind of asyncio's event loops."""
    return partial(run_in, request.param)
