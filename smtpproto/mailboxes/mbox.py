"""Final delivery into an mbox: one file with all messages, locked while one is added."""

from __future__ import annotations

import contextlib
import io
import mailbox
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..field_types import check_seconds, check_type
from ..timeouts import MAILBOX_LOCK_TIMEOUT
from .final_delivery import FinalDelivery, private, sync_folder

__all__ = ["MboxStore"]

POLL = 0.02
CHUNK = 65536
FROM = b"\nFrom "

# Another process has the mbox locked, or removed it at this moment.
BUSY = (mailbox.Error, FileExistsError, FileNotFoundError)

# One for each mbox of this process.  An fcntl lock belongs to the whole process, so it does not
# exclude threads, and `mbox.lock` in a second thread takes it from the first.
locks: dict[str, threading.Lock] = {}
if hasattr(os, "register_at_fork"):
    # The threads that held a lock do not exist in the child.
    os.register_at_fork(after_in_child=locks.clear)


class MboxStore:
    """An mbox: one file with all messages, locked while one is added.

    A line that begins with "From " is stored as ">From ", as `mailbox.mbox` and most programs do.
    An unfinished message is in an unnamed file beside the mbox, so a slow client does not hold the
    lock.

    Arguments:
        path: the file; it is created with the first message.
        lock_timeout: seconds to wait until others release the lock.

    Raises:
        TypeError, ValueError: `lock_timeout` is no number, negative or not finite.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, lock_timeout: float = MAILBOX_LOCK_TIMEOUT
    ) -> None:
        self.path = Path(path).absolute()
        check_type("lock_timeout", lock_timeout, float)
        check_seconds(lock_timeout=lock_timeout)
        self.lock_timeout = lock_timeout

    def open(self, reverse_path: str) -> FinalDelivery:
        """Begin to deliver a message.

        Arguments:
            reverse_path: the reverse-path without its angle brackets; "" for the null one.

        Raises:
            ValueError: it has a control character.
        """
        return MboxDelivery(reverse_path, self.path, self.lock_timeout)


class MboxDelivery(FinalDelivery):
    def __init__(self, reverse_path: str, path: Path, lock_timeout: float) -> None:
        super().__init__(reverse_path)
        self._path = path
        self._lock_timeout = lock_timeout
        self._quoting = FromQuoting()

    def _begin(self) -> BinaryIO:
        try:
            return tempfile.TemporaryFile(dir=self._path.parent)
        except PermissionError:
            # Another user may own the folder of the mboxes and create them.
            return tempfile.TemporaryFile()

    def _stored(self, octets: bytes) -> bytes:
        return self._quoting.convert(octets)

    def _last(self) -> bytes:
        return self._quoting.end()

    def _keep(self, file: BinaryIO) -> None:
        file.seek(0)
        with locked(self._path, self._lock_timeout) as box:
            before = box.seek(0, os.SEEK_END)
            try:
                write(box, gap(box, before) + self._from_line())
                while chunk := file.read(CHUNK):
                    write(box, chunk)
                os.fsync(box.fileno())
            except BaseException:
                box.truncate(before)
                os.fsync(box.fileno())
                raise
        file.close()

    def _from_line(self) -> bytes:
        # A space would end the address for programs that read the line.
        sender = self._reverse_path.replace(b" ", b"-") or b"MAILER-DAEMON"
        return b"From %b %b\n" % (sender, time.asctime(time.gmtime()).encode())


class FromQuoting:
    """Puts ">" before a "From " that begins a line, and an empty line after the message.

    It skips the first line, which is our own Return-Path.
    """

    def __init__(self) -> None:
        self._held = b""
        self._complete = False  # whether the last octet is a line ending

    def convert(self, chunk: bytes) -> bytes:
        if not chunk:
            return b""
        self._complete = chunk.endswith(b"\n")
        octets = (self._held + chunk).replace(FROM, b"\n>From ")
        # The beginning of a "From " that the next chunk may complete is just after the last LF.
        border = octets.rfind(b"\n", -len(FROM) + 1)
        if border < 0 or not FROM.startswith(octets[border:]):
            border = len(octets)
        self._held = octets[border:]
        return octets[:border]

    def end(self) -> bytes:
        return self._held + (b"\n" if self._complete else b"\n\n")


def write(file: io.FileIO, octets: bytes) -> None:
    """Write all octets without a buffer, which could be written after the file is truncated."""
    view = memoryview(octets)
    while view:
        view = view[file.write(view) :]


def gap(box: io.FileIO, size: int) -> bytes:
    """Return the octets missing at the end of an mbox: a From_ line follows an empty line."""
    if size == 0:
        return b""
    box.seek(-min(size, 2), os.SEEK_END)
    end = box.read(2)
    if end == b"\n\n":
        return b""
    return b"\n" if end.endswith(b"\n") else b"\n\n"


@contextlib.contextmanager
def locked(path: Path, timeout: float) -> Iterator[io.FileIO]:
    """Open the mbox for reading and writing, without a buffer, locked against all others."""
    deadline = time.monotonic() + timeout
    ours = locks.setdefault(os.path.realpath(path), threading.Lock())
    if not ours.acquire(timeout=timeout):
        raise TimeoutError(f"{path}: other threads have it locked for {timeout} seconds")
    try:
        box = lock(path, deadline)
        try:
            with path.open("r+b", buffering=0) as file:
                yield file
        finally:
            box.close()
    finally:
        ours.release()


def lock(path: Path, deadline: float) -> mailbox.mbox:
    while True:
        create(path)
        with contextlib.ExitStack() as undo, contextlib.suppress(*BUSY):
            before = path.stat()
            box = mailbox.mbox(path, create=False)
            undo.callback(box.close)
            box.lock()
            # The previous owner may have replaced the file: then lock the new one.
            if os.path.samestat(before, path.stat()):
                undo.pop_all()
                return box
        if time.monotonic() >= deadline:
            raise TimeoutError(
                f"{path}: others keep it locked; or a process that is gone left {path}.lock behind"
            )
        time.sleep(POLL)


def create(path: Path) -> None:
    """Create the mbox if it does not exist; `mailbox.mbox` might empty a new one."""
    with contextlib.suppress(FileExistsError):
        open(path, "xb", opener=private).close()
        sync_folder(path.parent)
