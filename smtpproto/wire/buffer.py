"""The buffer of received octets, and what the readers of content have in common."""

from __future__ import annotations

from enum import Enum

__all__ = ["CHUNK", "ContentEnd", "ReceiveBuffer"]

CHUNK = 32768
"""The most octets of content that a reader returns at once.

With twice this size reading takes 50 % longer: the allocator does not reuse such large copies."""


class ContentEnd(Enum):
    """A reader of content returns this after the last octets."""

    END = "end of content"


class ReceiveBuffer:
    """Octets that arrived and are not yet read.

    The readers in this folder use `octets`, `offset` and `searched` directly, because method calls
    would take longer than the work.  A reader advances `offset`; the next `feed` deletes the octets
    before it.  If everything was read, `feed` keeps the received octets without a copy.

    Attributes:
        octets: the received octets; those before `offset` are read.
        offset: where the unread octets begin.
        searched: how many unread octets were searched and hold no beginning of a CRLF.
    """

    __slots__ = ("octets", "offset", "searched")

    def __init__(self) -> None:
        self.octets: bytes | bytearray = b""
        self.offset = 0
        self.searched = 0

    def __len__(self) -> int:
        return len(self.octets) - self.offset

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Append the received octets."""
        octets = self.octets
        if not octets:
            self.octets = bytes(data)
            return
        if isinstance(octets, bytes):
            octets = self.octets = bytearray(octets[self.offset :])
        elif self.offset:
            del octets[: self.offset]
        self.offset = 0
        octets += data

    def clear(self) -> None:
        """Delete all unread octets."""
        self.octets = b""
        self.offset = self.searched = 0

    def peek(self, most: int) -> bytes:
        """Return the first unread octets, at most so many, without reading them."""
        if not self.offset and len(self.octets) <= most:
            return bytes(self.octets)
        # A slice of the bytearray would be copied twice.
        with memoryview(self.octets) as view:
            return bytes(view[self.offset : self.offset + most])

    def skip(self, count: int) -> None:
        """Mark so many octets as read; the buffer must hold them."""
        self.searched = 0
        self.offset += count
        if self.offset == len(self.octets):
            self.octets = b""
            self.offset = 0
