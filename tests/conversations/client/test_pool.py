"""Which client of a pool is used again: `PoolBase` with clients and a clock of the test."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto.conversations.client.pool import PoolBase, PoolLimits
from smtpproto.conversations.errors import ConnectionLost, TransientError
from smtpproto.errors import LocalProtocolError, RemoteProtocolError
from smtpproto.testing import Link


class Double:
    """A client as a pool sees it."""

    def __init__(
        self,
        *,
        fails: BaseException | None = None,
        ready: bool = True,
        deliveries: int = 1,
        most: int | None = None,
    ) -> None:
        self.ready = ready
        self.deliveries = deliveries
        self.most_deliveries = most
        self.fails = fails
        self.asked: list[str] = []

    def noop(self) -> None:
        self.asked.append("noop")
        if self.fails is not None:
            self.ready = False
            raise self.fails

    def quit(self) -> None:
        self.asked.append("quit")
        self.ready = False
        if self.fails is not None:
            raise self.fails

    def close(self) -> None:
        self.asked.append("close")
        self.ready = False


class Pool(PoolBase[Double]):
    """A pool whose clock stands still between the steps of a test."""

    def __init__(self, **bounds: Any) -> None:
        self.now = 0.0
        self.made: list[Double] = []
        super().__init__(
            PoolLimits(**bounds), self._make, lambda: self.now, contextlib.nullcontext()
        )

    def _make(self) -> Double:
        self.made.append(Double())
        return self.made[-1]

    def take(self) -> Double:
        client = Link().run(self._take())
        assert isinstance(client, Double)
        return client

    def put(self, client: Double) -> None:
        Link().run(self._put(client))

    def close(self) -> None:
        Link().run(self._close())


@pytest.mark.parametrize(
    "wrong, complaint",
    [
        ({"connections": 0}, "connections: expected 1 or more, found 0"),
        ({"messages": 0}, "messages: expected 1 or more, found 0"),
        ({"idle": -1.0}, "idle: expected seconds from 0 up to 1000000000, found -1"),
        ({"trusted": -0.5}, "trusted: expected seconds from 0 up to 1000000000, found -0.5"),
    ],
)
def test_bounds_have_a_range(wrong: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        PoolLimits(**wrong)


def test_what_came_back_last_is_used_first() -> None:
    pool = Pool()
    one, two = pool.take(), pool.take()
    pool.put(one)
    pool.put(two)
    assert [pool.take(), pool.take()] == [two, one]
    assert pool.take() not in (one, two)
    assert one.asked == two.asked == []


@pytest.mark.parametrize("seconds, check", [(0.0, False), (4.9, False), (5.0, True), (59.0, True)])
def test_after_a_while_a_client_is_tried_out(seconds: float, check: bool) -> None:
    pool = Pool(trusted=5.0)
    client = pool.take()
    pool.put(client)
    pool.now = seconds
    assert pool.take() is client
    assert client.asked == ["noop"] * check


@pytest.mark.parametrize(
    "error", [ConnectionLost("gone"), RemoteProtocolError("nonsense"), TransientError("421")]
)
def test_one_that_does_not_answer_is_passed_over(error: Exception) -> None:
    pool = Pool()
    pool.put(good := Double())
    pool.put(broken := Double(fails=error))
    pool.now = 10.0
    assert pool.take() is good
    assert broken.asked == ["noop"]
    pool.put(Double(fails=error))
    pool.now = 20.0
    assert [pool.take()] == pool.made


def test_one_that_answers_and_says_goodbye_is_passed_over() -> None:
    pool = Pool()
    pool.put(client := Double())
    client.ready = False
    pool.now = 10.0
    assert pool.take() is not client


def test_what_was_idle_for_too_long_is_given_up() -> None:
    pool = Pool(idle=60.0)
    clients = [Double(), Double(), Double()]
    for client, pool.now in zip(clients, (0.0, 10.0, 50.0), strict=True):
        pool.put(client)
    pool.now = 70.0
    assert pool.take() is clients[2]
    assert [client.asked for client in clients] == [["quit"], ["quit"], ["noop"]]
    assert pool.take() not in clients


@pytest.mark.parametrize(
    "own, most, messages, kept",
    [
        (100, None, 99, True),
        (100, None, 100, False),
        (None, None, 10_000, True),
        (None, 3, 2, True),
        (None, 3, 3, False),
        (100, 3, 3, False),
        (2, 3, 2, False),
    ],
)
def test_a_connection_carries_so_many_messages(
    own: int | None, most: int | None, messages: int, kept: bool
) -> None:
    pool = Pool(messages=own)
    pool.put(client := Double(deliveries=messages, most=most))
    assert client.asked == ([] if kept else ["quit"])
    assert (pool.take() is client) is kept


def test_what_is_not_ready_is_closed() -> None:
    pool = Pool()
    pool.put(broken := Double(ready=False))
    assert broken.asked == ["close"]
    assert pool.take() is not broken


def test_after_closing_nothing_is_kept() -> None:
    pool = Pool()
    pool.put(idle := Double())
    pool.close()
    pool.close()
    assert idle.asked == ["quit"]
    pool.put(late := Double())
    pool.put(broken := Double(ready=False))
    assert (late.asked, broken.asked) == (["quit"], ["close"])
    with pytest.raises(LocalProtocolError, match="this pool is closed"):
        pool.take()
    assert pool.made == []


@pytest.mark.parametrize("error", [KeyError("a defect"), KeyboardInterrupt()])
def test_closing_leaves_none_out(error: BaseException) -> None:
    pool = Pool()
    clients = [Double(), Double(fails=error), Double()]
    for client in clients:
        pool.put(client)
    with pytest.raises(type(error)):
        pool.close()
    assert [client.asked for client in clients] == [["quit"]] * 3


@pytest.mark.parametrize("error", [KeyError("a defect"), KeyboardInterrupt()])
def test_interrupted_while_it_says_quit_it_keeps_the_others(error: BaseException) -> None:
    pool = Pool(idle=60.0)
    expired, also, good = Double(fails=error), Double(), Double()
    pool.put(expired)
    pool.put(also)
    pool.now = 50.0
    pool.put(good)
    pool.now = 60.0
    with pytest.raises(type(error)):
        pool.take()
    assert pool.take() is good
    assert (expired.asked, also.asked) == (["quit"], ["quit"])


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "put", "broken"]),
        st.floats(min_value=0, max_value=40, allow_nan=False),
    ),
    max_size=60,
)


@given(STEPS)
def test_a_client_is_in_one_place_at_a_time(steps: list[tuple[str, float]]) -> None:
    """None is lent twice, none is lost, and none is lent that is too old."""
    pool = Pool(idle=60.0, trusted=5.0, messages=None)
    since: dict[int, float] = {}
    lent: list[Double] = []
    for step, seconds in steps:
        pool.now += seconds
        if step == "take":
            client = pool.take()
            assert client not in lent
            age = pool.now - since.get(id(client), pool.now)
            assert age < 60.0
            assert client.asked == ["noop"] * (age >= 5.0)
            lent.append(client)
        elif lent:
            client = lent.pop(0)
            client.ready = step == "put"
            client.asked.clear()
            since[id(client)] = pool.now
            pool.put(client)
    pool.close()
    for client in pool.made:
        assert (client in lent) or client.asked[-1:] in (["quit"], ["close"])
