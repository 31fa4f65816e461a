"""RRVS (RFC 7293)."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from smtpproto import LocalProtocolError
from smtpproto.extensions import Rrvs, RrvsParameter
from smtpproto.testing import Pair
from tests.commands import mail, rcpt

MOMENT = datetime(2014, 4, 3, 23, 1, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "text, value",
    [
        ("2014-04-03T23:01:00Z", RrvsParameter(MOMENT)),
        ("2014-04-03T23:01:00Z;C", RrvsParameter(MOMENT, go_on=True)),
        ("2014-04-03T23:01:00Z;r", RrvsParameter(MOMENT, go_on=False)),
        ("2014-04-04T01:01:00+02:00;R", RrvsParameter(MOMENT, go_on=False)),
    ],
)
def test_values(text: str, value: RrvsParameter) -> None:
    assert RrvsParameter.parse(text) == value


@pytest.mark.parametrize(
    "text, reason",
    [
        ("RRVS", "expected a date-time"),
        ("RRVS=2014-04-03", "expected a date-time"),
        ("RRVS=2014-04-03T23:01:00.5Z", "expected a date-time"),
        ("RRVS=2014-04-03T23:01:00Z;", "expected C or R after the semicolon, found ''"),
        ("RRVS=2014-04-03T23:01:00Z;X", "expected C or R after the semicolon, found 'X'"),
        ("RRVS=2014-04-31T23:01:00Z", "'2014-04-31T23:01:00Z' is no moment"),
    ],
)
def test_malformed_values(text: str, reason: str) -> None:
    pair = Pair.offering(Rrvs()).hello()
    assert pair.say(mail()).code == 250
    assert pair.raw(f"RCPT TO:<b@mx.example> {text}").startswith(f"501 RRVS: {reason}")


def test_moments_that_cannot_be_written() -> None:
    with pytest.raises(LocalProtocolError, match="expected whole seconds"):
        RrvsParameter(MOMENT.replace(microsecond=1))
    with pytest.raises(LocalProtocolError, match="offset from UTC"):
        RrvsParameter(datetime(2014, 4, 3))  # noqa: DTZ001  the subject of the test


@pytest.mark.parametrize("go_on", [None, True, False])
def test_a_recipient_with_a_date(go_on: bool | None) -> None:
    pair = Pair.offering(Rrvs()).hello()
    assert pair.say(mail()).code == 250
    assert pair.say(rcpt(RrvsParameter(MOMENT, go_on))).code == 250
    assert pair.events[-1] == rcpt(RrvsParameter(MOMENT, go_on))
