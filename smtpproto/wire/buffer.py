"""The buffer between what arrives and what is read, and what readers of content have in common."""

from __future__ import annotations

from enum import Enum

__all__ = ["CHUNK", "ContentEnd", "ReceiveBuffer"]

CHUNK = 32768
"""The most octets of content that a reader hands out at once, however much was fed.

Twice that is slower by half: the copies made on the way no longer stay in the allocator's reach."""


class ContentEnd(Enum):
    """What a reader of content returns in place of octets once all were read."""

    END = "end of content"


class ReceiveBuffer:
    """Octets that arrived and were not read yet.

    The readers of this package work on `octets`, `offset` and `searched` directly: a call for each
    look would cost more than the look.  To read is to move `offset`; the octets before it are
    deleted by the next `feed`, once for all the lines read in between.  When nothing is left the
    memory is given back, as a session spends most of its life waiting.

    Attributes:
        octets: what arrived; those before `offset` are read.
        offset: where the unread octets begin.
        searched: how many of the unread octets are known to hold no beginning of a CRLF.
    """

    __slots__ = ("octets", "offset", "searched")

    def __init__(self) -> None:
        self.octets = bytearray()
        self.offset = 0
        self.searched = 0

    def __len__(self) -> int:
        return len(self.octets) - self.offset

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Append what arrived; it is copied."""
        if self.offset:
            del self.octets[: self.offset]
            self.offset = 0
        self.octets += data

    def clear(self) -> None:
        """Forget everything that was not read."""
        self.octets = bytearray()
        self.offset = self.searched = 0

    def peek(self, most: int) -> bytes:
        """The first unread octets, at most so many, left where they are."""
        if not self.offset and len(self.octets) <= most:
            return bytes(self.octets)
        # A slice of a bytearray would be a copy to copy from.
        with memoryview(self.octets) as view:
            return bytes(view[self.offset : self.offset + most])

    def skip(self, count: int) -> None:
        """Take so many octets as read; there must be that many."""
        self.searched = 0
        self.offset += count
        if self.offset == len(self.octets):
            self.octets = bytearray()
            self.offset = 0
