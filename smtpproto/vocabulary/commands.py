"""The commands of SMTP as values: RFC 5321 section 4.1.1 (and LHLO of RFC 2033).

Each class reads its own arguments; `command_parser` finds the class by the verb.  A class without
fields of its own is no dataclass: its base has the methods, and generating them costs import time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..errors import LocalProtocolError
from ..timeouts import DATA_TIMEOUT
from .addresses import AddressLiteral, Domain
from .command_base import Command, Framing, Grammar
from .parameters import Parameter, check_parameters, format_parameters, parse_parameters
from .paths import ForwardPath, Path, ReversePath

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "BASE_COMMANDS",
    "Data",
    "Ehlo",
    "Expn",
    "Hello",
    "Helo",
    "Help",
    "Lhlo",
    "Mail",
    "Noop",
    "Quit",
    "Rcpt",
    "Rset",
    "Vrfy",
]


@dataclass(frozen=True, slots=True)
class Hello(Command):
    """What EHLO, HELO and LHLO have in common: the name of the client.

    Arguments:
        name: the client's domain, or an address literal if it has no domain.

    Raises:
        LocalProtocolError: the name is not in ASCII.
        TypeError: the name is neither a `Domain` nor an `AddressLiteral`.
    """

    name: Domain | AddressLiteral

    def __post_init__(self) -> None:
        if not isinstance(self.name, (Domain, AddressLiteral)):
            raise TypeError(
                f"{self.verb}: expected a Domain or an AddressLiteral, found {self.name!r}; "
                "`Domain(...)` takes text"
            )
        self._check_ascii(self.name.ascii)

    @classmethod
    def _check_ascii(cls, is_ascii: bool) -> None:  # noqa: FBT001  the answer to the only question
        if not is_ascii:
            raise LocalProtocolError(
                f"{cls.verb}: expected a domain in ASCII, with A-labels (RFC 6531 section 3.7.1)"
            )

    def arguments(self) -> str:
        return str(self.name)

    @classmethod
    def parse(cls, arguments: str, grammar: Grammar) -> Self:
        """Read the name; refuse it with 501 unless it is a domain or an address literal.

        The name is ASCII even if SMTPUTF8 is in use (RFC 6531 section 3.7.1).
        """
        cls._check_ascii(arguments.isascii())
        kind = AddressLiteral if arguments.startswith("[") else Domain
        if not arguments:
            raise LocalProtocolError(f"{cls.verb}: expected a domain or an address literal")
        return cls(kind.parse(arguments, limits=grammar.limits))


class Ehlo(Hello):
    """EHLO: begin a session with service extensions (RFC 5321 section 4.1.1.1)."""

    __slots__ = ()
    verb = "EHLO"


class Helo(Hello):
    """HELO: begin a session without service extensions (RFC 5321 section 4.1.1.1)."""

    __slots__ = ()
    verb = "HELO"


class Lhlo(Hello):
    """LHLO: begin an LMTP session (RFC 2033 section 4.1)."""

    __slots__ = ()
    verb = "LHLO"


class _WithParameters(Command):
    """What MAIL and RCPT have in common: a label, a path and parameters."""

    __slots__ = ()
    label: ClassVar[str]
    kind: ClassVar[type[Path]]
    parameters: tuple[Parameter, ...]

    def _check(self, path: object) -> None:
        """Refuse other types: they would be written without another check."""
        if not isinstance(path, self.kind):
            name = self.kind.__name__
            raise TypeError(
                f"{self.verb}: expected a {name}, found {path!r}; `{name}.of` takes text"
            )
        check_parameters(self.verb, self.parameters)

    @classmethod
    def parse(cls, arguments: str, grammar: Grammar) -> Self:
        """Read the path and the parameters."""
        label = cls.label
        if not arguments.startswith(label) and arguments[: len(label)].upper() != label:
            raise LocalProtocolError(
                f"{cls.verb}: expected '{label}<', found {arguments[:64]!a} "
                "(RFC 5321 section 4.1.1)"
            )
        path, end = cls.kind.parse_prefix(
            arguments, len(label), utf8=grammar.utf8, limits=grammar.limits
        )
        parameters: tuple[Parameter, ...] = ()
        if end != len(arguments):
            if arguments[end] != " ":
                raise LocalProtocolError(
                    f"{cls.verb}: expected a space or the end of the line after the path, found "
                    f"{arguments[end]!a} at octet {end} (RFC 5321 section 4.1.2)"
                )
            known = grammar.parameters.get(cls, {})
            parameters = parse_parameters(arguments[end + 1 :], known, utf8=grammar.utf8)
        return cls(path, parameters)  # type: ignore[call-arg]  # both classes have these fields


@dataclass(frozen=True, slots=True)
class Mail(_WithParameters):
    """MAIL: begin a mail transaction (RFC 5321 section 4.1.1.2).

    Arguments:
        reverse_path: the address for reports of failure; the null reverse-path for none.
        parameters: the parameters of service extensions.
    """

    verb = "MAIL"
    label = "FROM:"
    kind = ReversePath
    ends_group = False
    accepted = (250, "2.1.0", "OK")

    reverse_path: ReversePath
    parameters: tuple[Parameter, ...] = ()

    def __post_init__(self) -> None:
        if type(self.reverse_path) is not ReversePath or self.parameters != ():
            self._check(self.reverse_path)

    def arguments(self) -> str:
        path = f"FROM:{self.reverse_path!s}"
        return path + format_parameters(self.parameters) if self.parameters else path


@dataclass(frozen=True, slots=True)
class Rcpt(_WithParameters):
    """RCPT: name one recipient of the mail transaction (RFC 5321 section 4.1.1.3).

    Arguments:
        forward_path: the recipient.
        parameters: the parameters of service extensions.
    """

    verb = "RCPT"
    label = "TO:"
    kind = ForwardPath
    ends_group = False
    accepted = (250, "2.1.5", "OK")

    forward_path: ForwardPath
    parameters: tuple[Parameter, ...] = ()

    def __post_init__(self) -> None:
        if type(self.forward_path) is not ForwardPath or self.parameters != ():
            self._check(self.forward_path)

    def __str__(self) -> str:
        # Errors name one of many recipients, so this shows the address.
        return f"RCPT {self.arguments()}" if self.parameters else f"RCPT TO:{self.forward_path}"

    def arguments(self) -> str:
        path = f"TO:{self.forward_path!s}"
        return path + format_parameters(self.parameters) if self.parameters else path


class Data(Command):
    """DATA: the message content follows (RFC 5321 section 4.1.1.4)."""

    __slots__ = ()
    verb = "DATA"
    timeout = DATA_TIMEOUT
    accepted = (354, "", "End data with <CR><LF>.<CR><LF>")
    framing = Framing.DOTS


class Rset(Command):
    """RSET: abort the mail transaction (RFC 5321 section 4.1.1.5)."""

    __slots__ = ()
    verb = "RSET"
    ends_group = False


class Quit(Command):
    """QUIT: end the session (RFC 5321 section 4.1.1.10)."""

    __slots__ = ()
    verb = "QUIT"
    accepted = (221, "2.0.0", "Bye")


@dataclass(frozen=True, slots=True)
class _WithString(Command):
    """What NOOP, VRFY, EXPN and HELP have in common: a string.

    RFC 5321 section 4.1.2 defines String as an atom or a quoted string, which has no form for
    `user@domain`.  Like other servers, this accepts any printable text.

    Arguments:
        string: the text after the verb, as it is written.
    """

    needs_string: ClassVar[bool] = True
    takes_utf8: ClassVar[bool] = False

    string: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.string, str):
            raise TypeError(f"{self.verb}: expected text, found {self.string!r}")
        if not self.takes_utf8 and not self.string.isascii():
            raise LocalProtocolError(f"{self.verb}: expected ASCII (RFC 5321 section 2.4)")
        if not self.string:
            if self.needs_string:
                raise LocalProtocolError(f"{self.verb}: expected a string (RFC 5321 section 4.1.1)")
        elif self.string != self.string.strip() or not self.string.isprintable():
            raise LocalProtocolError(
                f"{self.verb}: expected printable text without spaces around it, found "
                f"{self.string[:64]!a} (RFC 5321 section 4.1.1)"
            )

    def arguments(self) -> str:
        return self.string

    @classmethod
    def parse(cls, arguments: str, grammar: Grammar) -> Self:
        return cls(arguments)


class Noop(_WithString):
    """NOOP: do nothing, only reply (RFC 5321 section 4.1.1.9)."""

    __slots__ = ()
    verb = "NOOP"
    needs_string = False


@dataclass(frozen=True, slots=True)
class _Question(_WithString):
    """What VRFY and EXPN have in common: a string, and maybe a parameter (RFC 6531 3.7.4.2).

    Arguments:
        string: the text after the verb.
        parameters: the parameter of a service extension, without a value; at most one.
    """

    takes_utf8 = True
    string: str
    parameters: tuple[Parameter, ...] = ()

    def __post_init__(self) -> None:
        # `super()` does not know the new class that `slots` creates.
        _WithString.__post_init__(self)
        check_parameters(self.verb, self.parameters)

    def arguments(self) -> str:
        return f"{self.string}{format_parameters(self.parameters)}"

    @classmethod
    def parse(cls, arguments: str, grammar: Grammar) -> Self:
        """Read the string, and a known parameter if it is the last word."""
        string, space, word = arguments.rpartition(" ")
        known = grammar.parameters.get(cls, {})
        kind = known.get(word.upper()) if space and word.isascii() else None
        return cls(arguments) if kind is None else cls(string, (kind.parse(None),))


class Vrfy(_Question):
    """VRFY: ask whether a user or mailbox is there (RFC 5321 section 4.1.1.6).

    Arguments:
        string: the user or mailbox.
        parameters: at most one, without a value (RFC 6531 section 3.7.4.2).
    """

    __slots__ = ()
    verb = "VRFY"
    accepted = (252, "2.1.5", "Cannot VRFY user, but will accept message and attempt delivery")


class Expn(_Question):
    """EXPN: ask for the members of a mailing list (RFC 5321 section 4.1.1.7).

    Arguments:
        string: the list.
        parameters: at most one, without a value (RFC 6531 section 3.7.4.2).
    """

    __slots__ = ()
    verb = "EXPN"
    needs_offer = False  # it is older than EHLO (section 4.1.4)
    accepted = (252, "2.1.5", "Cannot EXPN list")


class Help(_WithString):
    """HELP: ask for help (RFC 5321 section 4.1.1.8)."""

    __slots__ = ()
    verb = "HELP"
    needs_offer = False  # it is older than EHLO (section 4.1.4)
    needs_string = False
    accepted = (214, "2.0.0", "See RFC 5321")


BASE_COMMANDS: tuple[type[Command], ...] = (
    Ehlo,
    Helo,
    Mail,
    Rcpt,
    Data,
    Rset,
    Noop,
    Quit,
    Vrfy,
)
"""The commands that every server has (RFC 5321 section 4.5.1)."""
