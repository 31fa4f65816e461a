"""DELIVERBY: a time limit for the delivery of a message, RFC 2852.

The program that delivers the message enforces the limit (sections 4.1.2 to 4.1.5).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import LocalProtocolError
from ..field_types import refuse_text
from ..grammar.lazy_pattern import lazy_pattern
from ..vocabulary.command_base import Command
from ..vocabulary.commands import Mail
from ..vocabulary.parameters import Parameter
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Session, Transaction
from .extension import Extension

__all__ = ["By", "DeliverBy"]

# by-value = by-time ";" by-mode [by-trace]
# by-time  = ["-" / "+"] 1*9DIGIT
# by-mode  = "N" / "R"
# by-trace = "T" (section 4)
BY_VALUE = lazy_pattern(r"([+-]?[0-9]{1,9});([NRnr])([Tt]?)")
# deliverby-param = min-by-time *("," extension-token)
# min-by-time     = [1*9DIGIT] (section 2)
PARAM = lazy_pattern(r"([0-9]{0,9})((?:,[!-+\--~]+)*)")
MOST = 10**9 - 1


@dataclass(frozen=True, slots=True)
class By(Parameter):
    """The time limit for delivery, and what to do when it has passed (section 4).

    Arguments:
        seconds: the time from now on; 0 or negative (it has passed) only if `returned` is False.
        returned: whether the message is returned when the time has passed ("R"), or its sender is
            notified of the delay ("N").
        trace: whether the sender is notified when the message is relayed ("T").
    """

    keyword = "BY"
    seconds: int
    returned: bool = False
    trace: bool = False

    def __post_init__(self) -> None:
        if abs(self.seconds) > MOST:
            raise LocalProtocolError(
                "BY: expected up to nine digits of seconds, found more (RFC 2852 section 4)"
            )
        if self.returned and self.seconds <= 0:
            raise LocalProtocolError(
                f"BY: expected more than 0 seconds with mode R, found {self.seconds} "
                "(RFC 2852 section 4)"
            )

    def value(self) -> str:
        return f"{self.seconds};{'R' if self.returned else 'N'}{'T' if self.trace else ''}"

    @classmethod
    def parse(cls, value: str | None) -> By:
        match = BY_VALUE.fullmatch(value or "")
        if match is None:
            raise LocalProtocolError(
                f"BY: expected seconds, a semicolon, N or R, and perhaps T; found "
                f"{(value or '')[:64]!a} (RFC 2852 section 4)"
            )
        return cls(int(match[1]), match[2] in "Rr", bool(match[3]))


@dataclass(frozen=True, slots=True)
class DeliverBy(Extension):
    """A time limit for the delivery of a message (RFC 2852).

    Arguments:
        least: the shortest time in seconds that the server accepts with mode R; None if unknown.
        tokens: further words of the EHLO line, which the RFC allows.

    Raises:
        ValueError: `least` has more than nine digits or is negative, or a token cannot be written.
    """

    keyword = "DELIVERBY"
    parameters = {Mail: (By,)}
    extra_length = {Mail: 17}
    least: int | None = None
    tokens: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        refuse_text("a tuple of tokens", tokens=self.tokens)
        if PARAM.fullmatch(self.arguments()) is None:
            raise ValueError(f"{self.arguments()!a} is no deliverby-param (RFC 2852 section 2)")

    def arguments(self) -> str:
        return ",".join(["" if self.least is None else str(self.least), *self.tokens])

    @classmethod
    def parse_offer(cls, arguments: str) -> DeliverBy:
        match = PARAM.fullmatch(arguments)
        if match is None:
            raise LocalProtocolError(
                f"DELIVERBY: expected seconds, found {arguments[:64]!a} (RFC 2852 section 2)"
            )
        return cls(int(match[1]) if match[1] else None, tuple(match[2].split(",")[1:]))

    def check(
        self, command: Command, session: Session, transaction: Transaction | None
    ) -> Reply | None:
        """Refuse a time below the server's minimum (section 3)."""
        assert isinstance(command, Mail)
        by = command.get(By)
        if by is not None and by.returned and self.least is not None and by.seconds < self.least:
            return Reply(555, "5.5.4", f"BY: the least time is {self.least} seconds")
        return None
