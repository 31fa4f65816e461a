"""`ReplyStream` reads replies, of any server and to any command."""

from __future__ import annotations

from collections.abc import Iterator

from ..limits import Limits
from ..vocabulary.commands import Noop
from ..vocabulary.replies import Reply, ReplyReader
from ..wire import BadLine, LineReader, ReceiveBuffer

__all__ = ["ReplyStream"]


class ReplyStream:
    """Reads the replies out of octets that come in any segments."""

    def __init__(self) -> None:
        self._buffer = ReceiveBuffer()
        self._lines = LineReader(self._buffer, 2048)
        self._reader = ReplyReader(Limits())

    def feed(self, octets: bytes) -> Iterator[Reply]:
        """Take octets of a server; return the replies that are complete now.

        Raises:
            AssertionError: a line is too long, or has a bare CR or NUL.
            RemoteProtocolError: a line belongs to no reply.
        """
        self._buffer.feed(octets)
        while (line := self._lines.read()) is not None:
            assert not isinstance(line, BadLine), line
            # With a command, the reader takes an enhanced status code out of the text.
            found = self._reader.feed(line, Noop())
            if found is not None:
                yield Reply(found.code, found.enhanced, found.text)
