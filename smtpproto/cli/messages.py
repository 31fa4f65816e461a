"""Messages in files: a message, an mbox, a Maildir, or standard input.

An mbox is a file whose first line begins with "From "; such lines, which no header has, separate
its messages (RFC 4155).  Neither they nor a byte-order mark are part of a message.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from email.policy import default as policy
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, NamedTuple

from ..conversations.client.message import envelope_of, read_header
from .common import standard_input

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..conversations import Envelope

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# "From ", an address, and a date with a time: text may have a line that begins with "From " too.
SEPARATOR = re.compile(rb"From \S.*\d\d:\d\d.*")
CHUNK = 65536
# Octets of a message of an mbox that are kept in memory.
IN_MEMORY = 1024 * 1024


class Source:
    """A file whose first octets have been read already.

    Arguments:
        first: these octets.
        file: the file behind them.
    """

    def __init__(self, first: bytes, file: IO[bytes]) -> None:
        self._first = first
        self._file = file

    def read(self, size: int) -> bytes:
        """Return at most `size` octets; none at the end."""
        if self._first:
            octets, self._first = self._first[:size], self._first[size:]
            return octets
        return self._file.read(size)

    def readline(self, size: int) -> bytes:
        """Return the next line with its end, or its first `size` octets; none at the end."""
        if not self._first:
            return self._file.readline(size)
        end = self._first.find(b"\n") + 1 or len(self._first)
        line, self._first = self._first[: min(end, size)], self._first[min(end, size) :]
        if line.endswith(b"\n") or len(line) >= size:
            return line
        return line + self._file.readline(size - len(line))


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message.

    Arguments:
        name: where it is, for people.
        source: its octets, from the first line of its header.
        size: how many octets; None if that is unknown.
    """

    name: str
    source: Source
    size: int | None


class Parts(NamedTuple):
    """The parts of a message.

    Arguments:
        header: as stored, with the empty line at its end.
        envelope: sender and recipients.
        body: what follows the header; it is read as it is asked for, and once.
    """

    header: bytes
    envelope: Envelope
    body: Iterator[bytes]


def parts_of(source: Source, sender: str | None, recipients: list[str] | None) -> Parts:
    """Return the parts of a message; only the header is read at once.

    Arguments:
        source: at the beginning of the message.
        sender: for the envelope; None: that of the header.
        recipients: the same for the recipients.

    Raises:
        OSError: the header cannot be read.
        LocalProtocolError, ValueError: see `message.envelope_of` and `message.read_header`.
    """
    header = read_header(source)
    fields = BytesHeaderParser(policy=policy).parsebytes(header)
    return Parts(header, envelope_of(fields, sender, recipients), _rest(source))


def _rest(source: Source) -> Iterator[bytes]:
    while chunk := source.read(CHUNK):
        yield chunk


def read_messages(path: str) -> Iterator[StoredMessage]:
    """Return the messages at a path; each can be read until the next one is asked for.

    Arguments:
        path: of a file, or of a Maildir; "-" for standard input.

    Raises:
        OSError: a file cannot be read.
    """
    if path == "-":
        yield from _in_file("standard input", standard_input(), None)
        return
    for file in _files(Path(path)):
        with file.open("rb") as opened:
            yield from _in_file(str(file), opened, os.fstat(opened.fileno()).st_size)


def _files(path: Path) -> list[Path]:
    folders = [path / "new", path / "cur"]
    if not all(folder.is_dir() for folder in folders):
        return [path]
    return [file for folder in folders for file in sorted(folder.iterdir()) if file.is_file()]


def _in_file(name: str, file: BinaryIO, size: int | None) -> Iterator[StoredMessage]:
    first = file.readline(CHUNK)
    if first.startswith(BYTE_ORDER_MARK):
        first = first[len(BYTE_ORDER_MARK) :]
        size = None if size is None else size - len(BYTE_ORDER_MARK)
    if not first.startswith(b"From "):
        yield StoredMessage(name, Source(first, file), size)
        return
    more = True
    number = 0
    while more:
        number += 1
        with contextlib.closing(tempfile.SpooledTemporaryFile(IN_MEMORY)) as message:
            more = _copy_message(file, message)
            octets = message.tell()
            message.seek(0)
            yield StoredMessage(f"{name} message {number}", Source(b"", message), octets)


def _copy_message(file: BinaryIO, message: IO[bytes]) -> bool:
    """Copy a message of an mbox, up to the next separator; return whether there is one."""
    empty = b""
    begins = True
    while line := file.readline(CHUNK):
        if begins and empty and SEPARATOR.match(line):
            return True
        message.write(empty)
        # The last empty line belongs to the separator, or to the end of the file.
        empty = line if begins and line in (b"\n", b"\r\n") else b""
        if not empty:
            message.write(line)
        begins = line.endswith(b"\n")
    return False
