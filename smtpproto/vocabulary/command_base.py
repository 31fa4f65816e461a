"""What a command is, and what reading one has to know: RFC 5321 section 4.1.1.

A command is a value: what a client passes to `send` is what a server gets from `next_event`.  The
commands of RFC 5321 are in `commands`, those of service extensions in the files of these.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from ..errors import LocalProtocolError
from ..limits import Limits
from .parameters import Parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

__all__ = ["Command", "CountedCommand", "DialogueCommand", "Framing", "Grammar", "Syntax"]


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
    """What reading a command line has to know: the verbs and parameters in use.

    Arguments:
        verbs: the class of each command, by verb in upper case.
        known: verbs that exist but are not in use here: refused with 502 instead of 500.
        parameters: the parameters of each class of command, by keyword in upper case.
        utf8: whether a line may hold UTF-8 (RFC 6531 section 3.3).
        limits: the sizes to hold addresses to.
        syntax: for `lenient_commands.read`; `command_line.parse` is always strict.
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
