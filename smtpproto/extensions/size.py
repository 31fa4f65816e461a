"""SIZE, message size declaration: RFC 1870."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import LocalProtocolError
from ..grammar.lazy_pattern import lazy_pattern
from ..vocabulary.command_base import Command
from ..vocabulary.commands import Mail
from ..vocabulary.parameters import Parameter
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Session, Transaction
from .extension import Extension

__all__ = ["Size", "SizeParameter"]

# size-value = 1*20DIGIT (RFC 1870 section 4)
SIZE_VALUE = lazy_pattern(r"[0-9]{1,20}")
TOO_LARGE = Reply(552, "5.3.4", "Message size exceeds fixed maximum message size")


def _number(text: str) -> int:
    if SIZE_VALUE.fullmatch(text) is None:
        raise LocalProtocolError(
            f"SIZE: expected 1 to 20 digits, found {text[:64]!a} (RFC 1870 section 4)"
        )
    return int(text)


@dataclass(frozen=True, slots=True)
class SizeParameter(Parameter):
    """The size of the message that the client declares, without dot transparency (section 6).

    Arguments:
        octets: 0 to 10**20 - 1.
    """

    keyword = "SIZE"
    octets: int

    def __post_init__(self) -> None:
        if not 0 <= self.octets < 10**20:
            raise LocalProtocolError("SIZE: expected 1 to 20 digits (RFC 1870 section 4)")

    def value(self) -> str:
        return str(self.octets)

    @classmethod
    def parse(cls, value: str | None) -> SizeParameter:
        return cls(_number(value or ""))


@dataclass(frozen=True, slots=True)
class Size(Extension):
    """Message size declaration (RFC 1870).

    Arguments:
        limit: the largest message in octets; None or 0: no fixed limit.

    Raises:
        LocalProtocolError: the limit cannot be written.
    """

    keyword = "SIZE"
    parameters = {Mail: (SizeParameter,)}
    extra_length = {Mail: 26}
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.limit is not None and not 0 <= self.limit < 10**20:
            raise LocalProtocolError(
                "SIZE: expected a limit of 1 to 20 digits (RFC 1870 section 4)"
            )

    def arguments(self) -> str:
        return "" if self.limit is None else str(self.limit)

    @classmethod
    def parse_offer(cls, arguments: str) -> Size:
        return cls(_number(arguments) if arguments else None)

    def check(
        self, command: Command, session: Session, transaction: Transaction | None
    ) -> Reply | None:
        """Refuse a message that declares too large a size (section 6.1)."""
        if isinstance(command, Mail) and self.limit:
            declared = command.get(SizeParameter)
            if declared is not None and declared.octets > self.limit:
                return TOO_LARGE
        return None

    def check_content(self, octets: int, session: Session) -> Reply | None:
        """Refuse content that is too large, whether declared or not (section 6.3)."""
        return TOO_LARGE if self.limit and octets > self.limit else None
