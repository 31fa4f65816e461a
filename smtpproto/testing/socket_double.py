"""What replaces a connected socket in code with its own I/O, such as `smtplib`."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .link import Link

__all__ = ["LinkSocket", "SocketDouble"]


class SocketDouble:
    """The methods of a connected socket that a client of SMTP needs."""

    def __init__(self) -> None:
        # What the server has said and the client has not read.
        self._said = bytearray()

    def sendall(self, data: bytes) -> None:
        """Take octets."""
        raise NotImplementedError

    def recv(self, size: int) -> bytes:
        """Return the server's octets; empty once it has closed.

        Raises:
            TimeoutError: the server waits for the client.
        """
        awaited = "" if self._said else self._awaited()
        if awaited:
            raise TimeoutError(awaited)
        data = bytes(self._said[:size])
        del self._said[:size]
        return data

    def _awaited(self) -> str:
        """Return what the server waits for, in words; "" once it has closed."""
        raise NotImplementedError

    def makefile(self, mode: str = "rb", *_arguments: Any, **_options: Any) -> io.BufferedReader:
        """Return the server's octets as a file."""
        if mode != "rb":
            raise ValueError(f"expected 'rb', found {mode!r}")
        return io.BufferedReader(_File(self))

    def settimeout(self, timeout: float | None) -> None:
        """Do nothing: there are no time limits here."""

    def close(self) -> None:
        """Do nothing."""


class _File(io.RawIOBase):
    def __init__(self, double: SocketDouble) -> None:
        self._double = double

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._double.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class LinkSocket(SocketDouble):
    """The client's socket of a `Link`.

    Arguments:
        link: with a server whose conversation has not begun.
    """

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link
        self._said += link.feed(b"")

    def sendall(self, data: bytes) -> None:
        """Send octets to the server.

        Raises:
            BrokenPipeError: the server has closed.
            Exception: any error of the handler.
        """
        if self._link.server.done:
            raise BrokenPipeError("in memory: the server has closed")
        self._said += self._link.feed(data)
        self._link.check()

    def _awaited(self) -> str:
        return "" if self._link.server.done else "in memory: the server waits for the client"

    def close(self) -> None:
        """Close; what the server still says is lost."""
        self._link.end()
