"""Lines of commands and replies, and what may stand for the end of one (RFC 5321 section 2.3.8).

A line of a command or of content ends with CRLF and with nothing else.  A server that takes a bare
LF for the end of a line sees two commands, or two messages, where a strict reader in front of it
saw one: that is how messages were smuggled past filters.  So no policy here ends such a line early.
The line of a reply is another matter, see `bare_lf_ends`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .buffer import ReceiveBuffer
from .line_endings import CR, LF, NUL, LineEndings, LineFault

__all__ = ["BadLine", "LineReader"]


# As much of a refused line as people need to recognise it.
_START = 64


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is refused; it has been read up to its CRLF.

    Arguments:
        reason: what is wrong with it; of several faults the length comes first.
        start: its first octets, at most 64.  They are not shown by `repr`, as they may belong to a
            response within an authentication exchange.
    """

    reason: LineFault
    start: bytes = field(repr=False)


class LineReader:
    """Reads lines.

    A line that is too long is dropped while it comes, so that it costs no more memory than the
    limit, and is reported at its end: a reply must not overtake the rest of what it answers.

    Arguments:
        buffer: where the octets arrive.
        limit: octets of the longest line, CRLF included.
        line_endings: whether a bare CR or LF within a line is refused (`REFUSE`, `NORMALIZE`) or
            kept (`PRESERVE`).
        bare_lf_ends: whether LF alone ends a line as well.  For replies: some servers write them
            so, and nothing can be smuggled there.  No message and no command travels in that
            direction, the server alone decides what it says, and a client acts on a reply and
            passes no octet of it on.

    Attributes:
        limit: as above; may be changed between two lines.
        dropped: octets of lines that were too long, so far and in all; a caller who watches it can
            give up on a line that never ends.
    """

    __slots__ = ("_buffer", "_end", "_keep_bare", "_start", "dropped", "limit")

    def __init__(
        self,
        buffer: ReceiveBuffer,
        limit: int,
        line_endings: LineEndings,
        *,
        bare_lf_ends: bool = False,
    ) -> None:
        self._buffer = buffer
        self.limit = limit
        self.dropped = 0
        self._keep_bare = line_endings is LineEndings.PRESERVE
        self._end = b"\n" if bare_lf_ends else b"\r\n"
        # The first octets of the line that is being dropped.
        self._start: bytes | None = None

    def read(self) -> bytes | BadLine | None:
        """The next line without its line ending, or a `BadLine` for one that is refused.

        None: more must come.
        """
        buffer = self._buffer
        octets, offset = buffer.octets, buffer.offset
        end = octets.find(self._end, offset + buffer.searched)
        if end < 0:
            self._wait()
            return None
        length = end - offset + len(self._end)
        if self._start is not None or length > self.limit:
            return self._too_long(length)
        line = bytes(octets[offset:end])
        if self._end == b"\n":
            line = line.removesuffix(b"\r")
        buffer.skip(length)
        if NUL in line:
            return BadLine(LineFault.NUL, line[:_START])
        if self._keep_bare:
            return line
        if LF in line:
            return BadLine(LineFault.BARE_LF, line[:_START])
        if CR in line:
            return BadLine(LineFault.BARE_CR, line[:_START])
        return line

    def _wait(self) -> None:
        """There is no line ending yet: note what was searched, or drop it if it is too much."""
        buffer = self._buffer
        unread = len(buffer)
        # The CR may be the first half of a CRLF.
        known = unread - buffer.octets.endswith(b"\r") if unread else 0
        if self._start is None and unread < self.limit:
            buffer.searched = known
            return
        self._drop(known, known)

    def _too_long(self, length: int) -> BadLine:
        start = self._drop(length, length - len(self._end))
        self._start = None
        return BadLine(LineFault.TOO_LONG, start)

    def _drop(self, octets: int, within: int) -> bytes:
        """Drop octets, of which so many stand before the CRLF; return the beginning of the line."""
        start = self._start
        if start is None:
            # What is known of the line when the first drop is due depends on the segmentation; so
            # many octets are known in any case.
            start = self._start = self._buffer.peek(min(_START, max(self.limit - 1, 0), within))
        self._buffer.skip(octets)
        self.dropped += octets
        return start
