"""What became of each recipient."""

from __future__ import annotations

import pytest

from smtpproto import ForwardPath, Reply
from smtpproto.conversations import Status
from smtpproto.conversations.client.outcome import outcome_of

BOB = ForwardPath.of("bob@mx.example")


@pytest.mark.parametrize(
    "reply, end_may_have_arrived, status",
    [
        (Reply(250, "2.0.0", "ok"), True, Status.ACCEPTED),
        (Reply(550, "5.1.1", "no"), False, Status.REFUSED),
        (Reply(451, "4.3.0", "not now"), True, Status.REFUSED),
        (None, True, Status.UNKNOWN),
        (None, False, Status.FAILED),
    ],
)
def test_what_decides(reply: Reply | None, end_may_have_arrived: bool, status: Status) -> None:
    outcome = outcome_of(BOB, reply, end_may_have_arrived=end_may_have_arrived, reason="cut")
    assert (outcome.forward_path, outcome.status, outcome.reply) == (BOB, status, reply)
    assert outcome.reason == ("cut" if reply is None else "")
