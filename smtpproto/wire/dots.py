"""Dot transparency of message content, both ways, as a stream (RFC 5321 section 4.5.2).

Only this file knows CRLF.CRLF.  It has no loop over lines or dots: it searches and replaces in
whole chunks, which on CPython 3.11 is several times faster than one step for each line.
"""

from __future__ import annotations

from ..errors import LocalProtocolError
from .buffer import CHUNK, ContentEnd, ReceiveBuffer
from .line_endings import LineEndings, LineFault, first_fault, is_clean, normalize

__all__ = ["DotDecoder", "DotEncoder"]


_DOT = ord(".")


def _begins_line_with_dot(octets: bytes) -> bool:
    """Return whether a line behind a CRLF begins with a dot.

    Most attachments (base64) hold no dot at all, and a search for one octet is fast.  A search from
    the right takes half as long as one from the left.
    """
    return _DOT in octets and octets.rfind(b"\r\n.") >= 0


def _held_back(octets: bytes) -> int:
    """Count the last octets that may begin CRLF.CRLF, or a doubled dot."""
    if octets.endswith(b"\r"):
        return 4 if octets.endswith(b"\r\n.\r") else 1
    if octets.endswith(b"\r\n"):
        return 2
    return 3 if octets.endswith(b"\r\n.") else 0


class DotDecoder:
    """Reads content up to CRLF.CRLF and undoes dot transparency (RFC 5321 section 4.5.2).

    The end of content is CRLF.CRLF, or .CRLF as the very first line, under every policy (section
    4.1.1.4).  Only a line that begins after CRLF loses a leading dot.  The CRLF before the final
    dot belongs to the content.  With `NORMALIZE` a line that begins after a bare LF may thus begin
    with a dot, or be a single dot.  That dot is data: to send the content again, encode it.

    Arguments:
        buffer: the buffer to read from; the octets behind the end stay there.
        line_endings: what happens to a bare CR or LF.

    Attributes:
        bad: with `REFUSE`, the first fault of the content; None if there is none.  The octets
            are returned unchanged, and the server refuses the message at its end.
    """

    __slots__ = ("_at_start", "_buffer", "_ended", "_line_endings", "_preserve", "bad")

    def __init__(self, buffer: ReceiveBuffer, line_endings: LineEndings) -> None:
        self._buffer = buffer
        self._line_endings = line_endings
        self._preserve = line_endings is LineEndings.PRESERVE
        self._at_start = True
        self._ended = False
        self.bad: LineFault | None = None

    def read(self) -> bytes | ContentEnd | None:
        """Return a piece of the content, or `ContentEnd.END` after the last one.

        Return None if more octets must arrive.  No piece is empty or longer than 32 KiB;
        `NORMALIZE` may double that.
        """
        if self._ended:
            return ContentEnd.END
        octets = self._buffer.peek(CHUNK)
        if self._at_start:
            if b".\r\n".startswith(octets[:3]):
                return self._begin(octets)
            self._at_start = False
            if octets.startswith(b"."):
                self._buffer.skip(1)
                octets = octets[1:]
        dot = end = -1
        if _begins_line_with_dot(octets):
            # Most often the only such dot is that of the end.  A search for one octet leads there.
            dot = octets.find(b"\r\n.", max(octets.find(b".") - 2, 0))
            end = octets.find(b"\r\n.\r\n", dot)
        if end >= 0:
            self._ended = True
            self._buffer.skip(end + 5)
            octets = octets[: end + 2]
        else:
            # A CR at the end is always kept back: no piece begins or ends within a CRLF.
            held = _held_back(octets)
            if held == len(octets):
                return None
            self._buffer.skip(len(octets) - held)
            if held:
                octets = octets[:-held]
        if dot != end:
            octets = octets.replace(b"\r\n.", b"\r\n")
        return self._under_policy(octets)

    def _begin(self, first: bytes) -> ContentEnd | None:
        """Read a dot at the very beginning: the CRLF of DATA counts as the one before it."""
        if len(first) < 3:
            return None
        self._buffer.skip(3)
        self._ended = True
        return ContentEnd.END

    def _under_policy(self, octets: bytes) -> bytes:
        if self._preserve or self.bad is not None or is_clean(octets):
            return octets
        if self._line_endings is LineEndings.NORMALIZE:
            return normalize(octets)
        self.bad = first_fault(octets)[1]
        return octets


class DotEncoder:
    """Encodes content to be sent after DATA (RFC 5321 section 4.5.2).

    Arguments:
        line_endings: whether a bare CR or LF is refused, or is converted to CRLF.

    Raises:
        ValueError: the policy is `PRESERVE`; a sender must not send a bare CR or LF.
    """

    __slots__ = ("_closed", "_line_start", "_normalize", "_octets", "_rest")

    def __init__(self, line_endings: LineEndings) -> None:
        if line_endings is LineEndings.PRESERVE:
            raise ValueError(
                "PRESERVE is for receiving: a client must not send a CR or LF that is not part of "
                "a CRLF (RFC 5321 section 2.3.8)"
            )
        self._normalize = line_endings is LineEndings.NORMALIZE
        self._line_start = True
        # A CR at the end of a chunk is kept until the next octet arrives.
        self._rest = b""
        self._octets = 0
        self._closed = ""

    def encode(self, chunk: bytes | bytearray | memoryview) -> bytes:
        """Encode a piece of the content; a CR at its end is returned with the next piece.

        Raises:
            LocalProtocolError: the piece holds a bare CR or LF and the policy is `REFUSE`, or the
                content has ended.  The content can then neither go on nor be finished: the peer may
                have its beginning already, and must not take that for a whole message.
        """
        self._check_open()
        octets = self._rest + bytes(chunk)
        self._rest = b""
        if octets.endswith(b"\r"):
            octets, self._rest = octets[:-1], b"\r"
        return self._encode(octets)

    def finish(self) -> bytes:
        """Return the end of the content: CRLF if the last line has none, then a dot and CRLF.

        Raises:
            LocalProtocolError: as `encode`.
        """
        self._check_open()
        octets = self._encode(self._rest)
        self._closed = "the content has ended already (RFC 5321 section 4.1.1.4)"
        return octets + (b".\r\n" if self._line_start else b"\r\n.\r\n")

    def _encode(self, octets: bytes) -> bytes:
        """Encode octets that neither begin nor end within a CRLF."""
        if not octets:
            return b""
        self._octets += len(octets)
        if not is_clean(octets):
            if not self._normalize:
                self._refuse(octets)
            octets = normalize(octets)
        first = b"." if self._line_start and octets.startswith(b".") else b""
        self._line_start = octets.endswith(b"\n")
        if _begins_line_with_dot(octets):
            octets = octets.replace(b"\r\n.", b"\r\n..")
        return first + octets

    def _refuse(self, octets: bytes) -> None:
        position, fault = first_fault(octets)
        self._closed = (
            f"content: expected CRLF, found {fault.value} at octet "
            f"{self._octets - len(octets) + position + 1} (RFC 5321 section 2.3.8); "
            "LineEndings.NORMALIZE makes line endings of them"
        )
        self._check_open()

    def _check_open(self) -> None:
        if self._closed:
            raise LocalProtocolError(self._closed, code=550, enhanced="5.6.0")
