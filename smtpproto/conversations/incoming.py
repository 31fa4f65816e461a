"""The content of one message on its way to a handler: what was sent, and what URLs lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from ..commands import Command
from ..events import BodyChunk, Deviation, EndOfBody, Rejected, ServerEvent
from ..extensions import Burl, Size
from ..replies import Reply
from .requests import Call, Flow, Report

if TYPE_CHECKING:
    from .outcome import Envelope
    from .serve import ServerDialogue

__all__ = ["FAILED", "ContentLost", "IncomingContent", "Over"]

FAILED = Reply(451, "4.3.0", "local error in processing")
"""What a client is told where a handler raised an exception."""

NOT_FOUND = Reply(554, "5.6.6", "the URL leads nowhere")


class ContentLost(Exception):
    """The content of a message does not become complete: nothing may be delivered."""


class Over(Exception):
    """The session is over; what is queued may still be sent."""


class IncomingContent:
    """The content of one message on its way to the handler.

    Attributes:
        top: what the handler gets before the first chunk.
        by_url: whether a part of it was not sent, but resolved (RFC 4468).
        complete: whether its end was read.
        lost: what ended it otherwise: a refusal by the core, a command that ended the transaction,
            or an error of the link.
    """

    def __init__(
        self, dialogue: ServerDialogue, first: BodyChunk | EndOfBody | Burl, envelope: Envelope
    ) -> None:
        self.dialogue = dialogue
        self.first: BodyChunk | EndOfBody | Burl | None = first
        self.envelope = envelope
        self.top = b""
        self.by_url = False
        self.size = 0
        self.complete = False
        self.lost: ServerEvent | Exception | None = None

    def read(self) -> Flow[bytes | None]:
        """The next chunk; None at the end.

        Raises:
            ContentLost: the content does not become complete.
        """
        if self.complete:
            return None
        if self.top:
            top, self.top = self.top, b""
            return top
        event: ServerEvent | None
        event, self.first = self.first, None
        if event is None:
            event = yield from self.next_event()
        while isinstance(event, (Command, Deviation)) or (
            isinstance(event, Rejected) and not event.content
        ):
            if self.dialogue.is_content(event):
                return (yield from self.resolve(event))
            yield from self.between_chunks(event)
            event = yield from self.next_event()
        if isinstance(event, BodyChunk):
            self.size += len(event.octets)
            return event.octets
        if isinstance(event, EndOfBody):
            # The core counts what was sent.
            refusal = self._too_large() if self.by_url else None
            if refusal is not None:
                self._refuse(refusal, event)
            self.complete = True
            return None
        if isinstance(event, Rejected):
            self.lost = event
            yield from self.dialogue.rejected(event)
            raise ContentLost(event.reason)
        self.lost = Over()
        raise ContentLost("the client closed before the end of the content")

    def resolve(self, burl: Burl) -> Flow[bytes]:
        """What the URL of BURL leads to.

        Raises:
            ContentLost: nothing that can be taken.
        """
        server, hook = self.dialogue.server, self.dialogue.hooks.resolve
        refusal: Reply | None = None
        octets = b""
        try:
            assert hook is not None
            found = yield Call(hook, (server.session, self.envelope, burl))
            if found is None or (isinstance(found, Reply) and found.negative):
                refusal = found or NOT_FOUND
            elif isinstance(found, bytes):
                octets = found
            else:
                raise TypeError(f"resolve returned {found!r:.80}: expected bytes")
        except Exception as error:  # noqa: BLE001  the handler's
            yield Report(error)
            refusal = FAILED
        self.size += len(octets)
        refusal = refusal or self._too_large()
        if refusal is not None:
            self._refuse(refusal, burl)
        self.by_url = True
        if burl.last:
            self.complete = True
        else:
            server.accept()
        return octets

    def _too_large(self) -> Reply | None:
        session = self.dialogue.server.session
        size = session.offered.get(Size)
        return None if size is None else size.check_content(self.size, session)

    def _refuse(self, refusal: Reply, event: ServerEvent) -> NoReturn:
        self.dialogue.server.send(refusal)
        self.lost = event
        raise ContentLost(f"the content was refused: {refusal}")

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
        except (OSError, Over) as error:
            self.lost = error
            raise ContentLost(f"the link was lost within the content: {error}") from error

    def whole(self) -> Flow[bytes]:
        """All of the content."""
        chunks = []
        while (chunk := (yield from self.read())) is not None:
            chunks.append(chunk)
        return b"".join(chunks)
