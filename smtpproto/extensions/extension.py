"""The base class of service extensions: RFC 5321 section 2.2.

An extension is one file with a subclass of `Extension`: its keyword and EHLO line, the parameters
that it adds to commands, the commands that it adds, their rows in the table of states, and its
checks.  Both roles use the same object.  A private extension outside the package is written the
same way:

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

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ..errors import LocalProtocolError
from ..grammar.lazy_pattern import lazy_pattern
from ..vocabulary.parameters import Parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from ..vocabulary.command_base import Command
    from ..vocabulary.replies import Reply
    from ..vocabulary.session_facts import Session, Transaction
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
EHLO_KEYWORD = lazy_pattern(r"[A-Za-z0-9][A-Za-z0-9-]*")


class Answered(NamedTuple):
    """A command got its final reply; see `Extension.after`.

    Arguments:
        command: the command.
        positive: whether the reply was positive.
        on_server: whether this side is the server.
    """

    command: Command
    positive: bool
    on_server: bool


class TransactionOver:
    """The mail transaction is over, or a command such as RSET or EHLO came that would end one."""


class TLSBegun:
    """TLS has begun: forget what the peer said before (RFC 3207 section 4.2).

    The session has already lost the client's name, the offered extensions and the identity.
    """


SessionEvent = Answered | TransactionOver | TLSBegun
"""Events of a session that may change the facts of an extension."""


@dataclass(frozen=True)
class Extension:
    """A service extension; an instance is one EHLO line (RFC 5321 section 4.1.1.1).

    A subclass overrides what differs from the defaults here.  If it has fields, it is a frozen
    dataclass with slots.

    Attributes:
        keyword: the EHLO keyword, in upper case.
        parameters: the parameters it adds, by class of command.
        commands: the commands it adds.
        transitions: the rows of these commands in the table of states.
        extra_length: how many octets longer a command line may be, by class of command.
        watches: further classes of commands to call `check` for.  `check` is always called for the
            commands that it adds or adds parameters to.
        utf8: whether commands and replies may hold UTF-8 when it is in use (RFC 6531).
        not_offered: the reply to one of its commands in a session without it.
        requires: keywords of extensions that must be offered too.
        old_form: whether its EHLO line may have "=" after the keyword, as that of AUTH once had.
        plain: whether a server also accepts its commands before EHLO and after HELO (RFC 5321
            section 4.1.4).
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
        """The text after the keyword in the EHLO line; empty if there is none."""
        return ""

    def line(self) -> str:
        """The EHLO line without its reply code."""
        arguments = self.arguments()
        return f"{self.keyword} {arguments}" if arguments else self.keyword

    def offer(self, session: Session) -> Self | None:
        """Return what a server offers in this session: itself, a changed copy, or None."""
        return self

    @classmethod
    def parse_offer(cls, arguments: str) -> Self:
        """Read the arguments that a server announced (any letter case).

        Raises:
            LocalProtocolError: the arguments are malformed; a client then treats the extension as
                not offered.
        """
        return cls()

    def covers(self, parameter: Parameter) -> bool:
        """Return whether it allows a parameter of one of its classes with this value.

        Another extension may have the same parameter and allow more.
        """
        return True

    def check(
        self, command: Command, session: Session, transaction: Transaction | None
    ) -> Reply | None:
        """Return the reply that refuses this command, or None to allow it.

        A server sends that reply; on a client, `send` raises `LocalProtocolError` from it.

        Arguments:
            command: a command that the extension adds, adds parameters to or watches.
            session: the facts of the session.
            transaction: the mail transaction so far, or None.
        """
        return None

    def demand(self, command: Command | type[Command], session: Session) -> Reply | None:
        """Return the reply that refuses a command until the client has done something, or None.

        A server calls it for every command, before all other checks, even if the extension is not
        in use or the state does not allow the command.  So a client cannot avoid AUTH or STARTTLS
        by never sending EHLO.

        Arguments:
            command: the command; its class if the rest of the line is malformed.
            session: the facts of the session.
        """
        return None

    @classmethod
    def after(cls, event: SessionEvent, session: Session) -> Session:
        """Return the session after an event that concerns the extension; both roles call it.

        An extension can keep a fact in the session, see `Session.with_fact`.

        Arguments:
            event: `Answered` for a command that it adds, and, while it is in use, for one that it
                watches; `TransactionOver`; `TLSBegun`.
            session: the session, already changed by the event itself.
        """
        return session

    def fit_reply(self, reply: Reply, command: Command, transaction: Transaction | None) -> Reply:
        """Return what a server sends instead of a reply whose text is not all ASCII.

        A server calls it for extensions with `utf8` only; it sends the result as UTF-8.
        """
        return reply

    def check_content(self, octets: int, session: Session) -> Reply | None:
        """Return the reply that refuses content of so many octets so far, or None."""
        return None


@dataclass(frozen=True, slots=True)
class UnknownExtension(Extension):
    """An EHLO line of no known extension, kept as written.

    Arguments:
        name: the keyword as received.
        text: the text after the keyword.
    """

    keyword = ""
    name: str
    text: str = ""

    def line(self) -> str:
        return f"{self.name} {self.text}" if self.text else self.name


class Flag(Parameter):
    """A parameter without a value.

    A subclass sets `keyword`.
    """

    __slots__ = ()

    def value(self) -> str | None:
        return None

    @classmethod
    def parse(cls, value: str | None) -> Self:
        if value is not None:
            raise LocalProtocolError(f"{cls.keyword}: expected no value, found {value[:64]!a}")
        return cls()


def split_line(line: str) -> tuple[str, str]:
    """Split an EHLO line into keyword and arguments.

    Raises:
        LocalProtocolError: the line does not begin with a keyword.
    """
    keyword, _, arguments = line.strip(" ").partition(" ")
    if EHLO_KEYWORD.fullmatch(keyword) is None:
        raise LocalProtocolError(
            f"expected an EHLO keyword, found {line[:64]!a} (RFC 5321 section 4.1.1.1)"
        )
    return keyword, arguments.strip(" ")
