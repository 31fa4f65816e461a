"""Message content on its way out: whatever a caller has, as a stream of chunks."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import TYPE_CHECKING, Any, Union

from ..errors import LocalProtocolError
from ..wire import LineEndings
from .requests import Call, Flow

if TYPE_CHECKING:
    from typing import Protocol

    class Readable(Protocol):
        """A binary file."""

        def read(self, size: int, /) -> Any: ...


__all__ = ["Content", "ContentSource"]

Content = Union[bytes, "Readable", Iterable[bytes], AsyncIterable[bytes]]
"""bytes, a binary file, or an iterable of chunks (where the adapter can wait: an asynchronous one)."""

CHUNK = 65536


class ContentSource:
    """Content as a stream of chunks of about 64 KiB.

    Attributes:
        octets: all of it, where it is in memory; else None.
    """

    def __init__(self, content: Content) -> None:
        self.octets: bytes | None = None
        self._arguments: tuple[Any, ...] = ()
        if isinstance(content, (bytes, bytearray, memoryview)):
            self.octets = bytes(content)
            self._next: Any = None
            self._offset = 0
        elif hasattr(content, "read"):
            self._next, self._arguments = content.read, (CHUNK,)
        elif isinstance(content, AsyncIterable):
            self._next = content.__aiter__().__anext__
        else:
            self._next, self._arguments = next, (iter(content), None)

    @property
    def size(self) -> int | None:
        """Octets as they count for SIZE (RFC 1870 section 5), where that is known."""
        if self.octets is None:
            return None
        octets = self.octets
        missing = octets.count(b"\n") - octets.count(b"\r\n")
        return len(octets) + missing + (0 if not octets or octets.endswith(b"\n") else 2)

    @property
    def eight_bit(self) -> bool:
        """Whether there are octets above 127; a stream is taken to have them."""
        return self.octets is None or not self.octets.isascii()

    def check(self, line_endings: LineEndings) -> None:
        """Refuse bare CR and LF before anything is sent, where the content is in memory.

        Raises:
            LocalProtocolError: there is one, and the policy is to refuse it.
        """
        if self.octets is None or line_endings is not LineEndings.REFUSE:
            return
        pairs = self.octets.count(b"\r\n")
        if not self.octets.count(b"\r") == self.octets.count(b"\n") == pairs:
            raise LocalProtocolError(
                "the content holds a CR or LF that is not part of a CRLF (RFC 5321 section 2.3.8); "
                "LineEndings.NORMALIZE makes line endings of them"
            )

    def next(self) -> Flow[bytes | None]:
        """The next chunk; None at the end."""
        if self.octets is not None:
            chunk = self.octets[self._offset : self._offset + CHUNK]
            self._offset += CHUNK
            return chunk or None
        try:
            return (yield Call(self._next, self._arguments)) or None
        except StopAsyncIteration:
            return None
