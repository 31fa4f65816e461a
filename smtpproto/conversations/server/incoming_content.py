"""The content of one message on its way to a handler."""

from __future__ import annotations

import errno
import io
from typing import TYPE_CHECKING

from ...vocabulary.command_base import Command
from ...vocabulary.events import ContentChunk, Deviation, EndOfContent, Rejected, ServerEvent
from ...vocabulary.replies import Reply
from ..requests import Flow
from .received import Separator

if TYPE_CHECKING:
    from .session import ServerSession

__all__ = [
    "FAILED",
    "NOT_TAKEN",
    "ContentLost",
    "IncomingContent",
    "NoMemory",
    "Over",
    "reply_to_failure",
]

FAILED = Reply(451, "4.3.0", "local error in processing")
"""What a client is told where a handler raised an exception."""

FULL = Reply(452, "4.3.1", "insufficient system storage")
"""What a client is told where there is no memory or no room on the disk: it may try again."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.ENOMEM})

NOT_TAKEN = Reply(554, "5.3.3", "such content is not taken here")
"""What a client is told whose command brings content that the handler did not accept."""


class ContentLost(Exception):
    """The content of a message does not become complete: nothing may be delivered."""


class NoMemory(MemoryError):
    """This side has no memory left for a session; no handler is to blame."""


def reply_to_failure(error: Exception) -> Reply:
    """What to tell the client where an exception kept a command from being answered."""
    full = isinstance(error, OSError) and error.errno in _FULL
    return FULL if full or isinstance(error, MemoryError) else FAILED


class Over(Exception):
    """The session is over; what is queued may still be sent."""


class IncomingContent:
    """The content of one message on its way to the handler.

    Attributes:
        top: what the handler gets before the first chunk.
        complete: whether its end was read.
        lost: what ended it otherwise: a refusal by the core, a command that ended the transaction,
            or an error of the link.
    """

    def __init__(self, dialogue: ServerSession, first: ContentChunk | EndOfContent) -> None:
        self.dialogue = dialogue
        self.first: ContentChunk | EndOfContent | None = first
        self.top = b""
        self._separator: Separator | None = None
        self.complete = False
        self.lost: ServerEvent | Exception | None = None

    def read(self) -> Flow[bytes | None]:
        """The next chunk; None at the end.

        Raises:
            ContentLost: the content does not become complete.
        """
        if self.top:
            top, self.top = self.top, b""
            self._separator = Separator()
            return top
        octets: bytes | None = b""
        while not octets:
            if self.complete:
                return None
            octets = yield from self.sent()
            if self._separator is not None:
                separator = self._separator
                octets = separator.finish() if octets is None else separator.feed(octets)
            elif octets is None:
                return None
        return octets

    def sent(self) -> Flow[bytes | None]:
        """The next chunk as it was sent; None at the end.

        Raises:
            ContentLost: as `read`.
        """
        event: ServerEvent | None
        event, self.first = self.first, None
        if event is None:
            event = yield from self.next_event()
        while isinstance(event, (Command, Deviation)) or (
            isinstance(event, Rejected) and not event.content
        ):
            yield from self.between_chunks(event)
            event = yield from self.next_event()
        if isinstance(event, ContentChunk):
            return event.octets
        if isinstance(event, EndOfContent):
            self.complete = True
            return None
        if isinstance(event, Rejected):
            self.lost = event
            yield from self.dialogue.rejected(event)
            raise ContentLost(event.reason)
        self.lost = Over()
        raise ContentLost("the client closed before the end of the content")

    def rest(self) -> Flow[None]:
        """Read to the end, where the handler did not."""
        while not self.complete:
            yield from self.read()

    def between_chunks(self, event: Command | Deviation | Rejected) -> Flow[None]:
        """What a client says between two chunks (RFC 3030): nothing, or that it gives up.

        Raises:
            ContentLost: the mail transaction is over.
        """
        dialogue = self.dialogue
        if isinstance(event, Rejected):
            yield from dialogue.rejected(event)
        elif isinstance(event, Deviation):
            yield from dialogue.deviated(event)
        elif event.brings_content:
            # The handler has the chunks before it, and would never get their end.
            dialogue.server.send(NOT_TAKEN)
        else:
            yield from dialogue.command(event)
        if dialogue.server.transaction is None:
            self.lost = event
            raise ContentLost("the mail transaction was over before the end of the content")

    def next_event(self) -> Flow[ServerEvent]:
        if self.lost is not None:
            raise ContentLost("the content was lost before")
        try:
            return (yield from self.dialogue.next_event())
        except (OSError, Over, MemoryError) as error:
            self.lost = error
            raise ContentLost(f"the link was lost within the content: {error}") from error

    def whole(self) -> Flow[bytes]:
        """All of the content.

        Raises:
            ContentLost: the content does not become complete.
            NoMemory: there is no room for it.
        """
        # A list of chunks of one octet each would take sixty times their octets.
        octets = io.BytesIO()
        try:
            while (chunk := (yield from self.read())) is not None:
                octets.write(chunk)
            return octets.getvalue()
        except MemoryError as error:
            raise NoMemory("no memory was left for the content of a message") from error
