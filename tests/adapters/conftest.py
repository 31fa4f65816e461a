from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.adapters.worlds import Asyncio, Sync, Trio, World, nothing_left_over


@pytest.fixture(params=[Sync, Trio, Asyncio], ids=["sync", "trio", "asyncio"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Each adapter in its turn, and nothing may be left of it."""
    with nothing_left_over():
        world: World = request.param()
        yield world
        world.close()
