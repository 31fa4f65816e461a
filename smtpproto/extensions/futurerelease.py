"""FUTURERELEASE: messages to hold until some time, RFC 4865; for message submission only.

This module reads no clock.  The application computes how long to hold a message for a HOLDUNTIL,
and whether that time is in the past.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from ..errors import LocalProtocolError
from ..grammar.lazy_pattern import lazy_pattern
from ..grammar.timestamps import check_timestamp, format_timestamp, parse_timestamp
from ..vocabulary.command_base import Command
from ..vocabulary.commands import Mail
from ..vocabulary.parameters import Parameter
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Session, Transaction
from .deliverby import By
from .extension import Extension

__all__ = ["FutureRelease", "HoldFor", "HoldUntil"]

# future-release-integer = %x31-39 *8DIGIT (section 3)
INTEGER = lazy_pattern(r"[1-9][0-9]{0,8}")
MOST = 10**9 - 1


def _seconds(what: str, text: str) -> int:
    if INTEGER.fullmatch(text) is None:
        raise LocalProtocolError(
            f"{what}: expected 1 to {MOST} seconds, found {text[:64]!a} (RFC 4865 section 3)"
        )
    return int(text)


def _check_seconds(what: str, seconds: int) -> None:
    if not 1 <= seconds <= MOST:
        found = "more" if seconds > 0 else "less"
        raise LocalProtocolError(
            f"{what}: expected 1 to {MOST} seconds, found {found} (RFC 4865 section 3)"
        )


def _moment(what: str, text: str) -> datetime:
    moment = parse_timestamp(what, text, fractions=True)
    if moment.utcoffset():
        raise LocalProtocolError(f"{what}: expected a time in UTC, found {text[:64]!a}")
    return moment


@dataclass(frozen=True, slots=True)
class HoldFor(Parameter):
    """How long to hold the message (section 3).

    Arguments:
        seconds: 1 to 999,999,999.
    """

    keyword = "HOLDFOR"
    seconds: int

    def __post_init__(self) -> None:
        _check_seconds("HOLDFOR", self.seconds)

    def value(self) -> str:
        return str(self.seconds)

    @classmethod
    def parse(cls, value: str | None) -> HoldFor:
        return cls(_seconds("HOLDFOR", value or ""))


@dataclass(frozen=True, slots=True)
class HoldUntil(Parameter):
    """Until when to hold the message (section 3).

    Arguments:
        moment: a time with a time zone; it is written in UTC.
    """

    keyword = "HOLDUNTIL"
    moment: datetime

    def __post_init__(self) -> None:
        check_timestamp("HOLDUNTIL", self.moment)

    def value(self) -> str:
        return format_timestamp(self.moment.astimezone(timezone.utc))

    @classmethod
    def parse(cls, value: str | None) -> HoldUntil:
        return cls(_moment("HOLDUNTIL", value or ""))


@dataclass(frozen=True, slots=True)
class FutureRelease(Extension):
    """Messages to hold until some time (RFC 4865).

    Arguments:
        longest: the longest time in seconds that the server holds a message.
        latest: the latest time until which it holds a message, with a time zone.

    Raises:
        LocalProtocolError: `longest` is not 1 to 999,999,999, or `latest` has no time zone.
    """

    keyword = "FUTURERELEASE"
    parameters = {Mail: (HoldFor, HoldUntil)}
    extra_length = {Mail: 34}
    longest: int
    latest: datetime

    def __post_init__(self) -> None:
        _check_seconds("FUTURERELEASE", self.longest)
        check_timestamp("FUTURERELEASE", self.latest)

    def arguments(self) -> str:
        return f"{self.longest} {format_timestamp(self.latest.astimezone(timezone.utc))}"

    @classmethod
    def parse_offer(cls, arguments: str) -> FutureRelease:
        longest, _, latest = arguments.partition(" ")
        return cls(_seconds("FUTURERELEASE", longest), _moment("FUTURERELEASE", latest))

    def check(
        self, command: Command, session: Session, transaction: Transaction | None
    ) -> Reply | None:
        """Refuse both parameters together, and times that are too late (sections 4.2, 5.2.2)."""
        assert isinstance(command, Mail)
        hold_for, hold_until = command.get(HoldFor), command.get(HoldUntil)
        by = command.get(By)
        reason = ""
        if hold_for is not None and hold_until is not None:
            reason = "HOLDFOR and HOLDUNTIL exclude each other"
        elif hold_for is not None and hold_for.seconds > self.longest:
            reason = f"HOLDFOR: at most {self.longest} seconds"
        elif hold_until is not None and hold_until.moment > self.latest:
            reason = f"HOLDUNTIL: at the latest {format_timestamp(self.latest)}"
        elif hold_for is not None and by is not None and by.seconds < hold_for.seconds:
            reason = "the message would be held for longer than BY allows for its delivery"
        return Reply(501, "5.5.4", f"{reason} (RFC 4865)") if reason else None
