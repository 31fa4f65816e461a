"""Dates and times as parameters write them: date-time of RFC 3339 section 5.6."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from ..errors import LocalProtocolError
from .lazy_pattern import lazy_pattern

__all__ = ["check_timestamp", "format_timestamp", "parse_timestamp"]

# date-time    = full-date "T" full-time
# full-time    = partial-time time-offset
# partial-time = time-hour ":" time-minute ":" time-second [time-secfrac]
# time-secfrac = "." 1*DIGIT
# time-offset  = "Z" / time-numoffset
DATE_TIME = lazy_pattern(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]((?:[01][0-9]|2[0-3]):[0-5][0-9]:)([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-5][0-9]))"
)
LEAP_SECOND = 60


def parse_timestamp(what: str, text: str, *, fractions: bool) -> datetime:
    """Return the moment that a date-time names.

    A leap second is read as the second after it, and digits behind the microseconds are dropped.

    Arguments:
        what: the name of the parameter, for errors.
        text: the date-time.
        fractions: whether time-secfrac is allowed.

    Raises:
        LocalProtocolError: it is no date-time, or no moment that the calendar has.
    """
    match = DATE_TIME.fullmatch(text)
    if match is None or (match[4] and not fractions):
        raise LocalProtocolError(
            f"{what}: expected a date-time such as 2030-12-31T23:59:59Z, found {text[:64]!a} "
            "(RFC 3339 section 5.6)"
        )
    date, time, second, fraction, sign, hours, minutes = match.groups()
    try:
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        moment = datetime.fromisoformat(f"{date}T{time}00").replace(
            tzinfo=timezone(-offset if sign == "-" else offset),
            microsecond=int((fraction or "0")[:6].ljust(6, "0")),
        )
        if int(second) > LEAP_SECOND:
            raise ValueError("second must be in 0..60")
        return moment + timedelta(seconds=int(second))
    except (ValueError, OverflowError) as error:
        raise LocalProtocolError(f"{what}: {text[:64]!a} is no moment: {error}") from None


def format_timestamp(moment: datetime) -> str:
    """Return the date-time of a moment that `check_timestamp` accepted."""
    return moment.isoformat().replace("+00:00", "Z")


def check_timestamp(what: str, moment: datetime) -> None:
    """Refuse what has no date-time.

    Raises:
        LocalProtocolError: the moment is without time zone, its offset has seconds, or it is beyond
            the first or last year in UTC.
    """
    offset = moment.utcoffset()
    if offset is None or offset % timedelta(minutes=1):
        raise LocalProtocolError(
            f"{what}: expected a moment whose offset from UTC is known in minutes, found "
            f"{moment.isoformat()} (RFC 3339 section 5.6)"
        )
    try:
        moment.astimezone(timezone.utc)
    except OverflowError:
        raise LocalProtocolError(f"{what}: {moment.isoformat()} has no date in UTC") from None
