"""Transcripts: the lines of both sides with C: and S:, as RFCs show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Transcript", "escaped", "printable"]

# Octets of a content line to show.
LONGEST = 2000


def printable(octets: bytes) -> str:
    """Return octets as text that is safe to show; escapes replace unprintable ones."""
    return escaped(octets.decode("utf-8", "backslashreplace"))


def escaped(text: str) -> str:
    """Return text that is safe to show; escapes replace unprintable characters."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\t" else f"\\x{ord(c):02x}" for c in text)


class Transcript:
    """An observer that writes each line with its sender, C or S, in front.

    Arguments:
        write: called with one line at a time, without a line end.
        content: how many lines of each message to show; the number of the others is written.

    Raises:
        TypeError: `write` is no function.
    """

    def __init__(self, write: Callable[[str], None], *, content: int = 1000) -> None:
        if not callable(write):
            raise TypeError(f"write: expected a function, found {type(write).__name__}")
        self._write = write
        self._most = content
        self._shown = 0
        self._hidden = 0
        self._rest = b""

    def __call__(self, sender: str, octets: bytes, content: bool) -> None:  # noqa: FBT001  an Observer
        """Take one line, or a chunk of content."""
        if content:
            self._content(sender, octets)
            return
        if self._rest:
            self._line(sender, self._rest)
        if self._hidden:
            self._write(f"{sender}: ... {self._hidden} more lines ...")
        self._shown = self._hidden = 0
        self._rest = b""
        self._write(f"{sender}: {printable(octets)}")

    def _content(self, sender: str, octets: bytes) -> None:
        if self._shown >= self._most:
            self._hidden += octets.count(b"\n")
            self._rest = b""
            return
        # The content of a client may have bare LFs before they are normalized.
        *lines, rest = (self._rest + octets).split(b"\n")
        for line in lines:
            self._line(sender, line.removesuffix(b"\r"))
        # Show only the beginning of a long line, which may have no end.
        self._rest = rest[:LONGEST]

    def _line(self, sender: str, line: bytes) -> None:
        line = line[:LONGEST]
        if self._shown < self._most:
            self._shown += 1
            self._write(f"{sender}: {'.' if line.startswith(b'.') else ''}{printable(line)}")
        else:
            self._hidden += 1
