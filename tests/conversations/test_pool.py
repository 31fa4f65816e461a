from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto.conversations.errors import ConnectionLost, TransientError
from smtpproto.conversations.pool import Fate, PoolBase, PoolLimits, Shelf, Taken
from smtpproto.conversations.requests import Call, Flow
from smtpproto.conversations.steps import Steps
from smtpproto.errors import RemoteProtocolError


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


# --- what a pool asks of its adapter ----------------------------------------------------------


class Double:
    """A client as a pool sees it."""

    def __init__(self, *, fails: Exception | None = None, ready: bool = True) -> None:
        self.ready = ready
        self.deliveries = 1
        self.most_deliveries = None
        self.fails = fails
        self.asked: list[str] = []

    def noop(self) -> None:
        self.asked.append("noop")
        if self.fails is not None:
            self.ready = False
            raise self.fails

    def quit(self) -> None:
        self.asked.append("quit")
        if self.fails is not None:
            raise self.fails

    def close(self) -> None:
        self.asked.append("close")


def run(flow: Flow[Any]) -> Any:
    """An adapter that only calls."""
    steps = Steps(flow)
    for request in steps:
        assert isinstance(request, Call)
        try:
            steps.result = request.function(*request.arguments)
        except Exception as error:  # noqa: BLE001  # as an adapter does
            steps.error = error
    return steps.returned


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def pool_of(*clients: Double, **bounds: Any) -> tuple[PoolBase[Double], Clock]:
    clock = Clock()
    made = iter(clients)
    return PoolBase[Double](PoolLimits(**bounds), lambda: next(made), clock), clock


def test_a_client_goes_round() -> None:
    first, second = Double(), Double()
    pool, _ = pool_of(first, second)
    assert run(pool._take()) is first
    run(pool._put(first))
    assert run(pool._take()) is first
    assert run(pool._take()) is second
    assert first.asked == []


@pytest.mark.parametrize(
    "error", [ConnectionLost("gone"), RemoteProtocolError("nonsense"), TransientError("421")]
)
def test_one_that_does_not_answer_is_passed_over(error: Exception) -> None:
    first, second = Double(fails=error), Double()
    pool, clock = pool_of(first, second)
    run(pool._put(run(pool._take())))
    clock.now = 10.0
    assert run(pool._take()) is second
    assert first.asked == ["noop"]


def test_one_that_answers_and_says_goodbye_is_passed_over() -> None:
    first, second = Double(), Double()
    pool, clock = pool_of(first, second)
    run(pool._put(run(pool._take())))
    first.ready = False
    clock.now = 10.0
    assert run(pool._take()) is second


def test_the_fates() -> None:
    broken, worn, good = Double(ready=False), Double(), Double()
    worn.deliveries = 2
    pool, _ = pool_of(messages=2)
    for client in (broken, worn, good):
        run(pool._put(client))
    assert (broken.asked, worn.asked, good.asked) == (["close"], ["quit"], [])
    run(pool._close())
    assert good.asked == ["quit"]


def test_each_is_left_whatever_becomes_of_the_others() -> None:
    clients = [Double(), Double(fails=KeyError("a defect")), Double()]
    pool, clock = pool_of(Double())
    for client in clients:
        run(pool._put(client))
    clock.now = 100.0
    with pytest.raises(KeyError, match="a defect"):
        run(pool._take())
    assert [client.asked for client in clients] == [["quit"]] * 3


def test_a_connection_that_comes_back_while_the_pool_closes() -> None:
    """Between the look and the closing, as another thread may do."""
    shelf = Shelf[str](PoolLimits())
    closed: list[tuple[str, ...]] = []

    class Racing(deque[Any]):
        def append(self, entry: Any) -> None:
            super().append(entry)
            closed.append(shelf.close())

    shelf._idle = Racing()
    assert shelf.put("one", 0.0, ready=True, messages=1) is Fate.KEEP
    assert closed == [("one",)]
    assert len(shelf) == 0
