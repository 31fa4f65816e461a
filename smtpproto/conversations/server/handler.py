"""What a server asks of its user: the handler.

A handler is any object with some of the methods of `Handler`.  Each is optional but for `message`
or `content`, gets immutable values, and answers with None to accept, with a `Reply`, or with an
exception, which is logged and becomes 451 4.3.0.  With an adapter that can wait a method may be
async, see `AsyncHandler`.

One handler serves all sessions.  What it wants to keep of one session it puts into
`session.state`, a dict that lives as long as the connection.  `session.transaction` holds what MAIL
and RCPT said so far, and `session.peer` and `session.peer_port` say where the client is.
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
    from ...vocabulary.session import Session
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
"""None: accepted; or a `Reply`."""

ContentAnswer = Answer | Sequence[Answer] | Iterator[Answer]
"""One answer; in an LMTP session also one for each recipient, in the order of the envelope: all at
once, or one by one from an iterator, each sent as soon as it is there (RFC 2033 section 4.2)."""

AsyncContentAnswer = ContentAnswer | Awaitable[ContentAnswer] | AsyncIterator[Answer]
"""The same, where the adapter can wait."""


class Handler:
    """The methods that a handler may have; inheriting from this class is not needed.

    `message` gets the whole content, `content` gets it in chunks while it arrives; a handler has
    one of the two.  `session` is the same in all: see the module.

    An exception is logged, and answered with 451; with 452 where the disk or the memory is full.
    `SystemExit` ends the session with 421, and any other exception that is no `Exception` ends it
    without a word; the server goes on.  `KeyboardInterrupt` does what `SystemExit` does; with trio,
    which raises it in any task when the user presses Ctrl-C, it then ends `serve` as well.
    """

    def connect(self, session: Session) -> Answer:
        """Somebody connected; a `Reply` with 554 or 421 turns them away."""

    def ehlo(self, session: Session, hello: Hello) -> Answer:
        """The client named itself with EHLO, HELO or LHLO."""

    def mail(self, session: Session, mail: Mail) -> Answer:
        """A mail transaction begins; `session.transaction` is there once it is accepted."""

    def rcpt(self, session: Session, rcpt: Rcpt) -> Answer:
        """A recipient is named; `session.transaction` has MAIL and the recipients before it."""

    def data(self, session: Session, envelope: Envelope) -> Answer:
        """Content is about to come: None asks for it with 354, a negative `Reply` refuses it.

        With BDAT (RFC 3030) it is called once the first chunk comes, which has no 354; a refusal
        answers that chunk, and its octets are not kept.
        """

    def message(self, session: Session, envelope: Envelope, content: bytes) -> ContentAnswer:
        """A message is complete; once this returns None, it is this server's responsibility."""

    def content(
        self, session: Session, envelope: Envelope, chunks: Iterator[bytes]
    ) -> ContentAnswer:
        """A message arrives: `chunks` ends where the message is complete.

        It raises `ContentLost` if the message does not become complete; nothing may be delivered
        then.  It cannot be a generator, as chunks are there until it returns; it may return one.
        """

    def rset(self, session: Session, command: Rset) -> None:
        """RSET: `session.transaction` is given up; this cannot be refused (section 4.1.1.5)."""

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

        For one that brings content, such as BURL, only a positive `Reply` takes responsibility;
        None refuses it.
        """

    def rejected(self, session: Session, rejected: Rejected) -> None:
        """The protocol itself refused something; it is answered already."""

    def deviated(self, session: Session, deviation: Deviation) -> None:
        """A lenient server understood a command line that is wrong; the command comes next."""

    def closed(self, session: Session) -> None:
        """The session is over, whatever ended it."""


class AsyncHandler:
    """The same for an adapter that can wait, such as trio: each method may be plain or async.

    `content` has to be async, since `chunks` is an asynchronous iterator.
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
        """See `Handler.closed`."""


class MessageHandler(Protocol):
    """Any object that gets whole messages; for type checkers, as are the three below."""

    def message(self, session: Session, envelope: Envelope, content: bytes, /) -> ContentAnswer:
        """See `Handler.message`."""


class ContentHandler(Protocol):
    """Any object that gets content while it arrives."""

    def content(
        self, session: Session, envelope: Envelope, chunks: Iterator[bytes], /
    ) -> ContentAnswer:
        """See `Handler.content`."""


class AsyncMessageHandler(Protocol):
    """Any object that gets whole messages, for an adapter that can wait."""

    def message(
        self, session: Session, envelope: Envelope, content: bytes, /
    ) -> AsyncContentAnswer:
        """See `Handler.message`."""


class AsyncContentHandler(Protocol):
    """Any object that gets content while it arrives, for an adapter that can wait."""

    async def content(
        self, session: Session, envelope: Envelope, chunks: AsyncIterator[bytes], /
    ) -> ContentAnswer | AsyncIterator[Answer]:
        """See `Handler.content`."""


# The hooks of commands; all other commands are those of extensions, but for EHLO and its likes.
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
# What a server must not refuse: the handler is told, not asked.
TOLD = (Rset, Noop, Quit)

_Method = Callable[..., Any] | None


@dataclass(frozen=True, slots=True)
class Hooks:
    """The methods that a handler has, looked up once; None for those it has not.

    Attributes:
        unasked: the commands that are accepted without a question.
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
        """The hooks of a handler, which is looked at for mistakes.

        Arguments:
            handler: see `Handler`.
            waits: whether what runs the conversation can await what is asynchronous; None if that
                is not known.

        Raises:
            TypeError: it is a class; it has neither `message` nor `content`, or both; the name of a
                method is a misspelt hook; a method takes other arguments than the hook has; or it
                is async where nothing can await it, or not async where it has to be.
        """
        names = [each.name for each in fields(cls) if each.init]
        check_object(handler)
        # What only the base classes define is not the user's.
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
