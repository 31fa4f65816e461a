"""The handler: the methods that a server calls to decide about commands and messages.

A handler is any object with some of the methods of `Handler`.  Either `message` or `content` is
required; the others are optional.  A method gets immutable values.  It returns None to accept, or a
`Reply`; the server logs an exception and replies 451 4.3.0.  With an adapter that can await, a
method may be async, see `AsyncHandler`.

One handler serves all sessions.  It can keep values of one session in `session.state`, a dict that
lives as long as the connection.  `session.transaction` holds what MAIL and RCPT said so far, and
`session.peer` and `session.peer_port` are the client's address.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol

from ...vocabulary.command_base import Command
from ...vocabulary.commands import Data, Expn, Help, Mail, Noop, Quit, Rcpt, Rset, Vrfy
from ...vocabulary.replies import Reply
from .handler_checks import check_names, check_object, check_signatures, check_waiting

if TYPE_CHECKING:
    from ...vocabulary.commands import Hello
    from ...vocabulary.events import Deviation, Rejected
    from ...vocabulary.session_facts import Session
    from ..envelope import Envelope

__all__ = [
    "Answer",
    "AsyncContentAnswer",
    "AsyncContentHandler",
    "AsyncHandler",
    "AsyncMessageHandler",
    "ContentAnswer",
    "ContentHandler",
    "Handler",
    "Hooks",
    "MessageHandler",
]

Answer = Reply | None
"""None to accept, or a `Reply`."""

ContentAnswer = Answer | Sequence[Answer] | Iterator[Answer]
"""One answer; in an LMTP session also one for each recipient, in the order of the envelope: in a
sequence, or from an iterator, whose replies are sent one by one (RFC 2033 section 4.2)."""

AsyncContentAnswer = ContentAnswer | Awaitable[ContentAnswer] | AsyncIterator[Answer]
"""The same, for an adapter that can await."""


class Handler:
    """The methods that a handler may have; a handler need not inherit from this class.

    `message` gets the whole content, `content` gets it in chunks as it arrives; a handler has one
    of the two.  All methods get the same `session`; the module describes it.

    The server logs an exception and replies 451, or 452 if the disk or the memory is full.
    `SystemExit` and `KeyboardInterrupt` end the session with 421.  Any other exception that is not
    an `Exception` closes the session without a reply.  The server continues in all these cases,
    with one exception: asyncio and trio raise `KeyboardInterrupt` in the task that runs when the
    user presses Ctrl-C, and then it ends the program.
    """

    def connect(self, session: Session) -> Answer:
        """A client connected; a `Reply` with 554 or 421 refuses it."""

    def ehlo(self, session: Session, hello: Hello) -> Answer:
        """The client said EHLO, HELO or LHLO."""

    def mail(self, session: Session, mail: Mail) -> Answer:
        """A mail transaction begins; `session.transaction` exists once it is accepted."""

    def rcpt(self, session: Session, rcpt: Rcpt) -> Answer:
        """The client names a recipient; `session.transaction` has MAIL and earlier recipients."""

    def data(self, session: Session, envelope: Envelope) -> Answer:
        """Content is about to come: None asks for it with 354, a negative `Reply` refuses it.

        With BDAT (RFC 3030), which has no 354, the server calls it when the first chunk comes.  A
        refusal answers that chunk, and the server drops its octets.
        """

    def message(self, session: Session, envelope: Envelope, content: bytes) -> ContentAnswer:
        """A message is complete; when this returns None, this server is responsible for it."""

    def content(
        self, session: Session, envelope: Envelope, chunks: Iterator[bytes]
    ) -> ContentAnswer:
        """A message arrives: `chunks` ends when the message is complete.

        `chunks` raises `ContentLost` if the message stays incomplete; then nothing may be
        delivered. This method cannot be a generator, because `chunks` ends when it returns; it may
        return one.
        """

    def rset(self, session: Session, command: Rset) -> None:
        """RSET: the client aborts the transaction; this cannot be refused (section 4.1.1.5)."""

    def noop(self, session: Session, command: Noop) -> None:
        """NOOP; this cannot be refused (section 4.1.1.9)."""

    def quit(self, session: Session, command: Quit) -> None:
        """QUIT; this cannot be refused (section 4.1.1.10); `closed` follows."""

    def vrfy(self, session: Session, vrfy: Vrfy) -> Answer:
        """VRFY; None answers 252."""

    def expn(self, session: Session, expn: Expn) -> Answer:
        """EXPN; None answers 252."""

    def help(self, session: Session, question: Help) -> Answer:
        """HELP; None answers 214."""

    def command(self, session: Session, command: Command) -> Answer:
        """A command of an extension.

        If it brings content, as BURL does, only a positive `Reply` takes responsibility, and None
        refuses it.
        """

    def rejected(self, session: Session, rejected: Rejected) -> None:
        """The protocol itself refused something; the server has replied already."""

    def deviated(self, session: Session, deviation: Deviation) -> None:
        """A lenient server understood a command line with mistakes; the command comes next."""

    def closed(self, session: Session) -> None:
        """The session is over, for any reason."""


class AsyncHandler:
    """The same for an adapter that can await, such as asyncio: each method may be plain or async.

    `content` must be async, because `chunks` is an asynchronous iterator.
    """

    def connect(self, session: Session) -> Answer | Awaitable[Answer]:
        """See `Handler.connect`."""

    def ehlo(self, session: Session, hello: Hello) -> Answer | Awaitable[Answer]:
        """See `Handler.ehlo`."""

    def mail(self, session: Session, mail: Mail) -> Answer | Awaitable[Answer]:
        """See `Handler.mail`."""

    def rcpt(self, session: Session, rcpt: Rcpt) -> Answer | Awaitable[Answer]:
        """See `Handler.rcpt`."""

    def data(self, session: Session, envelope: Envelope) -> Answer | Awaitable[Answer]:
        """See `Handler.data`."""

    def message(self, session: Session, envelope: Envelope, content: bytes) -> AsyncContentAnswer:
        """See `Handler.message`."""

    async def content(
        self, session: Session, envelope: Envelope, chunks: AsyncIterator[bytes]
    ) -> ContentAnswer | AsyncIterator[Answer]:
        """See `Handler.content`."""

    def rset(self, session: Session, command: Rset) -> Awaitable[None] | None:
        """See `Handler.rset`."""

    def noop(self, session: Session, command: Noop) -> Awaitable[None] | None:
        """See `Handler.noop`."""

    def quit(self, session: Session, command: Quit) -> Awaitable[None] | None:
        """See `Handler.quit`."""

    def vrfy(self, session: Session, vrfy: Vrfy) -> Answer | Awaitable[Answer]:
        """See `Handler.vrfy`."""

    def expn(self, session: Session, expn: Expn) -> Answer | Awaitable[Answer]:
        """See `Handler.expn`."""

    def help(self, session: Session, question: Help) -> Answer | Awaitable[Answer]:
        """See `Handler.help`."""

    def command(self, session: Session, command: Command) -> Answer | Awaitable[Answer]:
        """See `Handler.command`."""

    def rejected(self, session: Session, rejected: Rejected) -> Awaitable[None] | None:
        """See `Handler.rejected`."""

    def deviated(self, session: Session, deviation: Deviation) -> Awaitable[None] | None:
        """See `Handler.deviated`."""

    def closed(self, session: Session) -> Awaitable[None] | None:
        """See `Handler.closed`.

        If the server cut the session off, an async method has 0.3 seconds.
        """


class MessageHandler(Protocol):
    """Any object that gets whole messages; for type checkers, as are the next three."""

    def message(self, session: Session, envelope: Envelope, content: bytes, /) -> ContentAnswer:
        """See `Handler.message`."""


class ContentHandler(Protocol):
    """Any object that gets content as it arrives."""

    def content(
        self, session: Session, envelope: Envelope, chunks: Iterator[bytes], /
    ) -> ContentAnswer:
        """See `Handler.content`."""


class AsyncMessageHandler(Protocol):
    """Any object that gets whole messages, for an adapter that can await."""

    def message(
        self, session: Session, envelope: Envelope, content: bytes, /
    ) -> AsyncContentAnswer:
        """See `Handler.message`."""


class AsyncContentHandler(Protocol):
    """Any object that gets content as it arrives, for an adapter that can await."""

    async def content(
        self, session: Session, envelope: Envelope, chunks: AsyncIterator[bytes], /
    ) -> ContentAnswer | AsyncIterator[Answer]:
        """See `Handler.content`."""


# The hooks of commands.  Other commands belong to extensions, except EHLO, HELO and LHLO.
NAMED: dict[type[Command], str] = {
    Mail: "mail",
    Rcpt: "rcpt",
    Data: "data",
    Rset: "rset",
    Noop: "noop",
    Quit: "quit",
    Vrfy: "vrfy",
    Expn: "expn",
    Help: "help",
}
# Commands that a server must not refuse; the return value of their hook is ignored.
TOLD = (Rset, Noop, Quit)

_Method = Callable[..., Any] | None


@dataclass(frozen=True, slots=True)
class Hooks:
    """The methods of a handler, looked up once; None for a missing one.

    Attributes:
        unasked: the commands that are accepted without calling the handler.
    """

    connect: _Method = None
    ehlo: _Method = None
    mail: _Method = None
    rcpt: _Method = None
    data: _Method = None
    message: _Method = None
    content: _Method = None
    rset: _Method = None
    noop: _Method = None
    quit: _Method = None
    vrfy: _Method = None
    expn: _Method = None
    help: _Method = None
    command: _Method = None
    rejected: _Method = None
    deviated: _Method = None
    closed: _Method = None
    unasked: frozenset[type[Command]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        asked = {kind for kind, name in NAMED.items() if getattr(self, name) is not None}
        object.__setattr__(self, "unasked", frozenset(NAMED) - asked)

    @classmethod
    def of(cls, handler: object, *, waits: bool | None = None) -> Hooks:
        """Return the hooks of a handler, after a check for mistakes.

        Arguments:
            handler: see `Handler`.
            waits: whether the adapter can await; None if that is unknown.

        Raises:
            TypeError: the handler is a class; it has neither `message` nor `content`, or both; a
                method's name is a misspelt hook; a method takes other arguments than the hook; or
                it is async but cannot be awaited, or must be async.
        """
        names = [each.name for each in fields(cls) if each.init]
        check_object(handler)
        # Methods that only the base classes define do not count.
        bases = (Handler, AsyncHandler)
        found = {
            name: getattr(handler, name)
            for name in names
            if callable(getattr(handler, name, None))
            and all(getattr(type(handler), name, None) is not getattr(b, name) for b in bases)
        }
        check_names(handler, names, found)
        check_signatures(handler, found, Handler)
        if waits is not None:
            check_waiting(handler, found, waits=waits)
        return cls(**found)
