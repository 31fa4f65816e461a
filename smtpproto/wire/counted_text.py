"""Line endings of content that is counted instead of being ended by a dot (RFC 3030 section 2)."""

from __future__ import annotations

from .line_endings import LineEndings, LineFault, first_fault, is_clean, normalize

__all__ = ["CountedText"]


class CountedText:
    """What the policy for a bare CR or LF makes of text that comes in counted chunks.

    RFC 3030 section 2 asks for CRLF in text here as well.  Nothing depends on it while the octets
    are counted, but whoever sends the message on after DATA would pass a bare LF to a peer that may
    take it for the end of a line.

    Arguments:
        line_endings: what happens to a bare CR or LF.

    Attributes:
        bad: with `REFUSE`, which of the two the text held first; the octets are handed out as they
            came, and the message is to be refused at its end.
    """

    __slots__ = ("_line_endings", "_rest", "bad")

    def __init__(self, line_endings: LineEndings) -> None:
        self._line_endings = line_endings
        # A CR at the end of a piece waits for what follows it, maybe in the next chunk.
        self._rest = b""
        self.bad: LineFault | None = None

    def feed(self, octets: bytes) -> bytes:
        """A piece of the text as it is to be handed out; a CR at its end comes with the next."""
        octets = self._rest + octets
        self._rest = b""
        if octets.endswith(b"\r"):
            octets, self._rest = octets[:-1], b"\r"
        return self._under_policy(octets)

    def finish(self) -> bytes:
        """What was held back, now that the text is complete; a second call gives nothing."""
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
