"""Where `serve` puts received messages (sinks), and the handlers that pass them on.

A sink takes one message as it arrives; the server replies 250 after its `commit` has returned.
"""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..conversations import AsyncHandler, Handler
from ..mailboxes import FinalDelivery, MaildirStore, MboxStore
from ..vocabulary.replies import Reply
from .common import CannotRun

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator

    from ..conversations import AsyncContentHandler, AsyncMessageHandler, Envelope
    from ..vocabulary.session_facts import Session

    Sinks = Callable[[Session, Envelope], "Sink"]
    InThread = Callable[[Callable[[], Any]], Awaitable[Any]]
    Sleep = Callable[[float], Awaitable[None]]
    MakeHandler = Callable[[InThread, Sleep], AsyncMessageHandler | AsyncContentHandler]


class NotTaken(Exception):
    """A sink does not take a message; the client is told `reply`."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


class Sink(AbstractContextManager["Sink"], Protocol):
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


class Discarding(AbstractContextManager["Discarding"]):
    """A sink that discards messages."""

    def __init__(self, session: Session, envelope: Envelope) -> None:
        """Needs neither session nor envelope."""

    def write(self, chunk: bytes) -> None:
        """Discard octets."""

    def commit(self) -> None:
        """Do nothing."""

    def __exit__(self, *_: object) -> None:
        pass


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
    silent = (options.discard or options.quiet) and not options.print
    return chosen if silent and options.count is None else listed(chosen, options)


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

    def __init__(self, sinks: Sinks, in_thread: InThread, _: Sleep) -> None:
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
