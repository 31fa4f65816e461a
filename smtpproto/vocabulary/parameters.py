"""Parameters of MAIL and RCPT as typed values: esmtp-param of RFC 5321 section 4.1.2.

A service extension defines its own subclasses of `Parameter`.  Others are kept as
`UnknownParameter`, exactly as written, so that a refusal can name them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..errors import LocalProtocolError
from ..grammar.patterns import ESMTP_KEYWORD, ESMTP_VALUE, ESMTP_VALUE_UTF8

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

__all__ = [
    "Parameter",
    "UnknownParameter",
    "check_parameters",
    "format_parameters",
    "parse_parameters",
]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a command: `KEYWORD` or `KEYWORD=value` (RFC 5321 section 4.1.2, esmtp-param).

    A subclass sets `keyword` and implements `value` and `parse`.  Its constructor raises
    `LocalProtocolError` for values that cannot be written.  If it has fields, it is a frozen
    dataclass with slots.

    Attributes:
        keyword: in upper case.
    """

    __slots__ = ()
    keyword: ClassVar[str]

    def value(self) -> str | None:
        """The text after `=`, or None for a parameter without a value."""
        raise NotImplementedError

    @classmethod
    def parse(cls, value: str | None) -> Self:
        """Read the value of the parameter (None: there is no `=`).

        Raises:
            LocalProtocolError: the extension does not allow this value; with 501 unless the
                extension says otherwise.
        """
        raise NotImplementedError

    def __str__(self) -> str:
        value = self.value()
        return self.keyword if value is None else f"{self.keyword}={value}"


@dataclass(frozen=True, slots=True)
class UnknownParameter(Parameter):
    """A parameter that no extension in use defines, as it was written.

    Arguments:
        name: the keyword as received, letter case kept.
        text: the text after `=`, or None.

    Raises:
        LocalProtocolError: it cannot be written as an esmtp-param.
    """

    keyword = ""
    name: str
    text: str | None = None

    def __post_init__(self) -> None:
        _check(self.name, self.text, ESMTP_VALUE_UTF8)

    def value(self) -> str | None:
        return self.text

    def __str__(self) -> str:
        return self.name if self.text is None else f"{self.name}={self.text}"


def parse_parameters(
    text: str, known: Mapping[str, type[Parameter]], *, utf8: bool = False
) -> tuple[Parameter, ...]:
    """Read the parameters in `text`; one space separates them.

    Arguments:
        text: what follows the path and its space.
        known: the classes to use, by keyword in upper case.
        utf8: whether values may hold UTF-8 (RFC 6531 section 3.3).

    Raises:
        LocalProtocolError: 501: the text is no esmtp-param, a keyword appears twice, or an
            extension refuses the value.
    """
    parsed: list[Parameter] = []
    seen: set[str] = set()
    for item in text.split(" "):
        keyword, equals, value = item.partition("=")
        _check(keyword, value if equals else None, ESMTP_VALUE_UTF8 if utf8 else ESMTP_VALUE)
        name = keyword.upper()
        if name in seen:
            raise LocalProtocolError(f"the parameter {name} stands there twice")
        seen.add(name)
        kind = known.get(name)
        if kind is None:
            parsed.append(UnknownParameter(keyword, value if equals else None))
        else:
            parsed.append(kind.parse(value if equals else None))
    return tuple(parsed)


def _check(keyword: str, value: str | None, pattern: re.Pattern[str]) -> None:
    """Refuse text that is no esmtp-param."""
    if ESMTP_KEYWORD.fullmatch(keyword) is None:
        raise LocalProtocolError(
            f"expected the keyword of a parameter, found {keyword[:64]!a} (RFC 5321 section 4.1.2)"
        )
    if value is not None and pattern.fullmatch(value) is None:
        raise LocalProtocolError(
            f"{keyword[:64]}: expected printable characters without '=' and spaces after '=', "
            f"found {value[:64]!a} (RFC 5321 section 4.1.2)"
        )


def check_parameters(verb: str, parameters: object) -> None:
    """Refuse other types: they would be written without another check.

    Raises:
        TypeError: it is no tuple of parameters.
    """
    if not isinstance(parameters, tuple) or not all(
        isinstance(parameter, Parameter) for parameter in parameters
    ):
        raise TypeError(f"{verb}: expected a tuple of Parameters, found {parameters!r}")


def format_parameters(parameters: tuple[Parameter, ...]) -> str:
    """Write the parameters to follow a path: each with one space before it."""
    return "".join([f" {parameter}" for parameter in parameters])
