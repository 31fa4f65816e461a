"""RRVS (RFC 7293)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import LocalProtocolError
from smtpproto.extensions import Rrvs, RrvsParameter
from smtpproto.testing import Pair
from tests.commands import mail, rcpt, read_again

MOMENT = datetime(2014, 4, 3, 23, 1, tzinfo=timezone.utc)
OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


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


@given(
    st.datetimes(timezones=OFFSETS).map(lambda moment: moment.replace(microsecond=0)),
    st.sampled_from([None, True, False]),
)
def test_what_is_written_is_read_again(moment: datetime, go_on: bool | None) -> None:
    value = RrvsParameter(moment, go_on)
    assert read_again(value) == value
    assert len(f" {value}") <= Rrvs.extra_length[type(rcpt())]


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


def test_it_is_for_recipients_only() -> None:
    pair = Pair.offering(Rrvs()).hello()
    reply = pair.raw("MAIL FROM:<a@client.example> RRVS=2014-04-03T23:01:00Z")
    assert reply.startswith("555 MAIL: RRVS is not offered here")
