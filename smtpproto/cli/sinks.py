"""Where `serve` puts received messages (sinks), and the handlers that pass them on.

A sink takes one message as it arrives; the server replies 250 after its `commit` has returned.
"""

from __future__ import annotations

import functools
import io
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..conversations import AsyncHandler, Handler
from ..conversations.transcript import escaped
from ..mailboxes import FinalDelivery, MaildirStore, MboxStore
from ..vocabulary.replies import Reply
from .common import CannotRun

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
    from types import TracebackType

    from typing_extensions import Self

    from ..conversations import AsyncContentHandler, AsyncMessageHandler, Envelope
    from ..vocabulary.session_facts import Session
    from .signals import ServerOutput

    Sinks = Callable[[Session, Envelope], "Sink"]
    InThread = Callable[[Callable[[], Any]], Awaitable[Any]]
    Sleep = Callable[[float], Awaitable[None]]
    MakeHandler = Callable[[InThread, Sleep], AsyncMessageHandler | AsyncContentHandler]

__all__ = [
    "NOT_PRINTED",
    "AsyncReceiver",
    "Discarding",
    "NotTaken",
    "Printing",
    "Receiver",
    "Sink",
    "WholeReceiver",
    "sinks",
    "storing",
    "take",
]

# The most octets to print at once, and the line between two messages.
_LONGEST = 65536
_PRINTING = threading.Lock()


class NotTaken(Exception):
    """A sink does not take a message.

    Arguments:
        reply: what the client is told.
    """

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


NOT_PRINTED = Reply(451, "4.3.2", "the server is being stopped, try again later")
"""The reply to a message that can no longer be printed."""


class Sink(Protocol):
    """Takes one message; without `commit` the message is dropped."""

    def write(self, chunk: bytes) -> None:
        """Take octets of the content."""
        ...

    def commit(self) -> None:
        """Take responsibility for the message; may wait for a disk.

        Raises:
            NotTaken: the client gets another reply than 250.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class Discarding:
    """A sink that discards messages."""

    def __init__(self, session: Session, envelope: Envelope) -> None:
        """Needs neither session nor envelope."""

    def write(self, chunk: bytes) -> None:
        """Discard octets."""

    def commit(self) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Printing(Discarding):
    """A sink that prints: the envelope on one line, then the content.

    It escapes control characters, so that a sender cannot control the terminal.
    """

    def __init__(self, output: ServerOutput, session: Session, envelope: Envelope) -> None:
        super().__init__(session, envelope)
        self._output = output
        recipients = ", ".join(map(str, envelope.forward_paths))
        self._head = f"---- from {envelope.reverse_path} to {recipients}"
        self._octets = io.BytesIO()

    def write(self, chunk: bytes) -> None:
        """Keep octets until the message is complete."""
        self._octets.write(chunk)

    def commit(self) -> None:
        """Print the whole message."""
        with _PRINTING:
            written = self._output.written(self._print)
        if not written:
            raise NotTaken(NOT_PRINTED)

    def _print(self) -> None:
        output, encoding = sys.stdout.buffer, sys.stdout.encoding
        self._octets.seek(0)
        lines = io.TextIOWrapper(self._octets, "utf-8", "backslashreplace")
        output.write(f"{escaped(self._head)}\n".encode(encoding, "backslashreplace"))
        # A line may be as long as the message; each part is no larger than needed here.
        while part := lines.readline(_LONGEST):
            end = "\n" if part.endswith("\n") else ""
            text = escaped(part.removesuffix("\n")) + end
            output.write(text.encode(encoding, "backslashreplace"))
        output.flush()


def storing(store: MaildirStore | MboxStore) -> Sinks:
    """Return the sinks of a store."""

    def sink(_: Session, envelope: Envelope) -> FinalDelivery:
        mailbox = envelope.reverse_path.mailbox
        return store.open("" if mailbox is None else str(mailbox))

    return sink


def sinks(options: argparse.Namespace) -> Sinks:
    """Return the sinks that the options select.

    Raises:
        CannotRun: the mbox is a directory.
        OSError: the Maildir cannot be created.
    """
    from .listing import listed

    chosen: Sinks = Discarding
    if options.maildir:
        chosen = storing(MaildirStore(options.maildir))
    elif options.mbox:
        if Path(options.mbox).is_dir():
            raise CannotRun(f"--mbox {options.mbox}: Is a directory")
        chosen = storing(MboxStore(options.mbox))
    elif options.forward:
        from .forwarding import Forwarding

        chosen = functools.partial(Forwarding, options.forward)
    elif options.print and not options.json:
        chosen = functools.partial(Printing, options.output)
    if (options.discard or options.quiet) and options.count is None:
        return chosen
    return listed(chosen, options)


def take(
    sinks: Sinks, session: Session, envelope: Envelope, chunks: Iterable[bytes]
) -> Reply | None:
    """Pass a message to its sink; return the reply if it is not taken."""
    try:
        with sinks(session, envelope) as sink:
            for chunk in chunks:
                sink.write(chunk)
            sink.commit()
    except NotTaken as error:
        return error.reply
    return None


class WholeReceiver(Handler):
    """A handler that passes every message on once it is complete.

    Each chunk of a message costs a handler that takes chunks a change of threads; where the sink
    keeps the whole message in memory anyway, this saves them.
    """

    def __init__(self, sinks: Sinks) -> None:
        self._sinks = sinks

    def message(self, session: Session, envelope: Envelope, content: bytes) -> Reply | None:
        """Take a message."""
        return take(self._sinks, session, envelope, [content])


class Receiver(Handler):
    """A handler that passes every message to its own sink."""

    def __init__(self, sinks: Sinks) -> None:
        self._sinks = sinks

    def content(
        self, session: Session, envelope: Envelope, chunks: Iterator[bytes]
    ) -> Reply | None:
        """Take a message as it arrives."""
        return take(self._sinks, session, envelope, chunks)


class AsyncReceiver(AsyncHandler):
    """The same for adapters that can await; it waits for disks in threads.

    Arguments:
        sinks: makes the sink of a message.
        in_thread: calls a function in a thread; it must not return before the function does.
    """

    def __init__(self, sinks: Sinks, in_thread: InThread) -> None:
        self._sinks = sinks
        self._in_thread = in_thread

    async def content(
        self, session: Session, envelope: Envelope, chunks: AsyncIterator[bytes]
    ) -> Reply | None:
        """Take a message as it arrives."""
        try:
            with self._sinks(session, envelope) as sink:
                async for chunk in chunks:
                    sink.write(chunk)
                await self._in_thread(sink.commit)
        except NotTaken as error:
            return error.reply
        return None
