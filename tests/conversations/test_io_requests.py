"""When a wait is over: what an adapter reads off a `Receive` by its own clock."""

from __future__ import annotations

import pytest

from smtpproto.conversations.io_requests import Budget, Receive


@pytest.mark.parametrize(
    "fresh, most, deadline",
    [(True, None, 130.0), (True, 10, 110.0), (True, 60, 130.0), (False, None, 105.0)],
)
def test_a_wait_that_is_not_fresh_keeps_its_deadline(
    fresh: bool,
    most: float | None,
    deadline: float,
) -> None:
    assert Receive(30, fresh).deadline(100.0, 105.0, most) == deadline


def test_a_budget_begins_with_its_first_wait_and_bounds_all_of_them() -> None:
    budget = Budget(50)
    wait = Receive(30, True, within=budget)
    assert wait.deadline(100.0, 0.0, None) == 130.0
    assert budget.began == 100.0
    assert wait.deadline(129.0, 130.0, None) == 150.0
    # What comes meanwhile makes it longer.
    budget.seconds += 5
    assert wait.deadline(149.0, 150.0, None) == 155.0
    # `most` is for one wait, not for all of them.
    assert wait.deadline(149.0, 150.0, 3) == 152.0
