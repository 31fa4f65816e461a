"""Content in counted chunks, and the line endings of text in them (RFC 3030 section 2)."""

from __future__ import annotations

from .buffer import CHUNK, ContentEnd, ReceiveBuffer
from .line_endings import LineEndings, LineFault, first_fault, is_clean, normalize

__all__ = ["CountedReader", "CountedText"]


class CountedReader:
    """Reads exactly the announced number of octets, and nothing behind them.

    Arguments:
        buffer: the buffer to read from.
        octets: how many octets belong to the content; 0 for none.

    Raises:
        ValueError: the number is negative.
    """

    __slots__ = ("_buffer", "_left")

    def __init__(self, buffer: ReceiveBuffer, octets: int) -> None:
        if octets < 0:
            raise ValueError(f"{octets} octets cannot follow (RFC 3030 section 2)")
        self._buffer = buffer
        self._left = octets

    def read(self) -> bytes | ContentEnd | None:
        """Return a piece of the content, or `ContentEnd.END` after the last one.

        Return None if more octets must arrive.  No piece is empty or longer than 32 KiB.
        """
        if not self._left:
            return ContentEnd.END
        octets = self._buffer.peek(min(self._left, CHUNK))
        if not octets:
            return None
        self._buffer.skip(len(octets))
        self._left -= len(octets)
        return octets


class CountedText:
    """Applies the policy for a bare CR or LF to text that arrives in counted chunks.

    RFC 3030 section 2 requires CRLF in such text too.  The count delimits the chunks, so a bare LF
    is harmless here.  But a relay that sends the message with DATA would pass it to a server that
    may take it for the end of a line.

    Arguments:
        line_endings: what happens to a bare CR or LF.

    Attributes:
        bad: with `REFUSE`, the first fault of the text; None if there is none.  The octets are
            returned unchanged, and the server refuses the message at its end.
    """

    __slots__ = ("_line_endings", "_rest", "bad")

    def __init__(self, line_endings: LineEndings) -> None:
        self._line_endings = line_endings
        # A CR at the end of a piece is kept until the next octet arrives, maybe in the next chunk.
        self._rest = b""
        self.bad: LineFault | None = None

    def feed(self, octets: bytes) -> bytes:
        """Apply the policy to a piece of the text; a CR at its end comes with the next piece."""
        octets = self._rest + octets
        self._rest = b""
        if octets.endswith(b"\r"):
            octets, self._rest = octets[:-1], b"\r"
        return self._under_policy(octets)

    def finish(self) -> bytes:
        """Return the octets still kept, as the text is complete; a second call returns nothing."""
        rest, self._rest = self._rest, b""
        return self._under_policy(rest)

    def _under_policy(self, octets: bytes) -> bytes:
        if self._line_endings is LineEndings.PRESERVE or self.bad is not None:
            return octets
        if is_clean(octets):
            return octets
        if self._line_endings is LineEndings.NORMALIZE:
            return normalize(octets)
        self.bad = first_fault(octets)[1]
        return octets
