"""Content whose octets are counted beforehand: the chunks of BDAT (RFC 3030 section 2)."""

from __future__ import annotations

from .buffer import CHUNK, ContentEnd, ReceiveBuffer

__all__ = ["CountedReader"]


class CountedReader:
    """Reads as many octets as were announced, whatever they are, and nothing of what follows.

    Arguments:
        buffer: where the octets arrive.
        octets: how many belong to the content; 0 for none.

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
        """What there is of the content, `ContentEnd.END` once it is complete, None: more must come.

        No piece is empty or longer than 32 KiB.
        """
        if not self._left:
            return ContentEnd.END
        octets = self._buffer.peek(min(self._left, CHUNK))
        if not octets:
            return None
        self._buffer.skip(len(octets))
        self._left -= len(octets)
        return octets
