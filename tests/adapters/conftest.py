from __future__ import annotations

from collections.abc import Iterator

import pytest

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
