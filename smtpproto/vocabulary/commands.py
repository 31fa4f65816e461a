"""The commands of SMTP as values: RFC 5321 section 4.1.1 (and LHLO of RFC 2033).

What a client passes to `send` is what a server gets from `next_event`.  `parse` reads a command
line with a `Grammar`, which says what verbs and parameters there are, so that extensions add theirs
without this module knowing them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, TypeVar

from ..errors import LocalProtocolError
from ..limits import Limits
from .addresses import AddressLiteral, Domain, ForwardPath, Path, ReversePath
from .parameters import Parameter, format_parameters, parse_parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

__all__ = [
    "BASE_COMMANDS",
    "Command",
    "CountedCommand",
    "Data",
    "DialogueCommand",
    "Ehlo",
    "Expn",
    "Framing",
    "Grammar",
    "Hello",
    "Helo",
    "Help",
    "Lhlo",
    "Mail",
    "Noop",
    "Quit",
    "Rcpt",
    "Rset",
    "Syntax",
    "Vrfy",
]

P = TypeVar("P", bound=Parameter)


class Framing(enum.Enum):
    """How the message content that belongs to a command is delimited."""

    DOTS = "ended by CRLF.CRLF, with dot transparency (RFC 5321 section 4.5.2)"
    COUNTED = "as many octets as the command says (RFC 3030 section 2)"


class Syntax(enum.Enum):
    """How much of what real clients get wrong a server reads nevertheless."""

    STRICT = "the grammar of RFC 5321, and nothing else"
    LENIENT = "faults whose meaning is beyond doubt are repaired, and reported"


@dataclass(frozen=True, slots=True)
class Grammar:
    """What `parse` has to know: the verbs and parameters in use.

    Arguments:
        verbs: the class of each command, by verb in upper case.
        known: verbs that exist but are not in use here: refused with 502 instead of 500.
        parameters: the parameters of each class of command, by keyword in upper case.
        utf8: whether a line may hold UTF-8 (RFC 6531 section 3.3).
        limits: the sizes to hold addresses to.
        syntax: for `lenient.read`; `parse` is always strict.
    """

    verbs: Mapping[str, type[Command]]
    known: frozenset[str] = frozenset()
    parameters: Mapping[type[Command], Mapping[str, type[Parameter]]] = field(default_factory=dict)
    utf8: bool = False
    limits: Limits = Limits()
    syntax: Syntax = Syntax.STRICT


class Command:
    """A command: a verb and what follows it (RFC 5321 section 4.1.1).

    A subclass is a frozen dataclass with slots that sets `verb` and, where there is anything to
    write or read, implements `arguments` and `parse`.

    Attributes:
        verb: the first word, in upper case.
        ends_group: whether nothing may follow it in a pipelined group until its reply is there
            (RFC 2920 section 3.1, which asks that of every command it does not name).
        timeout: seconds a client waits for the reply (RFC 5321 section 4.5.3.2).
        accepted: the usual positive reply: code, enhanced status code, text.
        framing: how content that belongs to the command is delimited, None if there is none.
        brings_content: whether a positive reply takes responsibility for content that is elsewhere,
            such as behind a URL (RFC 4468).  In the conversation of a server only a positive reply
            of the handler gives it; where the handler says nothing, the command is refused.
        needs_offer: whether it is possible only where the extension that it belongs to is offered.
        parameters: what service extensions added to it; empty for commands that take nothing.
    """

    __slots__ = ()
    verb: ClassVar[str]
    ends_group: ClassVar[bool] = True
    timeout: ClassVar[float] = 300.0
    accepted: ClassVar[tuple[int, str, str]] = (250, "2.0.0", "OK")
    framing: ClassVar[Framing | None] = None
    brings_content: ClassVar[bool] = False
    needs_offer: ClassVar[bool] = True
    parameters: tuple[Parameter, ...] = ()

    @property
    def row(self) -> str:
        """The name of its row in the table of states: the verb, unless an argument decides."""
        return self.verb

    def arguments(self) -> str:
        """What follows the verb and a space; empty if nothing does."""
        return ""

    def line(self) -> str:
        """The command line as it is sent, without its CRLF.  It may hold secrets."""
        arguments = self.arguments()
        return f"{self.verb} {arguments}" if arguments else self.verb

    @classmethod
    def parse(cls, arguments: str, grammar: Grammar) -> Self:
        """The command that was written with these arguments.

        Raises:
            LocalProtocolError: with the code of the reply that refuses it.
        """
        if arguments:
            raise LocalProtocolError(
                f"{cls.verb} takes no argument, found {arguments[:64]!a} (RFC 5321 section 4.1.1)"
            )
        return cls()

    def __str__(self) -> str:
        """The command line as people may see it.

        A class whose arguments may hold secrets says here what is shown in their place.
        """
        return self.line()


class CountedCommand(Command):
    """A command whose content follows it at once, counted in octets (RFC 3030 section 2).

    Attributes:
        octets: how many octets follow the CRLF of the command line.
        last: whether they end the message content.
    """

    __slots__ = ()
    framing = Framing.COUNTED
    octets: int
    last: bool


class DialogueCommand(Command):
    """A command that a 334 reply turns into a dialogue of challenges and responses (RFC 4954)."""

    __slots__ = ()

    def parse_response(self, line: bytes) -> bytes:
        """The octets in a line that the client sent as its response.

        Raises:
            LocalProtocolError: the line is no response, or cancels the dialogue (501).
        """
        raise NotImplementedError

    def format_response(self, octets: bytes | None) -> bytes:
        """The line that carries a response; None: the line that cancels the dialogue."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Hello(Command):
    """What EHLO, HELO and LHLO have in common: the name of the client.

    Arguments:
        name: the client's domain, or an address literal where it has none.

    Raises:
        LocalProtocolError: the name is not in ASCII.
        TypeError: it is neither.
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
        """The name as it is written."""
        return str(self.name)

    @classmethod
    def parse(cls, arguments: str, grammar: Grammar) -> Self:
        """Read the name; 501 unless it is a domain or an address literal.

        It is ASCII even where SMTPUTF8 is in force (RFC 6531 section 3.7.1).
        """
        cls._check_ascii(arguments.isascii())
        kind = AddressLiteral if arguments.startswith("[") else Domain
        if not arguments:
            raise LocalProtocolError(f"{cls.verb}: expected a domain or an address literal")
        return cls(kind.parse(arguments, limits=grammar.limits))


@dataclass(frozen=True, slots=True)
class Ehlo(Hello):
    """EHLO: begin a session with service extensions (RFC 5321 section 4.1.1.1)."""

    verb = "EHLO"


@dataclass(frozen=True, slots=True)
class Helo(Hello):
    """HELO: begin a session without service extensions (RFC 5321 section 4.1.1.1)."""

    verb = "HELO"


@dataclass(frozen=True, slots=True)
class Lhlo(Hello):
    """LHLO: begin an LMTP session (RFC 2033 section 4.1)."""

    verb = "LHLO"


def _find(parameters: tuple[Parameter, ...], kind: type[P]) -> P | None:
    for parameter in parameters:
        if type(parameter) is kind:
            return parameter
    return None


class _WithParameters(Command):
    """What MAIL and RCPT have in common: a label, a path and parameters."""

    __slots__ = ()
    label: ClassVar[str]
    parameters: tuple[Parameter, ...]

    def _check(self, path: object, kind: type[Path]) -> None:
        """Refuse what would be written as it is: nothing looks at it again."""
        if not isinstance(path, kind):
            raise TypeError(
                f"{self.verb}: expected a {kind.__name__}, found {path!r}; "
                f"`{kind.__name__}.of` takes text"
            )
        parameters: object = self.parameters
        if not isinstance(parameters, tuple) or not all(
            isinstance(parameter, Parameter) for parameter in parameters
        ):
            raise TypeError(f"{self.verb}: expected a tuple of Parameters, found {parameters!r}")

    def get(self, kind: type[P]) -> P | None:
        """The parameter of this class, or None if the command has none."""
        return _find(self.parameters, kind)

    @classmethod
    def _parameters(cls, text: str, end: int, grammar: Grammar) -> tuple[Parameter, ...]:
        """The parameters behind a path that ended at offset `end` of `text`."""
        if end == len(text):
            return ()
        if text[end] != " ":
            raise LocalProtocolError(
                f"{cls.verb}: expected a space or the end of the line after the path, found "
                f"{text[end]!a} at octet {end} (RFC 5321 section 4.1.2)"
            )
        known = grammar.parameters.get(cls, {})
        return parse_parameters(text[end + 1 :], known, utf8=grammar.utf8)

    @classmethod
    def _after_label(cls, text: str) -> int:
        label = cls.label
        if text[: len(label)].upper() != label:
            raise LocalProtocolError(
                f"{cls.verb}: expected '{label}<', found {text[:64]!a} (RFC 5321 section 4.1.1)"
            )
        return len(label)


@dataclass(frozen=True, slots=True)
class Mail(_WithParameters):
    """MAIL: begin a mail transaction (RFC 5321 section 4.1.1.2).

    Arguments:
        reverse_path: where reports of failure go; the null reverse-path for none.
        parameters: what service extensions add.
    """

    verb = "MAIL"
    label = "FROM:"
    ends_group = False
    accepted = (250, "2.1.0", "OK")

    reverse_path: ReversePath
    parameters: tuple[Parameter, ...] = ()

    def __post_init__(self) -> None:
        if type(self.reverse_path) is not ReversePath or self.parameters:
            self._check(self.reverse_path, ReversePath)

    def arguments(self) -> str:
        """`FROM:`, the reverse-path and the parameters."""
        path = f"FROM:{self.reverse_path}"
        return path + format_parameters(self.parameters) if self.parameters else path

    @classmethod
    def parse(cls, arguments: str, grammar: Grammar) -> Self:
        """Read the reverse-path and the parameters."""
        path, end = ReversePath.parse_prefix(
            arguments, cls._after_label(arguments), utf8=grammar.utf8, limits=grammar.limits
        )
        return cls(path, cls._parameters(arguments, end, grammar))


@dataclass(frozen=True, slots=True)
class Rcpt(_WithParameters):
    """RCPT: name one recipient of the mail transaction (RFC 5321 section 4.1.1.3).

    Arguments:
        forward_path: the recipient.
        parameters: what service extensions add.
    """

    verb = "RCPT"
    label = "TO:"
    ends_group = False
    accepted = (250, "2.1.5", "OK")

    forward_path: ForwardPath
    parameters: tuple[Parameter, ...] = ()

    def __post_init__(self) -> None:
        if type(self.forward_path) is not ForwardPath or self.parameters:
            self._check(self.forward_path, ForwardPath)

    def __str__(self) -> str:
        # Of these there are many.
        return f"RCPT {self.arguments()}" if self.parameters else f"RCPT TO:{self.forward_path}"

    def arguments(self) -> str:
        """`TO:`, the forward-path and the parameters."""
        path = f"TO:{self.forward_path}"
        return path + format_parameters(self.parameters) if self.parameters else path

    @classmethod
    def parse(cls, arguments: str, grammar: Grammar) -> Self:
        """Read the forward-path and the parameters."""
        path, end = ForwardPath.parse_prefix(
            arguments, cls._after_label(arguments), utf8=grammar.utf8, limits=grammar.limits
        )
        return cls(path, cls._parameters(arguments, end, grammar))


@dataclass(frozen=True, slots=True)
class Data(Command):
    """DATA: the message content follows (RFC 5321 section 4.1.1.4)."""

    verb = "DATA"
    timeout = 120.0
    accepted = (354, "", "End data with <CR><LF>.<CR><LF>")
    framing = Framing.DOTS


@dataclass(frozen=True, slots=True)
class Rset(Command):
    """RSET: give up the mail transaction (RFC 5321 section 4.1.1.5)."""

    verb = "RSET"
    ends_group = False


@dataclass(frozen=True, slots=True)
class Quit(Command):
    """QUIT: end the session (RFC 5321 section 4.1.1.10)."""

    verb = "QUIT"
    accepted = (221, "2.0.0", "Bye")


@dataclass(frozen=True, slots=True)
class _WithString(Command):
    """What NOOP, VRFY, EXPN and HELP have in common: a string.

    RFC 5321 section 4.1.2 defines String as an atom or a quoted string, which leaves no way to ask
    for `user@domain`; like every server in the field this takes any printable text.

    Arguments:
        string: the text after the verb, as it is written.
    """

    needs_string: ClassVar[bool] = True
    takes_utf8: ClassVar[bool] = False

    string: str

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
        """The string."""
        return self.string

    @classmethod
    def parse(cls, arguments: str, grammar: Grammar) -> Self:
        """Read the string."""
        return cls(arguments)


@dataclass(frozen=True, slots=True)
class Noop(_WithString):
    """NOOP: do nothing but answer (RFC 5321 section 4.1.1.9)."""

    verb = "NOOP"
    needs_string = False
    string: str = ""


@dataclass(frozen=True, slots=True)
class _Question(_WithString):
    """What VRFY and EXPN share: a string, and maybe a parameter (RFC 6531 section 3.7.4.2).

    Arguments:
        string: the text after the verb.
        parameters: what a service extension adds, without a value; one at most.
    """

    takes_utf8 = True
    parameters: tuple[Parameter, ...] = ()

    def __post_init__(self) -> None:
        # `super()` knows not the class that `slots` makes of this one.
        _WithString.__post_init__(self)

    def get(self, kind: type[P]) -> P | None:
        """The parameter of this class, or None if the command has none."""
        return _find(self.parameters, kind)

    def arguments(self) -> str:
        """The string and the parameters."""
        return f"{self.string}{format_parameters(self.parameters)}"

    @classmethod
    def parse(cls, arguments: str, grammar: Grammar) -> Self:
        """Read the string, and a parameter if the last word is one; others belong to the string."""
        string, space, word = arguments.rpartition(" ")
        known = grammar.parameters.get(cls, {})
        kind = known.get(word.upper()) if space and word.isascii() else None
        return cls(arguments) if kind is None else cls(string, (kind.parse(None),))


@dataclass(frozen=True, slots=True)
class Vrfy(_Question):
    """VRFY: ask whether a user or mailbox is there (RFC 5321 section 4.1.1.6)."""

    verb = "VRFY"
    accepted = (252, "2.1.5", "Cannot VRFY user, but will accept message and attempt delivery")


@dataclass(frozen=True, slots=True)
class Expn(_Question):
    """EXPN: ask for the members of a mailing list (RFC 5321 section 4.1.1.7)."""

    verb = "EXPN"
    needs_offer = False  # older than EHLO (section 4.1.4)
    accepted = (252, "2.1.5", "Cannot EXPN list")


@dataclass(frozen=True, slots=True)
class Help(_WithString):
    """HELP: ask for help (RFC 5321 section 4.1.1.8)."""

    verb = "HELP"
    needs_offer = False  # older than EHLO (section 4.1.4)
    needs_string = False
    accepted = (214, "2.0.0", "See RFC 5321")
    string: str = ""


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
