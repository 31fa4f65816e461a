"""Reading command lines with common mistakes of clients: repair them and read them again.

No RFC describes this; RFC 5321 section 3.3 even forbids spaces around the colon of `FROM:`.  Each
step repairs one fault in a line that the strict reader refused, and names the fault.  The strict
reader must then accept the result.  The only exception is the name in HELO and EHLO, which serves
logs and traces (section 4.1.4).

Line endings are always strict: a lenient reader of line endings makes two commands out of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import LocalProtocolError
from ..grammar.lazy_pattern import lazy_pattern
from .addresses import Domain
from .command_base import Command, Grammar, Syntax
from .command_parser import parse
from .commands import Hello, Mail, Rcpt

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NoDomain", "read"]

# A step returns the arguments without the fault, and the fault's name; None if it finds no fault.
Repaired = tuple[str, str] | None

# A label such as `FROM:`, with white space where RFC 5321 allows none.
_LABEL = lazy_pattern(r"[ \t]*([A-Za-z]+)[ \t]*:[ \t]*")
# The path behind a label: up to the closing bracket, or, where there are no brackets, to a space.
_PATH = lazy_pattern(r'[A-Za-z]+:(<(?:"(?:[^"\\]|\\.)*"|[^">])*>)')
_BARE_PATH = lazy_pattern(r'([A-Za-z]+:)((?:"(?:[^"\\]|\\.)*"|[^" \t<>])+)(?![^ \t])')
_WHITE = lazy_pattern(r"[ \t]+")
_PRINTABLE = lazy_pattern(r"[!-~]*")


class NoDomain(Domain):
    """A client's name that is no domain, such as `my_host`; empty if the client gave none.

    Only a lenient server creates it, as the name in `Helo` and `Ehlo`; clients do not send it.

    Raises:
        LocalProtocolError: it holds characters other than printable ASCII.
    """

    __slots__ = ()

    def __post_init__(self) -> None:
        if _PRINTABLE.fullmatch(self.name) is None:
            raise LocalProtocolError(f"expected printable ASCII, found {self.name[:64]!a}")


def read(line: bytes, grammar: Grammar) -> tuple[Command, str]:
    """Read a command line; return the command and the line's deviation, "" if there is none.

    Arguments:
        line: the line without its CRLF.
        grammar: the verbs and parameters in use; its `syntax` says whether to repair mistakes.

    Raises:
        LocalProtocolError: as `command_parser.parse`, for faults that remain after all repairs.
    """
    try:
        return parse(line, grammar), ""
    except LocalProtocolError:
        if grammar.syntax is Syntax.STRICT:
            raise
        repaired = _repaired(line, grammar)
        if repaired is None:
            raise
    return repaired


def _repaired(line: bytes, grammar: Grammar) -> tuple[Command, str] | None:
    try:
        text = line.decode("utf-8" if grammar.utf8 else "ascii")
    except UnicodeDecodeError:
        return None
    verb, _, arguments = text.rstrip(" \t").partition(" ")
    kind = grammar.verbs.get(verb.upper()) if verb.isascii() else None
    if kind is None:
        return None
    if issubclass(kind, Hello):
        return _hello(kind, arguments, grammar)
    if not issubclass(kind, (Mail, Rcpt)):
        return None
    faults = []
    for step in _STEPS:
        repaired = step(arguments)
        if repaired is not None:
            arguments, fault = repaired
            faults.append(fault)
    if not faults:
        return None
    return kind.parse(arguments, grammar), f"{kind.verb}: {', '.join(faults)}"


# --- MAIL and RCPT ----------------------------------------------------------------------------


def _spaces_around_the_colon(arguments: str) -> Repaired:
    match = _LABEL.match(arguments)
    if match is None:
        return None
    label = f"{match[1]}:"
    return None if match[0] == label else (label + arguments[match.end() :], "spaces around ':'")


def _no_angle_brackets(arguments: str) -> Repaired:
    match = _BARE_PATH.match(arguments)
    if match is None:
        return None
    return f"{match[1]}<{match[2]}>{arguments[match.end() :]}", "no angle brackets"


def _dot_behind_the_domain(arguments: str) -> Repaired:
    match = _PATH.match(arguments)
    if match is None or not match[1].endswith(".>") or "@" not in match[1]:
        return None
    end = match.end()
    return f"{arguments[: end - 2]}>{arguments[end:]}", "a dot behind the domain"


def _several_spaces(arguments: str) -> Repaired:
    match = _PATH.match(arguments)
    if match is None:
        return None
    rest = arguments[match.end() :]
    # Not `split()`: it takes many more characters for white space than SMTP does.
    single = _WHITE.sub(" ", rest)
    return None if single == rest else (match[0] + single, "several spaces, or tabs")


_STEPS: tuple[Callable[[str], Repaired], ...] = (
    _spaces_around_the_colon,
    _no_angle_brackets,
    _dot_behind_the_domain,
    _several_spaces,
)


# --- HELO, EHLO and LHLO ----------------------------------------------------------------------


def _hello(kind: type[Hello], arguments: str, grammar: Grammar) -> tuple[Command, str] | None:
    """Read the first word as the name, even if it is no domain."""
    name = _WHITE.split(arguments.strip(" \t"), maxsplit=1)[0]
    if len(name) > grammar.limits.domain or _PRINTABLE.fullmatch(name) is None:
        return None
    for candidate, fault in (
        (name, "more than a name"),
        (name.rstrip("."), "a dot behind the name"),
    ):
        try:
            return kind.parse(candidate, grammar), f"{kind.verb}: {fault}"
        except LocalProtocolError:
            continue
    return kind(NoDomain(name)), f"{kind.verb}: {name[:64]!a} is no domain"
