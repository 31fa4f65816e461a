"""What a command is (`Command`), and what reading one needs (`Grammar`): RFC 5321 section 4.1.1.

A client passes commands to `send`; a server gets them from `next_event`.  `commands` has the
commands of RFC 5321; service extensions define theirs in their own files.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, TypeVar

from ..errors import LocalProtocolError
from ..limits import Limits
from ..timeouts import COMMAND_TIMEOUT
from .parameters import Parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

__all__ = ["Command", "CountedCommand", "DialogueCommand", "Framing", "Grammar", "Syntax"]

P = TypeVar("P", bound=Parameter)


class Framing(enum.Enum):
    """How the message content that belongs to a command is delimited."""

    DOTS = "ended by CRLF.CRLF, with dot transparency (RFC 5321 section 4.5.2)"
    COUNTED = "as many octets as the command says (RFC 3030 section 2)"


class Syntax(enum.Enum):
    """How many common mistakes of clients a server accepts."""

    STRICT = "the grammar of RFC 5321, and nothing else"
    LENIENT = "the server repairs and reports faults whose meaning is clear"


@dataclass(frozen=True, slots=True)
class Grammar:
    """What reading a command line needs: the verbs and parameters in use.

    Arguments:
        verbs: the class of each command, by verb in upper case.
        known: verbs that exist but are not in use here: refused with 502 instead of 500.
        parameters: the parameters of each class of command, by keyword in upper case.
        utf8: whether a line may hold UTF-8 (RFC 6531 section 3.3).
        limits: the bounds for addresses.
        syntax: for `lenient_commands.read`; `command_parser.parse` is always strict.
    """

    verbs: Mapping[str, type[Command]]
    known: frozenset[str] = frozenset()
    parameters: Mapping[type[Command], Mapping[str, type[Parameter]]] = field(default_factory=dict)
    utf8: bool = False
    limits: Limits = Limits()
    syntax: Syntax = Syntax.STRICT


@dataclass(frozen=True)
class Command:
    """A command: a verb and what follows it (RFC 5321 section 4.1.1).

    A subclass sets `verb`.  If the command takes arguments, it implements `arguments` and `parse`,
    and is a frozen dataclass with slots.

    Attributes:
        verb: the first word, in upper case.
        ends_group: whether it must be the last command of a pipelined group (RFC 2920 section 3.1
            requires that of every command that it does not name).
        timeout: seconds that a client waits for the reply (RFC 5321 section 4.5.3.2).
        accepted: the usual positive reply: code, enhanced status code, text.
        framing: how the content of the command is delimited; None if it has none.
        brings_content: whether a positive reply takes responsibility for content from elsewhere,
            such as a URL (RFC 4468).  In the conversation of a server only the handler can give
            that reply; without one the server refuses the command.
        needs_offer: whether the command is allowed only if its extension is offered.
    """

    __slots__ = ()
    verb: ClassVar[str]
    ends_group: ClassVar[bool] = True
    timeout: ClassVar[float] = COMMAND_TIMEOUT
    accepted: ClassVar[tuple[int, str, str]] = (250, "2.0.0", "OK")
    framing: ClassVar[Framing | None] = None
    brings_content: ClassVar[bool] = False
    needs_offer: ClassVar[bool] = True

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters of service extensions; empty if the command takes none."""
        return ()

    @property
    def row(self) -> str:
        """The name of its row in the table of states: the verb, unless an argument decides it."""
        return self.verb

    def get(self, kind: type[P]) -> P | None:
        """Return the parameter of this class, or None if the command has none."""
        for parameter in self.parameters:
            if type(parameter) is kind:
                return parameter
        return None

    def arguments(self) -> str:
        """The text after the verb and a space; empty if there is none."""
        return ""

    def line(self) -> str:
        """The command line as it is sent, without its CRLF.  It may hold secrets."""
        arguments = self.arguments()
        return f"{self.verb} {arguments}" if arguments else self.verb

    @classmethod
    def parse(cls, arguments: str, grammar: Grammar) -> Self:
        """Read the arguments of the command.

        Raises:
            LocalProtocolError: with the code of the reply that refuses them.
        """
        if arguments:
            raise LocalProtocolError(
                f"{cls.verb} takes no argument, found {arguments[:64]!a} (RFC 5321 section 4.1.1)"
            )
        return cls()

    def __str__(self) -> str:
        """The command line for people.

        A class whose arguments may hold secrets overrides this and hides them.
        """
        return self.line()


class CountedCommand(Command):
    """A command directly followed by a counted number of octets (RFC 3030 section 2).

    Attributes:
        octets: how many octets follow the CRLF of the command line.
        last: whether they end the message content.
    """

    __slots__ = ()
    framing = Framing.COUNTED
    octets: int
    last: bool


class DialogueCommand(Command):
    """A command that a 334 reply extends to an exchange of challenges and responses (RFC 4954)."""

    __slots__ = ()

    def parse_response(self, line: bytes) -> bytes:
        """Decode a response line of the client.

        Raises:
            LocalProtocolError: 501: the line is no response, or cancels the dialogue.
        """
        raise NotImplementedError

    def format_response(self, octets: bytes | None) -> bytes:
        """Encode a response as a line; None cancels the dialogue."""
        raise NotImplementedError
