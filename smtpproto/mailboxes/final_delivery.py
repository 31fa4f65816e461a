"""What deliveries to a Maildir and to an mbox share (RFC 5321 section 4.4)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["CrlfToLf", "FinalDelivery", "private", "sync_folder"]

PRIVATE = 0o600


class FinalDelivery:
    """One message being delivered: a context manager, used once, by one thread at a time.

    Leaving it without `commit`, or after an error, stores nothing.
    """

    def __init__(self, reverse_path: str) -> None:
        if any(character < " " or character == "\x7f" for character in reverse_path):
            raise ValueError(
                "reverse-path: expected no control characters, "
                f"found {reverse_path!r} (RFC 5321 section 4.1.2)"
            )
        self._reverse_path = reverse_path.encode()
        self._line_endings = CrlfToLf()
        self._began = False
        self._file: BinaryIO | None = None

    def write(self, chunk: bytes) -> None:
        """Add octets of the message content as they arrived, with CRLF line endings.

        Raises:
            OSError: the octets cannot be written; the delivery is over.
            ValueError: the delivery is over, or has not begun.
        """
        file = self._under_way()
        with self._abandoned_on_error():
            if not self._began and chunk:
                self._began = True
                if chunk.startswith((b" ", b"\t")):
                    # Such a line would continue our Return-Path (RFC 5322 section 2.2.3).
                    file.write(self._stored(b"\n"))
            file.write(self._stored(self._line_endings.convert(chunk)))

    def commit(self) -> None:
        """Deliver the message; once this returns, it survives a power failure.

        Raises:
            OSError: the message cannot be stored; nothing is delivered, and the delivery is over.
            TimeoutError: others have the mbox locked; nothing is delivered.
            ValueError: the delivery is over, or has not begun.
        """
        file = self._under_way()
        with self._abandoned_on_error():
            file.write(self._stored(self._line_endings.end()) + self._last())
            self._keep(file)
        self._file = None

    def __enter__(self) -> Self:
        self._file = self._begin()
        with self._abandoned_on_error():
            self._file.write(self._stored(b"Return-Path: <%b>\n" % self._reverse_path))
        return self

    def __exit__(self, *_: object) -> None:
        self._abandon()

    def _under_way(self) -> BinaryIO:
        if self._file is None:
            raise ValueError("the delivery is over, or not begun")
        return self._file

    @contextlib.contextmanager
    def _abandoned_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._abandon()
            raise

    def _abandon(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            # Report the first error, not another one from closing a file that is not needed.
            with contextlib.suppress(OSError):
                file.close()
            self._discard()

    # --- what the kinds of stores do differently ------------------------------------------------

    def _begin(self) -> BinaryIO:
        """Open the file that the message is written to while it arrives."""
        raise NotImplementedError

    def _stored(self, octets: bytes) -> bytes:
        """Return the octets to write for these octets of the message."""
        return octets

    def _last(self) -> bytes:
        """Return the octets to write after the message."""
        return b""

    def _keep(self, file: BinaryIO) -> None:
        """Deliver the written message durably, and close the file."""
        raise NotImplementedError

    def _discard(self) -> None:
        """Remove the file of `_begin`, which is closed."""


class CrlfToLf:
    """Converts CRLF to LF, also across chunks."""

    def __init__(self) -> None:
        self._held = b""

    def convert(self, chunk: bytes) -> bytes:
        octets = self._held + chunk
        self._held = b"\r" if octets.endswith(b"\r") else b""
        return octets[: len(octets) - len(self._held)].replace(b"\r\n", b"\n")

    def end(self) -> bytes:
        held, self._held = self._held, b""
        return held


def private(path: str, flags: int) -> int:
    """Open a file that only its owner can read; an `opener`."""
    return os.open(path, flags, PRIVATE)


def sync_folder(path: Path) -> None:
    """Make new names in a folder durable; only POSIX has (and needs) this."""
    if hasattr(os, "O_DIRECTORY"):
        number = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
