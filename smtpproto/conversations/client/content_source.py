"""A client's message content as a stream of chunks, from bytes, a file or an iterable."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, Iterable
from io import TextIOBase
from typing import TYPE_CHECKING, Any, Union

from ...errors import LocalProtocolError
from ...wire import LineEndings
from ...wire.line_endings import is_clean
from ..io_requests import Call, Flow
from .mime import Examiner

if TYPE_CHECKING:
    from typing import Protocol

    class Readable(Protocol):
        """A binary file."""

        def read(self, size: int, /) -> Any: ...


__all__ = ["CHUNK", "Content", "ContentSource"]

Content = Union[bytes, "Readable", Iterable[bytes], AsyncIterable[bytes]]
"""bytes, a binary file or an iterable of chunks.

With an adapter that can await, the file and the iterable may be asynchronous."""

CHUNK = 65536
# A longer header is examined as it passes, not beforehand.
LOOK_MOST = 1024 * 1024
# What `next` returns at the end of an iterable.
_END = object()
# Of content in ASCII that is in memory.
_NOTHING_FOUND = Examiner()


class ContentSource:
    """Content as a stream of chunks of about 64 KiB, examined as they pass.

    Attributes:
        octets: all the content if it is in memory; else None.
        ended: whether the end was read.  For a stream this is known after `next` returned None.
        eight_bit_refusal: the error for octets above 127; None if they are allowed.
        utf8_refusal: the error for UTF-8 in a header; None if it is allowed.

    Raises:
        TypeError: the content is text, or cannot be read.
    """

    octets: bytes | None = None
    ended = False
    eight_bit_refusal: LocalProtocolError | None = None
    utf8_refusal: LocalProtocolError | None = None
    # Whether all line endings of content in memory are CRLF; None: not checked yet.
    _clean: bool | None = None
    _next: Any = None
    _arguments: tuple[Any, ...] = ()
    _offset = 0
    # The position of a file at the beginning.
    _start: int | None = None
    _examiner = _NOTHING_FOUND

    def __init__(self, content: Content) -> None:
        self._content: Any = content
        # Chunks that were read in advance.
        self._ahead: deque[bytes] = deque()
        if isinstance(content, (bytes, bytearray, memoryview)):
            self.octets = bytes(content)
            if not self.octets.isascii():
                self._examiner = Examiner()
                self._examiner.feed(self.octets)
                self._examiner.finish()
        else:
            _check(content)
            self._open()

    def _open(self) -> None:
        content = self._content
        self._examiner = Examiner()
        if hasattr(content, "read"):
            self._next, self._arguments = content.read, (CHUNK,)
        elif isinstance(content, AsyncIterable):
            self._next = content.__aiter__().__anext__
        else:
            self._next, self._arguments = next, (iter(content), _END)

    # --- facts about the content --------------------------------------------------------------

    def octets_sent(self, *, binary: bool) -> int | None:
        """Return the size as SIZE counts it (RFC 1870 section 5); None if it is unknown.

        Arguments:
            binary: whether the octets are sent unchanged (RFC 3030 section 3).
        """
        octets = self.octets
        if octets is None or binary:
            return None if octets is None else len(octets)
        # A bare CR or LF is sent as CRLF, or not at all; a last line without CRLF gets one.
        missing = 0 if not octets or octets.endswith((b"\n", b"\r")) else 2
        if not self.has_clean_lines():
            pairs = octets.count(b"\r\n")
            missing += octets.count(b"\n") + octets.count(b"\r") - 2 * pairs
        return len(octets) + missing

    @property
    def eight_bit(self) -> bool | None:
        """Whether there are octets above 127; None if that is unknown."""
        known = self.octets is not None or self._examiner.finished
        return self._examiner.eight_bit or (False if known else None)

    @property
    def utf8_header(self) -> bool:
        """Whether a header holds UTF-8 and so needs SMTPUTF8 (RFC 6531).

        Of a stream only the part that was read counts.
        """
        return self._examiner.utf8_header

    def look(self) -> Flow[None]:
        """Read a stream up to the end of its header, before the first command.

        Raises:
            TypeError: it returns something other than bytes.
            Exception: any error of reading it.
        """
        size = 0
        while not self._examiner.header_ended and size < LOOK_MOST:
            chunk = yield from self._read()
            if chunk is None:
                self._examiner.finish()
                return
            size += len(chunk)
            self._examiner.feed(chunk)
            self._ahead.append(chunk)

    def check(self, line_endings: LineEndings) -> None:
        """Refuse a bare CR or LF before anything is sent, if the content is in memory.

        Raises:
            LocalProtocolError: there is one, and the policy is `REFUSE`.
        """
        if self.octets is None or line_endings is not LineEndings.REFUSE:
            return
        if not self.has_clean_lines():
            raise LocalProtocolError(
                "the content holds a CR or LF that is not part of a CRLF (RFC 5321 section 2.3.8): "
                "correct it, or use LineEndings.NORMALIZE to convert each to CRLF"
            )

    def has_clean_lines(self) -> bool:
        """Return whether each CR and LF of the content in memory is part of a CRLF."""
        assert self.octets is not None
        if self._clean is None:
            self._clean = _is_clean(self.octets)
        return self._clean

    # --- reading ------------------------------------------------------------------------------

    def next(self) -> Flow[bytes | None]:
        """Return the next chunk; None at the end.

        Raises:
            LocalProtocolError: it holds something that the server cannot accept.
        """
        if self._ahead:
            return self._ahead.popleft()
        if self.octets is not None:
            chunk = self.octets[self._offset : self._offset + CHUNK]
            self._offset += CHUNK
            self.ended = self._offset >= len(self.octets)
            return chunk or None
        following = yield from self._read()
        if following is None:
            self.ended = True
            self._examiner.finish()
        else:
            self._examiner.feed(following)
        if self._examiner.eight_bit and self.eight_bit_refusal is not None:
            raise self.eight_bit_refusal
        if self._examiner.utf8_header and self.utf8_refusal is not None:
            raise self.utf8_refusal
        return following

    def _read(self) -> Flow[bytes | None]:
        while True:
            try:
                chunk = yield Call(self._next, self._arguments)
            except StopAsyncIteration:
                return None
            if chunk is _END:
                return None
            # None is not the end: a file that does not block has it where no octets are ready.
            if not isinstance(chunk, (bytes, bytearray, memoryview)):
                raise TypeError(f"content: expected bytes, found {chunk!r:.64}")
            # Skip an empty chunk of an iterable; in a file it is the end.
            if chunk or self._arguments == (CHUNK,):
                return bytes(chunk) or None

    def keep(self) -> Flow[bool]:
        """Prepare to read the content again; return whether that is possible.

        Call it before the first chunk is read.
        """
        content = self._content
        if self.octets is not None:
            return True
        if hasattr(content, "read"):
            seekable = getattr(content, "seekable", None)
            if seekable is None or not (yield Call(seekable)):
                return False
            self._start = yield Call(content.tell)
            return True
        # An iterator is its own iterable and can be read only once.
        iterator = content.__aiter__ if isinstance(content, AsyncIterable) else content.__iter__
        return iterator() is not content

    def rewind(self) -> Flow[None]:
        """Go back to the beginning, after `keep` has returned True."""
        if self._start is not None:
            yield Call(self._content.seek, (self._start,))
        self.ended = False
        self._offset = 0
        if self.octets is None:
            self._ahead.clear()
            self._open()


def _check(content: Any) -> None:
    # Trio wraps text files; the wrapper has an `encoding`.
    has_encoding = isinstance(getattr(content, "encoding", None), str)
    is_text = isinstance(content, (str, TextIOBase)) or has_encoding
    if is_text or not (hasattr(content, "read") or isinstance(content, (Iterable, AsyncIterable))):
        found = "text: encode it, or open the file with 'rb'" if is_text else type(content).__name__
        raise TypeError(
            f"content: expected bytes, a binary file or an iterable of bytes, found {found}"
        )


def _is_clean(octets: bytes) -> bool:
    """Return whether each CR and LF is part of a CRLF; work in pieces, because of the copies."""
    start = 0
    while start < len(octets):
        end = start + CHUNK
        # No piece may end within a CRLF.
        if octets[end - 1 : end] == b"\r":
            end += 1
        if not is_clean(octets[start:end]):
            return False
        start = end
    return True
