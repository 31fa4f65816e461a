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


# A handler gets octets when so many have arrived, because waking its thread takes long.
_TOGETHER = 262144
# If more octets have arrived, a piece is longer than this.
_SHORT = CHUNK // 2


class ContentLost(Exception):
    """The content of a message stays incomplete: do not deliver it."""


class IncomingContent:
    """The content of one message on its way to the handler.

    Attributes:
        top: the header fields to pass to the handler before the first chunk.
        complete: whether the end of the content was read.
        lost: why the content stays incomplete: the engine refused it, a command ended the
            transaction, or the link broke.  None: it does not.
    """

    def __init__(self, session: ServerSession, first: ContentChunk | EndOfContent) -> None:
        self.session = session
        self.first: ServerEvent | None = first
        self.top = b""
        self._separator: Separator | None = None
        self.complete = False
        self.lost: ServerEvent | Exception | None = None

    def begin(self) -> bytes:
        """Return the header fields to pass to the handler first; empty after the first call."""
        top, self.top = self.top, b""
        if top:
            self._separator = Separator()
        return top

    def read(self) -> Flow[bytes | None]:
        """Return the content that has arrived; wait if there is none yet; None at the end.

        Waking a handler's thread takes long, so this joins the pieces that arrived together.  It
        stops after a short piece, because the end of a chunk may follow (RFC 3030), and a handler
        may decide the reply to it.

        Raises:
            ContentLost: the content stays incomplete.
        """
        octets = self.begin()
        pieces, size = [octets] if octets else [], 0
        while not self.complete and size < _TOGETHER:
            octets = yield from self.piece(wait=not pieces)
            if octets:
                pieces.append(octets)
                size += len(octets)
            if pieces and len(octets) <= _SHORT:
                break
        if not pieces:
            return None
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def piece(self, *, wait: bool = True) -> Flow[bytes]:
        """Return the next piece of the content, which may be empty.

        Arguments:
            wait: whether to wait for the client if no event is ready.

        Raises:
            ContentLost: the content stays incomplete.
        """
        event, self.first = self.first, None
        if event is None:
            if self.lost is not None:
                raise ContentLost("the content was lost before")
            session = self.session
            try:
                event = yield from (session.next_event() if wait else session.event_at_hand())
            except (OSError, Over, MemoryError) as error:
                self.lost = error
                raise ContentLost(f"the link was lost within the content: {error}") from error
            if event is None:
                return b""
        if isinstance(event, ContentChunk):
            return event.octets if self._separator is None else self._separator.feed(event.octets)
        return (yield from self.take(event))

    def take(self, event: ServerEvent) -> Flow[bytes]:
        """Handle an event that is not a piece of the content.

        Returns:
            At the end of the content, the octets that `Separator` kept back; otherwise no octets.

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
        """Read the rest of the content, which the handler has not read."""
        while not self.complete:
            yield from self.piece()

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
            # The handler has the earlier chunks; tell it that the end does not come.
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
        # Join pieces early: a list of pieces of one octet takes sixty times the memory.
        octets = io.BytesIO()
        try:
            octets.write(self.begin())
            while not self.complete:
                octets.write((yield from self.piece()))
            return octets.getvalue()
        except MemoryError as error:
            raise NoMemory("no memory was left for the content of a message") from error
