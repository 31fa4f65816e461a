from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto.conversations.pool import Fate, PoolLimits, Shelf, Taken


def test_an_empty_shelf_asks_for_a_new_connection() -> None:
    assert Shelf[str](PoolLimits()).take(0.0) == Taken(None, False, ())


def test_what_came_back_last_is_used_first() -> None:
    shelf = Shelf[str](PoolLimits())
    for name in ("one", "two"):
        assert shelf.put(name, 1.0, ready=True, messages=1) is Fate.KEEP
    assert len(shelf) == 2
    assert [shelf.take(2.0).connection for _ in range(3)] == ["two", "one", None]


@pytest.mark.parametrize("seconds, check", [(0.0, False), (4.9, False), (5.0, True), (59.0, True)])
def test_after_a_while_a_connection_is_tried_out(seconds: float, check: bool) -> None:
    shelf = Shelf[str](PoolLimits(trusted=5.0))
    shelf.put("one", 100.0, ready=True, messages=1)
    assert shelf.take(100.0 + seconds) == Taken("one", check, ())


def test_what_was_idle_for_too_long_is_given_up() -> None:
    shelf = Shelf[str](PoolLimits(idle=60.0))
    shelf.put("old", 0.0, ready=True, messages=1)
    shelf.put("older than most", 10.0, ready=True, messages=1)
    shelf.put("new", 50.0, ready=True, messages=1)
    assert shelf.expire(59.9) == ()
    assert shelf.take(70.0) == Taken("new", True, ("old", "older than most"))
    assert shelf.take(70.0) == Taken(None, False, ())


@pytest.mark.parametrize(
    "own, most, messages, fate",
    [
        (100, None, 99, Fate.KEEP),
        (100, None, 100, Fate.QUIT),
        (None, None, 10_000, Fate.KEEP),
        (None, 3, 2, Fate.KEEP),
        (None, 3, 3, Fate.QUIT),
        (100, 3, 3, Fate.QUIT),
        (2, 3, 2, Fate.QUIT),
    ],
)
def test_a_connection_carries_so_many_messages(
    own: int | None, most: int | None, messages: int, fate: Fate
) -> None:
    shelf = Shelf[str](PoolLimits(messages=own))
    assert shelf.put("one", 0.0, ready=True, messages=messages, most=most) is fate
    assert len(shelf) == (fate is Fate.KEEP)


def test_what_is_not_ready_is_closed() -> None:
    shelf = Shelf[str](PoolLimits())
    assert shelf.put("broken", 0.0, ready=False, messages=0) is Fate.CLOSE
    assert len(shelf) == 0


def test_after_closing_nothing_is_kept() -> None:
    shelf = Shelf[str](PoolLimits())
    shelf.put("one", 0.0, ready=True, messages=1)
    assert shelf.close() == ("one",)
    assert shelf.close() == ()
    assert shelf.put("two", 1.0, ready=True, messages=1) is Fate.QUIT
    assert shelf.put("three", 1.0, ready=False, messages=1) is Fate.CLOSE


@pytest.mark.parametrize(
    "wrong, complaint",
    [
        ({"connections": 0}, "connections is 0; the least is 1"),
        ({"messages": 0}, "messages is 0; the least is 1"),
        ({"idle": -1.0}, "idle is -1 seconds; the least is 0"),
        ({"trusted": -0.5}, "trusted is -0.5 seconds; the least is 0"),
    ],
)
def test_bounds_have_a_range(wrong: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        PoolLimits(**wrong)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "put", "broken", "expire"]),
        st.floats(min_value=0, max_value=40, allow_nan=False),
    ),
    max_size=60,
)


@given(STEPS)
def test_a_connection_is_in_one_place_at_a_time(steps: list[tuple[str, float]]) -> None:
    """Nothing is handed out twice, nothing is lost, and what is handed out is never too old."""
    limits = PoolLimits(idle=60.0, trusted=5.0, messages=None)
    shelf = Shelf[int](limits)
    now, made = 0.0, 0
    since: dict[int, float] = {}
    out: list[int] = []
    gone: set[int] = set()
    for step, seconds in steps:
        now += seconds
        if step == "take":
            taken = shelf.take(now)
            gone.update(taken.expired)
            if taken.connection is None:
                assert len(shelf) == 0
                out.append(made)
                made += 1
            else:
                assert taken.connection not in out
                assert taken.connection not in gone
                age = now - since[taken.connection]
                assert age < limits.idle
                assert taken.check is (age >= limits.trusted)
                out.append(taken.connection)
        elif step == "expire":
            gone.update(shelf.expire(now))
        elif out:
            connection = out.pop(0)
            fate = shelf.put(connection, now, ready=step == "put", messages=1)
            since[connection] = now
            if fate is not Fate.KEEP:
                gone.add(connection)
        assert len(shelf) + len(out) + len(gone) == made
