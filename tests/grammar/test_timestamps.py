"""Dates and times of RFC 3339."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import LocalProtocolError
from smtpproto.grammar.timestamps import check_timestamp, format_timestamp, parse_timestamp

UTC = timezone.utc
INDIA = timezone(timedelta(hours=5, minutes=30))
OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@pytest.mark.parametrize(
    "text, moment",
    [
        ("2030-01-02T03:04:05Z", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2030-01-02t03:04:05z", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2030-01-02T03:04:05+05:30", datetime(2030, 1, 2, 3, 4, 5, tzinfo=INDIA)),
        ("2030-01-02T03:04:05-05:30", datetime(2030, 1, 2, 8, 34, 5, tzinfo=UTC)),
        ("2030-01-02T03:04:05-00:00", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2030-01-02T03:04:05.5Z", datetime(2030, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)),
        ("2030-01-02T03:04:05.1234567Z", datetime(2030, 1, 2, 3, 4, 5, 123_456, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
    ],
)
def test_date_times(text: str, moment: datetime) -> None:
    assert parse_timestamp("X", text, fractions=True) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2030-01-02",
        "2030-01-02 03:04:05Z",
        "2030-01-02T03:04:05",
        "2030-01-02T03:04Z",
        "2030-01-02T24:00:00Z",
        "2030-01-02T03:60:00Z",
        "2030-01-02T03:04:05+0530",
        "2030-01-02T03:04:05+05:60",
        "2030-01-02T03:04:05.Z",
        "\u0662030-01-02T03:04:05Z",
    ],
)
def test_what_is_no_date_time(text: str) -> None:
    with pytest.raises(LocalProtocolError, match=r"X: expected a date-time .*RFC 3339") as caught:
        parse_timestamp("X", text, fractions=True)
    assert (caught.value.code, caught.value.enhanced) == (501, "5.5.4")


@pytest.mark.parametrize(
    "text",
    [
        "2030-02-30T00:00:00Z",
        "2030-13-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "2030-01-02T03:04:61Z",
        "2030-01-02T03:04:05+24:00",
        "9999-12-31T23:59:60Z",
    ],
)
def test_what_the_calendar_does_not_have(text: str) -> None:
    with pytest.raises(LocalProtocolError, match="is no moment"):
        parse_timestamp("X", text, fractions=True)


def test_fractions_where_there_may_be_none() -> None:
    with pytest.raises(LocalProtocolError, match="expected a date-time"):
        parse_timestamp("X", "2030-01-02T03:04:05.5Z", fractions=False)


@given(st.datetimes(timezones=OFFSETS))
def test_what_is_written_is_read_again(moment: datetime) -> None:
    check_timestamp("X", moment)
    assert parse_timestamp("X", format_timestamp(moment), fractions=True) == moment


@given(st.text() | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,12}[Z+-][0-9:]{0,5}"))
def test_nothing_else_escapes(text: str) -> None:
    with contextlib.suppress(LocalProtocolError):
        parse_timestamp("X", text, fractions=True)


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2030, 1, 2),  # noqa: DTZ001  the subject of the test
        datetime(2030, 1, 2, tzinfo=timezone(timedelta(seconds=30))),
    ],
)
def test_moments_without_a_written_form(moment: datetime) -> None:
    with pytest.raises(LocalProtocolError, match="offset from UTC is known in minutes"):
        check_timestamp("X", moment)


@pytest.mark.parametrize("year, hours", [(1, 1), (9999, -1)])
def test_a_moment_that_utc_has_no_date_for(year: int, hours: int) -> None:
    """HOLDUNTIL is written in UTC."""
    zone = timezone(timedelta(hours=hours))
    moment = (
        datetime(1, 1, 1, tzinfo=zone) if year == 1 else datetime(9999, 12, 31, 23, tzinfo=zone)
    )
    with pytest.raises(LocalProtocolError, match="no date in UTC"):
        check_timestamp("HOLDUNTIL", moment)
