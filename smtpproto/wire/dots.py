"""Dot transparency of message content, both ways, as a stream (RFC 5321 section 4.5.2).

The only place that knows CRLF.CRLF.  There is no loop over lines or dots: whole chunks are searched
and replaced, which on CPython 3.11 is several times faster than one step for each line.
"""

from __future__ import annotations

from ..errors import LocalProtocolError
from .buffer import CHUNK, ContentEnd, ReceiveBuffer
from .line_endings import LineEndings, LineFault, first_fault, is_clean, normalize

__all__ = ["DotDecoder", "DotEncoder"]


_DOT = ord(".")


def _held_back(octets: bytes) -> int:
    """How many of the last octets may be the beginning of CRLF.CRLF, or of a dot to be undone."""
    if octets.endswith(b"\r"):
        return 4 if octets.endswith(b"\r\n.\r") else 1
    if octets.endswith(b"\r\n"):
        return 2
    return 3 if octets.endswith(b"\r\n.") else 0


class DotDecoder:
    """Reads content up to CRLF.CRLF and undoes dot transparency (RFC 5321 section 4.5.2).

    The end of content is CRLF.CRLF, or .CRLF as the very first line, under every policy (section
    4.1.1.4); a leading dot is undone only in a line that began after CRLF.  The CRLF before the
    final dot belongs to the content.  With `NORMALIZE` a line that a bare LF began may thus begin
    with a dot, or be a dot alone: it is data, and whoever sends it on has to encode it again.

    Arguments:
        buffer: where the octets arrive; what follows the end stays there.
        line_endings: what happens to a bare CR or LF.

    Attributes:
        bad: with `REFUSE`, which of the two the content held first; the octets are handed out
            nevertheless, as they came, and the message is to be refused at its end.
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
        """A piece of the content, `ContentEnd.END` once it is complete, None: more must come.

        No piece is empty or longer than 32 KiB; `NORMALIZE` may double that.
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
        # Most attachments (base64) hold no dot at all; to look for one octet is cheap.
        dot = octets.find(b"\r\n.") if _DOT in octets else -1
        end = octets.find(b"\r\n.\r\n", dot) if dot >= 0 else -1
        if end >= 0:
            self._ended = True
            self._buffer.skip(end + 5)
            octets = octets[: end + 2]
        else:
            # A CR is held back always: no piece begins or ends within a CRLF.
            held = _held_back(octets)
            if held == len(octets):
                return None
            self._buffer.skip(len(octets) - held)
            if held:
                octets = octets[:-held]
        if dot >= 0:
            octets = octets.replace(b"\r\n.", b"\r\n")
        return self._under_policy(octets)

    def _begin(self, first: bytes) -> ContentEnd | None:
        """Read a dot before which no CRLF stands: the CRLF that ended DATA counts for it."""
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
    """Makes content ready to be sent after DATA (RFC 5321 section 4.5.2).

    Arguments:
        line_endings: whether a bare CR or LF is refused, or becomes a CRLF.

    Raises:
        ValueError: the policy is `PRESERVE`; a sender must not send what it would let through.
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
        # A CR at the end of a chunk waits for what follows it.
        self._rest = b""
        self._octets = 0
        self._closed = ""

    def encode(self, chunk: bytes | bytearray | memoryview) -> bytes:
        """Encode a piece of the content; a CR at its end comes out with the next piece.

        Raises:
            LocalProtocolError: it holds a bare CR or LF and the policy is `REFUSE`, or the content
                has ended.  The content cannot go on then, nor be finished: what came before may be
                under way already, and must not pass for a whole message.
        """
        self._check_open()
        octets = self._rest + bytes(chunk)
        self._rest = b""
        if octets.endswith(b"\r"):
            octets, self._rest = octets[:-1], b"\r"
        return self._encode(octets)

    def finish(self) -> bytes:
        """The end of the content: CRLF if the last line has none, then a dot and CRLF.

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
        if _DOT in octets:
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
