"""RRVS: recipients whose mailbox must have had the same owner since some time, RFC 7293.

The server's handler knows the owners.  It replies 550 to RCPT with 5.7.17 if the mailbox has a new
owner, 5.7.18 if the domain has one, and 5.7.19 if this is not known (section 15.3).  The header
field Require-Recipient-Valid-Since (section 3.2) is part of the content.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..errors import LocalProtocolError
from ..grammar.timestamps import check_timestamp, format_timestamp, parse_timestamp
from ..vocabulary.commands import Rcpt
from ..vocabulary.parameters import Parameter
from .extension import Extension

__all__ = ["Rrvs", "RrvsParameter"]


@dataclass(frozen=True, slots=True)
class RrvsParameter(Parameter):
    """The time since which the mailbox must have had the same owner (section 3.1).

    Arguments:
        moment: with a time zone, without fractions of a second.
        go_on: whether the message may be relayed to a server without RRVS ("C") or not ("R");
            None: not given, which means not.
    """

    keyword = "RRVS"
    moment: datetime
    go_on: bool | None = None

    def __post_init__(self) -> None:
        check_timestamp("RRVS", self.moment)
        if self.moment.microsecond:
            raise LocalProtocolError(
                f"RRVS: expected whole seconds, found {self.moment.isoformat()} "
                "(RFC 7293 section 3.1)"
            )

    # rrvs-param = "RRVS=" date-time [ ";" ( "C" / "R" ) ]
    def value(self) -> str:
        action = {None: "", True: ";C", False: ";R"}[self.go_on]
        return format_timestamp(self.moment) + action

    @classmethod
    def parse(cls, value: str | None) -> RrvsParameter:
        text, semicolon, action = (value or "").partition(";")
        moment = parse_timestamp("RRVS", text, fractions=False)
        if not semicolon:
            return cls(moment)
        if action.upper() not in ("C", "R"):
            raise LocalProtocolError(
                f"RRVS: expected C or R after the semicolon, found {action[:64]!a} "
                "(RFC 7293 section 3.1)"
            )
        return cls(moment, action.upper() == "C")


class Rrvs(Extension):
    """Recipients whose mailbox must have had the same owner since some time (RFC 7293)."""

    __slots__ = ()
    keyword = "RRVS"
    parameters = {Rcpt: (RrvsParameter,)}
    extra_length = {Rcpt: 33}
