"""Content of a known number of octets: the chunks of BDAT (RFC 3030 section 2)."""

from __future__ import annotations

from .buffer import CHUNK, ContentEnd, ReceiveBuffer

__all__ = ["CountedReader"]


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
