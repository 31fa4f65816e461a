"""What a server asks of its user: the handler.

A handler is any object with some of the methods of `Handler`.  Each is optional, plain or (with an
adapter that can wait) async, gets immutable values, and answers with None to accept, with a
`Reply`, or with an exception, which is logged and becomes 451 4.3.0.
"""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from ..commands import Command, Data, Expn, Help, Mail, Noop, Quit, Rcpt, Rset, Vrfy
from ..replies import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..commands import Hello
    from ..events import Deviation, Rejected
    from ..session import Session
    from .outcome import Envelope

__all__ = ["Answer", "Handler", "Hooks"]

Answer = Reply | Sequence[Reply | None] | None
"""None: accepted; a `Reply`; after the content of an LMTP session also one of these for each
recipient."""


class Handler:
    """The methods that a handler may have; inheriting from this class is not needed.

    `message` gets the whole content, `body` gets it in chunks while it arrives; a handler has one
    of the two.

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
        """A mail transaction begins."""

    def rcpt(self, session: Session, rcpt: Rcpt) -> Answer:
        """A recipient is named."""

    def message(self, session: Session, envelope: Envelope, content: bytes) -> Answer:
        """A message is complete; once this returns None, it is this server's responsibility."""

    def body(self, session: Session, envelope: Envelope, chunks: Iterator[bytes]) -> Answer:
        """A message arrives: `chunks` ends where the message is complete.

        It raises `ContentLost` if the message does not become complete; nothing may be delivered
        then.  With trio `chunks` is an asynchronous iterator.
        """

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


# What hooks are called elsewhere, such as `handle_RCPT` and `handle_DATA`.
_PREFIX = re.compile("^(?:handle|on|do|smtp)_")
_OTHER_NAMES = {"data": "message", "helo": "ehlo"}

# The hooks of commands, and what concerns the protocol alone: no hook is asked.
NAMED: dict[type[Command], str] = {
    Mail: "mail",
    Rcpt: "rcpt",
    Vrfy: "vrfy",
    Expn: "expn",
    Help: "help",
}
BASIC = (Data, Rset, Noop, Quit)

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
    message: _Method = None
    body: _Method = None
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
        object.__setattr__(self, "unasked", frozenset([*BASIC, *NAMED]) - asked)

    @classmethod
    def of(cls, handler: object) -> Hooks:
        """The hooks of a handler.

        Warns with `RuntimeWarning` of a public method whose name is close to that of a hook, or is
        what a hook is called elsewhere.

        Raises:
            TypeError: it has neither `message` nor `body`, or both.
        """
        names = [each.name for each in fields(cls) if each.init]
        own = [name for name in dir(handler) if not name.startswith("_")]
        for name in own:
            meant = _PREFIX.sub("", name.lower())
            meant = _OTHER_NAMES.get(meant, meant)
            close = difflib.get_close_matches(meant, names, n=1, cutoff=0.8)
            if name not in names and close and callable(getattr(handler, name)):
                warnings.warn(
                    f"the handler has a method {name!r}: is {close[0]!r} meant?",
                    RuntimeWarning,
                    stacklevel=2,
                )
        # What only `Handler` itself defines is not the user's.
        found = {
            name: getattr(handler, name)
            for name in names
            if name in own and getattr(type(handler), name, None) is not getattr(Handler, name)
        }
        if ("message" in found) is ("body" in found):
            raise TypeError("a handler has either a method 'message' or a method 'body'")
        return cls(**found)
