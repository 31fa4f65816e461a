"""What a service extension is: RFC 5321 section 2.2.

To add one is to write one file with a subclass of `Extension`: its keyword and EHLO line, the
parameters it adds to commands, the commands it adds with their rows in the table of states, and
what it demands.  Both roles use the same object, and a private one outside the package is written
the same way:

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, slots=True)
    ... class Colour(Extension):
    ...     keyword = "X-COLOUR"
    ...     name: str = "blue"
    ...     def arguments(self) -> str:
    ...         return self.name
    ...     @classmethod
    ...     def parse_offer(cls, arguments: str) -> "Colour":
    ...         return cls(arguments)
    >>> Colour("red").line()
    'X-COLOUR red'
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..errors import LocalProtocolError
from ..vocabulary.parameters import Parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from ..vocabulary.command_base import Command
    from ..vocabulary.replies import Reply
    from ..vocabulary.session import Session, Transaction
    from ..vocabulary.states import Table

__all__ = [
    "Answered",
    "Extension",
    "Flag",
    "SessionEvent",
    "TLSBegun",
    "TransactionOver",
    "UnknownExtension",
]

# ehlo-line = ehlo-keyword *( SP ehlo-param )
# ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
# ehlo-param = 1*(%d33-126) (RFC 5321 section 4.1.1.1)
EHLO_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


@dataclass(frozen=True, slots=True)
class Answered:
    """A command got its final reply: see `Extension.after`.

    Arguments:
        command: the command.
        positive: whether the reply was.
        on_server: whether this side is the server.
    """

    command: Command
    positive: bool
    on_server: bool


@dataclass(frozen=True, slots=True)
class TransactionOver:
    """A mail transaction is over, or what would end one came, as RSET or EHLO."""


@dataclass(frozen=True, slots=True)
class TLSBegun:
    """A TLS handshake was done: what the peer said before it is to be forgotten.

    Its name, what was offered and the identity are forgotten already (RFC 3207 section 4.2).
    """


SessionEvent = Answered | TransactionOver | TLSBegun
"""What happens in a session that an extension may have to keep in mind."""


class Extension:
    """A service extension; an instance is its own EHLO line (RFC 5321 section 4.1.1.1).

    A subclass is a frozen dataclass with slots.  What it does not set stays as here.

    Attributes:
        keyword: the EHLO keyword, in upper case.
        parameters: the parameters it adds, by class of command.
        commands: the commands it adds.
        transitions: the rows these commands have in the table of states.
        extra_length: octets by which a command line may be longer, by class of command.
        watches: classes of commands for which `check` is called, besides those that it adds or
            adds parameters to.
        utf8: whether commands and replies may hold UTF-8 once it is in force (RFC 6531).
        not_offered: the reply to one of its commands in a session where it is not in force.
        requires: keywords of extensions without which it may not be offered.
        old_form: whether its EHLO line may have "=" behind the keyword, as that of AUTH had once.
        plain: whether it is in force on a server before EHLO and after HELO, too, where nothing is
            announced: for commands that may be sent unasked (RFC 5321 section 4.1.4).
    """

    __slots__ = ()
    keyword: ClassVar[str]
    parameters: ClassVar[Mapping[type[Command], tuple[type[Parameter], ...]]] = {}
    commands: ClassVar[tuple[type[Command], ...]] = ()
    transitions: ClassVar[Table] = {}
    extra_length: ClassVar[Mapping[type[Command], int]] = {}
    watches: ClassVar[tuple[type[Command], ...]] = ()
    utf8: ClassVar[bool] = False
    not_offered: ClassVar[Reply | None] = None
    requires: ClassVar[tuple[str, ...]] = ()
    old_form: ClassVar[bool] = False
    plain: ClassVar[bool] = False

    def arguments(self) -> str:
        """What follows the keyword in the EHLO line; empty if nothing does."""
        return ""

    def line(self) -> str:
        """The EHLO line without its reply code."""
        arguments = self.arguments()
        return f"{self.keyword} {arguments}" if arguments else self.keyword

    def offer(self, session: Session) -> Self | None:
        """What a server offers in this session: itself, a changed copy, or None for nothing."""
        return self

    @classmethod
    def parse_offer(cls, arguments: str) -> Self:
        """The extension that a server announced with these arguments (any letter case).

        Raises:
            LocalProtocolError: the arguments are not what the extension allows; a client then
                treats the extension as not offered.
        """
        return cls()

    def covers(self, parameter: Parameter) -> bool:
        """Whether it allows a parameter, one of its classes, with this value.

        Another extension may have the same parameter and allow more.
        """
        return True

    def check(
        self, command: Command, session: Session, transaction: Transaction | None
    ) -> Reply | None:
        """The reply that refuses this command here and now, or None.

        A server refuses with it; on a client, `send` raises `LocalProtocolError` from it.

        Arguments:
            command: one that the extension adds, adds parameters to or watches.
            session: the facts.
            transaction: what MAIL and RCPT said, None outside a mail transaction.
        """
        return None

    def demand(self, command: Command | type[Command], session: Session) -> Reply | None:
        """The reply by which a server refuses a command for lack of something, or None.

        Asked about every command before all else, whether the extension is in force or not, and
        whether the command is possible here or not: so a client that never said EHLO does not get
        around what it is to do first, such as to authenticate.

        Arguments:
            command: the command; only its class where the rest of the line cannot be read.
            session: the facts.
        """
        return None

    @classmethod
    def after(cls, event: SessionEvent, session: Session) -> Session:
        """The session after something that concerns the extension; both roles.

        For what it keeps as a fact, see `Session.with_fact`.

        Arguments:
            event: `Answered` for a command that it adds, and, while it is in force, for one that it
                watches; `TransactionOver`; `TLSBegun`.
            session: what the event itself changes is changed already.
        """
        return session

    def fit_reply(self, reply: Reply, command: Command, transaction: Transaction | None) -> Reply:
        """What a server says in place of a reply whose text is not all ASCII.

        Asked of extensions with `utf8` only; whatever they return leaves as UTF-8.
        """
        return reply

    def check_content(self, octets: int, session: Session) -> Reply | None:
        """The reply that refuses content of so many octets so far, or None."""
        return None


@dataclass(frozen=True, slots=True)
class UnknownExtension(Extension):
    """An EHLO line that no known extension explains, kept as it was written.

    Arguments:
        name: the keyword as received.
        text: what followed it.
    """

    keyword = ""
    name: str
    text: str = ""

    def line(self) -> str:
        """The line as received."""
        return f"{self.name} {self.text}" if self.text else self.name


class Flag(Parameter):
    """A parameter without a value: its presence says it all.

    A subclass is a frozen dataclass with slots that sets `keyword`.
    """

    __slots__ = ()

    def value(self) -> str | None:
        """None: there is no value."""
        return None

    @classmethod
    def parse(cls, value: str | None) -> Self:
        """Refuse a value."""
        if value is not None:
            raise LocalProtocolError(f"{cls.keyword}: expected no value, found {value[:64]!a}")
        return cls()


def split_line(line: str) -> tuple[str, str]:
    """Keyword and arguments of an EHLO line.

    Raises:
        LocalProtocolError: the line does not begin with a keyword.
    """
    keyword, _, arguments = line.strip(" ").partition(" ")
    if EHLO_KEYWORD.fullmatch(keyword) is None:
        raise LocalProtocolError(
            f"expected an EHLO keyword, found {line[:64]!a} (RFC 5321 section 4.1.1.1)"
        )
    return keyword, arguments.strip(" ")
