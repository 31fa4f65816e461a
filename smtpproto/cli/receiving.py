"""Where `serve` puts the messages it receives, and the handler that puts them there.

A sink takes one message while it arrives; 250 is said once its `commit` has returned.
"""

from __future__ import annotations

import functools
import io
import sys
import threading
from typing import TYPE_CHECKING, Protocol

from ..conversations import Handler
from ..conversations.transcript import escaped
from ..mailboxes import FinalDelivery, MaildirStore, MboxStore
from ..vocabulary.replies import Reply

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from typing_extensions import Self

    from ..conversations import Envelope
    from ..vocabulary.session import Session
    from .signals import ServerOutput

    Sinks = Callable[[Session, Envelope], "Sink"]

__all__ = ["NOT_PRINTED", "Discarding", "Printing", "Receiver", "Sink", "sinks", "storing"]

# Octets of a line to print at once, and what keeps two messages apart.
_LONGEST = 65536
_PRINTING = threading.Lock()

NOT_PRINTED = Reply(451, "4.3.2", "the server is being stopped, try again later")
"""The answer to a message that nobody reads any more."""


class Sink(Protocol):
    """One message on its way; left without `commit`, it was never there."""

    def write(self, chunk: bytes) -> None:
        """Take some octets of the content."""
        ...

    def commit(self) -> None:
        """Take responsibility; may wait for a disk.

        Raises:
            BrokenPipeError: nobody reads where it is written to, and the server is about to stop.
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
    """A sink that forgets."""

    def __init__(self, session: Session, envelope: Envelope) -> None:
        """Nothing of either is needed."""

    def write(self, chunk: bytes) -> None:
        """Forget some octets."""

    def commit(self) -> None:
        """There is nothing to be responsible for."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Printing(Discarding):
    """A sink that prints: the envelope on one line, then the content.

    What a terminal would obey comes out as an escape: a sender must not write on it.
    """

    def __init__(self, output: ServerOutput, session: Session, envelope: Envelope) -> None:
        super().__init__(session, envelope)
        self._output = output
        recipients = ", ".join(map(str, envelope.forward_paths))
        self._head = f"---- from {envelope.reverse_path} to {recipients}"
        self._octets = io.BytesIO()

    def write(self, chunk: bytes) -> None:
        """Keep some octets until the message is complete."""
        self._octets.write(chunk)

    def commit(self) -> None:
        """Print it in one piece."""
        with _PRINTING:
            written = self._output.written(self._print)
        if not written:
            raise BrokenPipeError

    def _print(self) -> None:
        output, encoding = sys.stdout.buffer, sys.stdout.encoding
        self._octets.seek(0)
        lines = io.TextIOWrapper(self._octets, "utf-8", "backslashreplace")
        output.write(f"{escaped(self._head)}\n".encode(encoding, "backslashreplace"))
        # A line may be as long as the message; a part of it is no larger than needed here.
        while part := lines.readline(_LONGEST):
            end = "\n" if part.endswith("\n") else ""
            text = escaped(part.removesuffix("\n")) + end
            output.write(text.encode(encoding, "backslashreplace"))
        output.flush()


def storing(store: MaildirStore | MboxStore) -> Sinks:
    """The sinks of a store."""

    def sink(_: Session, envelope: Envelope) -> FinalDelivery:
        mailbox = envelope.reverse_path.mailbox
        return store.open("" if mailbox is None else str(mailbox))

    return sink


def sinks(options: argparse.Namespace) -> Sinks:
    """The sinks that the options ask for; printing is the default.

    Raises:
        OSError: the Maildir cannot be created.
    """
    if options.maildir:
        return storing(MaildirStore(options.maildir))
    if options.mbox:
        return storing(MboxStore(options.mbox))
    return Discarding if options.discard else functools.partial(Printing, options.output)


class Receiver(Handler):
    """A handler that gives every message to a sink of its own."""

    def __init__(self, sinks: Sinks) -> None:
        self._sinks = sinks

    def content(
        self, session: Session, envelope: Envelope, chunks: Iterator[bytes]
    ) -> Reply | None:
        """Take a message while it arrives."""
        try:
            with self._sinks(session, envelope) as sink:
                for chunk in chunks:
                    sink.write(chunk)
                sink.commit()
        except BrokenPipeError:
            return NOT_PRINTED
        return None
