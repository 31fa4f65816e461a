"""The content of one message as a server passes it to its handler."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from ...vocabulary.command_base import Command
from ...vocabulary.events import ContentChunk, Deviation, EndOfContent, Rejected, ServerEvent
from ...wire.buffer import CHUNK
from ..io_requests import Flow
from .handler_failures import NOT_TAKEN, NoMemory, Over
from .received import Separator

if TYPE_CHECKING:
    from .session import ServerSession

__all__ = [
    "ContentLost",
    "IncomingContent",
]


# Octets after which a handler gets what has come: its thread is not woken for each piece.
_TOGETHER = 262144
# Where more has come, the reader's piece is longer.
_SHORT = CHUNK // 2


class ContentLost(Exception):
    """The content of a message stays incomplete: do not deliver it."""


class IncomingContent:
    """The content of one message on its way to the handler.

    Attributes:
        top: the header fields to pass to the handler before the first chunk.
        complete: whether the end of the content was read.
        lost: why the content stays incomplete: the core refused it, a command ended the
            transaction, or the link broke.
    """

    def __init__(self, session: ServerSession, first: ContentChunk | EndOfContent) -> None:
        self.session = session
        self.first: ContentChunk | EndOfContent | None = first
        self.top = b""
        self._separator: Separator | None = None
        self.complete = False
        self.lost: ServerEvent | Exception | None = None

    def read(self) -> Flow[bytes | None]:
        """What has come of the content, or else what comes next; None at the end.

        Raises:
            ContentLost: the content stays incomplete.
        """
        pieces = yield from self.pieces()
        if not pieces:
            return None
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def pieces(self) -> Flow[list[bytes]]:
        """The same in pieces, of which none is empty; no piece at the end.

        Pieces that came together are read together, so that a handler's thread is not woken for
        each.  A short piece ends them: what follows it may be the end of a chunk (RFC 3030), whose
        reply the handler may want to decide.
        """
        pieces: list[bytes] = []
        size = 0
        if self.top:
            pieces.append(self.top)
            self.top, self._separator = b"", Separator()
        separator = self._separator
        more = True
        while more and size < _TOGETHER and not self.complete:
            event = yield from self.next_event(wait=not pieces)
            if event is None:
                break
            if isinstance(event, ContentChunk):
                octets = event.octets
                size += len(octets)
                more = len(octets) > _SHORT
                if separator is not None:
                    octets = separator.feed(octets)
            else:
                octets = yield from self.take(event)
            if octets:
                pieces.append(octets)
            else:
                more = True
        return pieces

    def next_event(self, *, wait: bool) -> Flow[ServerEvent | None]:
        """The next event; None where the client would have to be waited for, and that is not asked.

        Raises:
            ContentLost: the link was lost.
        """
        if self.first is not None:
            event, self.first = self.first, None
            return event
        if self.lost is not None:
            raise ContentLost("the content was lost before")
        try:
            session = self.session
            return (yield from (session.next_event() if wait else session.event_at_hand()))
        except (OSError, Over, MemoryError) as error:
            self.lost = error
            raise ContentLost(f"the link was lost within the content: {error}") from error

    def take(self, event: ServerEvent) -> Flow[bytes]:
        """Do what an event means for the content that is no piece of it.

        Returns:
            At the end what was held back until then.

        Raises:
            ContentLost: the content does not become complete.
        """
        if isinstance(event, EndOfContent):
            self.complete = True
            return b"" if self._separator is None else self._separator.finish()
        if isinstance(event, Rejected) and event.content:
            self.lost = event
            yield from self.session.rejected(event)
            raise ContentLost(event.reason)
        if isinstance(event, (Command, Deviation, Rejected)):
            yield from self.between_chunks(event)
            return b""
        self.lost = Over()
        raise ContentLost("the client closed before the end of the content")

    def rest(self) -> Flow[None]:
        """Read to the end, if the handler did not."""
        while not self.complete:
            yield from self.pieces()

    def between_chunks(self, event: Command | Deviation | Rejected) -> Flow[None]:
        """Handle a command between two chunks (RFC 3030), which may abort the transaction.

        Raises:
            ContentLost: the mail transaction is over.
        """
        session = self.session
        if isinstance(event, Rejected):
            yield from session.rejected(event)
        elif isinstance(event, Deviation):
            yield from session.deviated(event)
        elif event.brings_content:
            # The handler has the earlier chunks, but would never get the end.
            session.server.send(NOT_TAKEN)
        else:
            yield from session.command(event)
        if session.server.transaction is None:
            self.lost = event
            raise ContentLost("the mail transaction was over before the end of the content")

    def whole(self) -> Flow[bytes]:
        """Return all of the content.

        Raises:
            ContentLost: the content stays incomplete.
            NoMemory: there is not enough memory for it.
        """
        # A list of chunks of one octet each would take sixty times the memory.
        octets = io.BytesIO()
        try:
            while pieces := (yield from self.pieces()):
                octets.writelines(pieces)
            return octets.getvalue()
        except MemoryError as error:
            raise NoMemory("no memory was left for the content of a message") from error
