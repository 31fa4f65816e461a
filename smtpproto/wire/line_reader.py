"""Reading lines of commands and replies, and what ends them (RFC 5321 section 2.3.8).

A line of a command or of content ends with CRLF and nothing else.  A server that accepts a bare LF
sees two commands, or two messages, where a strict server in front of it saw one.  This is how SMTP
smuggling gets messages past filters.  So no policy here ends such a line early.  Lines of replies
differ, see `bare_lf_ends`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .buffer import ReceiveBuffer
from .line_endings import CR, LF, NUL, LineFault

__all__ = ["BadLine", "LineReader"]


# Enough of a refused line for people to recognise it, in octets.
_START = 64


@dataclass(frozen=True, slots=True)
class BadLine:
    """A refused line, which has been read up to its CRLF.

    Arguments:
        reason: what is wrong with it; the length, if that is one of several faults.
        start: its first octets, at most 64.  `repr` hides them: they may belong to a response of
            an authentication exchange, which is a secret.
    """

    reason: LineFault
    start: bytes = field(repr=False)


class LineReader:
    """Reads lines.

    The reader drops the octets of a line that is too long as they arrive, so the line needs no more
    memory than the limit.  The reader reports the line at its end, because the reply must come
    after the whole command.

    Arguments:
        buffer: the buffer to read from.
        limit: octets of the longest line, CRLF included.
        bare_lf_ends: whether a bare LF ends a line as well.  For replies only: some servers write
            them so.  Nothing can be smuggled that way, because replies carry no message and no
            command, and a client passes no octet of them on.

    Attributes:
        limit: as above; it may change between two lines.
        dropped: the number of octets of all lines that were too long.  A caller can use it to give
            up on a line that never ends.
    """

    __slots__ = ("_buffer", "_end", "_start", "dropped", "limit")

    def __init__(
        self,
        buffer: ReceiveBuffer,
        limit: int,
        *,
        bare_lf_ends: bool = False,
    ) -> None:
        self._buffer = buffer
        self.limit = limit
        self.dropped = 0
        self._end = b"\n" if bare_lf_ends else b"\r\n"
        # The first octets of the line that is being dropped.
        self._start: bytes | None = None

    def read(self) -> bytes | BadLine | None:
        """Return the next line without its line ending, or a `BadLine` if it is refused.

        Return None if more octets must arrive.
        """
        buffer, ending = self._buffer, self._end
        octets, offset = buffer.octets, buffer.offset
        if not octets:
            return None
        end = octets.find(ending, offset + buffer.searched)
        if end < 0:
            self._wait()
            return None
        length = end - offset + len(ending)
        if self._start is not None or length > self.limit:
            return self._too_long(length)
        line = bytes(octets[offset:end])
        if ending == b"\n":
            line = line.removesuffix(b"\r")
        buffer.skip(length)
        if NUL in line:
            return BadLine(LineFault.NUL, line[:_START])
        if LF in line:
            return BadLine(LineFault.BARE_LF, line[:_START])
        if CR in line:
            return BadLine(LineFault.BARE_CR, line[:_START])
        return line

    def _wait(self) -> None:
        """Handle a line without an ending: note how far it was searched, or drop it if too long."""
        buffer = self._buffer
        unread = len(buffer)
        # A CR at the end may be the first half of a CRLF.
        known = unread - buffer.octets.endswith(b"\r")
        if self._start is None and unread < self.limit:
            buffer.searched = known
            return
        self._drop(known, known)

    def _too_long(self, length: int) -> BadLine:
        start = self._drop(length, length - len(self._end))
        self._start = None
        return BadLine(LineFault.TOO_LONG, start)

    def _drop(self, octets: int, within: int) -> bytes:
        """Drop octets, `within` of them before the CRLF; return the beginning of the line."""
        start = self._start
        if start is None:
            # How much of the line is here at the first drop depends on the segmentation; so many
            # octets always are.
            start = self._start = self._buffer.peek(min(_START, max(self.limit - 1, 0), within))
        self._buffer.skip(octets)
        self.dropped += octets
        return start
