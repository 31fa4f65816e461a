"""The message content that a server receives: read, counted, and refused if necessary.

A bare CR or LF in content is refused here (RFC 5321 section 2.3.8), at the end of the content,
because no reply may come before (section 4.1.1.4).  The readers in `wire` find it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..extensions import Extension
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Session
from ..wire import ContentEnd, CountedReader, CountedText, DotDecoder, LineFault, ReceiveBuffer
from .server_refusals import bad_content

if TYPE_CHECKING:
    from .connection import Observer

__all__ = ["ServerContent"]


class ServerContent:
    """The content of one message as a server reads it.

    Arguments:
        reader: reads it up to its end; None: it comes in chunks, see `begin_chunk`.
        text: checks the line endings of chunks; None: they may be any octets.
        session: the facts for the extensions.
        watchers: the extensions that limit its size.
        observer: called with each piece, or None.

    Attributes:
        reader: as above; None between chunks.
        text: as above.
        octets: how many octets have come.
        refused: the reply that refuses it, sent when it is complete; or None.
        refused_by_core: whether the engine refused it, not the application.
    """

    __slots__ = (
        "_observer",
        "_session",
        "_watchers",
        "octets",
        "reader",
        "refused",
        "refused_by_core",
        "text",
    )

    def __init__(
        self,
        reader: DotDecoder | None,
        text: CountedText | None,
        session: Session,
        watchers: Iterable[Extension],
        observer: Observer | None,
    ) -> None:
        self.reader: DotDecoder | CountedReader | None = reader
        self.text = text
        self._session = session
        self._watchers = watchers
        self._observer = observer
        self.octets = 0
        self.refused: Reply | None = None
        self.refused_by_core = False

    def begin_chunk(self, buffer: ReceiveBuffer, octets: int, refusal: Reply | None) -> None:
        """Begin to read a chunk of so many octets; with a refusal they are dropped."""
        self.reader = CountedReader(buffer, octets)
        # The size is known in advance: a chunk that will be too large is not returned at all.
        refusal = refusal or self._too_much(self.octets + octets)
        if refusal is not None:
            self.refuse(refusal)

    def refuse(self, reply: Reply) -> None:
        """Refuse the content, for the engine."""
        self.refused, self.refused_by_core = reply, True

    def read(self) -> bytes | ContentEnd | None:
        """Return a piece of the content, empty if it is dropped; or the reader's other results."""
        reader = self.reader
        assert reader is not None
        chunk = reader.read()
        if not isinstance(chunk, bytes):
            return chunk
        if self.refused is not None:
            return b""
        if self._observer is not None:
            self._observer("C", chunk, True)
        self.octets += len(chunk)
        if isinstance(reader, DotDecoder):
            refusal = self._too_much(self.octets)
            if refusal is not None:
                self.refuse(refusal)
                return b""
        elif self.text is not None:
            return self.text.feed(chunk)
        return chunk

    def finish(self, *, last: bool) -> bytes:
        """End the content or a chunk; refuse the content if its line endings are wrong.

        Returns:
            Octets that were kept back; then call again.
        """
        bad = None
        if isinstance(self.reader, DotDecoder):
            if self._observer is not None:
                self._observer("C", b".", False)
            bad = self.reader.bad
        elif last and self.text is not None and self.refused is None:
            rest = self.text.finish()
            if rest:
                return rest
            bad = self.text.bad
        self.reader = None
        if bad is not None and self.refused is None:
            self.refuse(bad_content(bad))
        return b""

    def finish_text(self) -> Reply | None:
        """End the text in the chunks so far, because other content follows; return a refusal."""
        text = self.text
        if text is None:
            return None
        if text.finish():
            text.bad = text.bad or LineFault.BARE_CR
        return None if text.bad is None else bad_content(text.bad)

    def _too_much(self, octets: int) -> Reply | None:
        """Return the reply that refuses content of so many octets, or None."""
        for watcher in self._watchers:
            refusal = watcher.check_content(octets, self._session)
            if refusal is not None:
                return refusal
        return None
