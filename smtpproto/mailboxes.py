"""Final delivery into files: a Maildir or an mbox (RFC 5321 section 4.4).

A server's handler writes a message to a store chunk by chunk as it arrives.  When `commit` has
returned, the message is on the disk and the server may reply 250 (RFC 5321 section 6.1).  A
delivery that ends before `commit` stores nothing.  The files have LF line endings, as other
programs on the host expect; a bare CR or LF is kept.  Any number of threads and processes may
deliver at the same time.

After a crash, or `kill -9`:

* Maildir: a message in new/ is always complete.  An unfinished one stays in tmp/, which no reader
  opens; `mailbox.Maildir(path).clean()` removes such files after 36 hours.
* mbox: a part of the last message may stay at the end; an empty line separates the next one from
  it.  The file "….lock" may stay as well.  It blocks all programs until the administrator, who
  knows that its owner is gone, removes it.

From the standard library's `mailbox` this uses `mbox.lock`, which excludes programs that use fcntl
and those that use dot-locks.  The rest of `mailbox` does not fit: `add` takes a complete message,
not chunks, and reads the whole mbox for it; it does not sync folders; `Maildir` counts its names
without a lock between threads, and creates its folders in steps that can fail when two processes do
so at once.
"""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import mailbox
import os
import secrets
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from .timeouts import MAILBOX_LOCK_TIMEOUT

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["FinalDelivery", "MaildirStore", "MboxStore"]

PRIVATE = 0o600
PRIVATE_FOLDER = 0o700
POLL = 0.02
CHUNK = 65536
FROM = b"\nFrom "

# Errors of file systems without hard links: FAT, some network and FUSE mounts.
NO_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})

# Another process has the mbox locked, or removed it at this moment.
BUSY = (mailbox.Error, FileExistsError, FileNotFoundError)

_count = itertools.count()

# One for each mbox of this process.  An fcntl lock belongs to the whole process, so it does not
# exclude threads, and `mbox.lock` in a second thread takes it from the first.
_locks: dict[str, threading.Lock] = {}
if hasattr(os, "register_at_fork"):
    # The threads that held a lock do not exist in the child.
    os.register_at_fork(after_in_child=_locks.clear)


class MaildirStore:
    """A Maildir: a file for each message, without locks.

    Arguments:
        path: the folder; it and its tmp/, new/ and cur/ are created if they do not exist.

    Raises:
        OSError: a folder cannot be created.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        for folder in (self.path / name for name in ("tmp", "new", "cur")):
            if not folder.is_dir():
                folder.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
                _sync_folder(self.path)
                _sync_folder(self.path.parent)

    def open(self, reverse_path: str) -> FinalDelivery:
        """Begin to deliver a message.

        Arguments:
            reverse_path: the reverse-path without its angle brackets; "" for the null one.

        Raises:
            ValueError: it has a control character.
        """
        return _MaildirDelivery(reverse_path, self.path)


class MboxStore:
    """An mbox: one file with all messages, locked while one is added.

    A line that begins with "From " is stored as ">From ", as `mailbox.mbox` and most programs do.
    An unfinished message is in an unnamed file beside the mbox, so a slow client does not hold the
    lock.

    Arguments:
        path: the file; it is created with the first message.
        lock_timeout: seconds to wait until others release the lock.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, lock_timeout: float = MAILBOX_LOCK_TIMEOUT
    ) -> None:
        self.path = Path(path).absolute()
        self.lock_timeout = lock_timeout

    def open(self, reverse_path: str) -> FinalDelivery:
        """Begin to deliver a message.

        Arguments:
            reverse_path: the reverse-path without its angle brackets; "" for the null one.

        Raises:
            ValueError: it has a control character.
        """
        return _MboxDelivery(reverse_path, self.path, self.lock_timeout)


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
        self._line_endings = _LineEndings()
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
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


class _MaildirDelivery(FinalDelivery):
    def __init__(self, reverse_path: str, path: Path) -> None:
        super().__init__(reverse_path)
        self._path = path
        self._temporary = path

    def _begin(self) -> BinaryIO:
        while True:
            self._temporary = self._path / "tmp" / _unique_name()
            with contextlib.suppress(FileExistsError):
                return open(self._temporary, "xb", opener=_private)

    def _keep(self, file: BinaryIO) -> None:
        file.flush()
        os.fsync(file.fileno())
        file.close()
        place = self._place()
        try:
            _sync_folder(place.parent)
        except BaseException:
            # It may not survive a power failure, and the client is told to try again.
            with contextlib.suppress(FileNotFoundError):
                place.unlink()
            raise
        self._discard()

    def _place(self) -> Path:
        """Give the file a name in new/, without replacing another file."""
        name = self._temporary.name
        while True:
            place = self._path / "new" / name
            try:
                _move(self._temporary, place)
                return place
            except FileExistsError:
                name = _unique_name()

    def _discard(self) -> None:
        with contextlib.suppress(OSError):
            self._temporary.unlink()


class _MboxDelivery(FinalDelivery):
    def __init__(self, reverse_path: str, path: Path, lock_timeout: float) -> None:
        super().__init__(reverse_path)
        self._path = path
        self._lock_timeout = lock_timeout
        self._quoting = _FromQuoting()

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
        with _locked(self._path, self._lock_timeout) as box:
            before = box.seek(0, os.SEEK_END)
            try:
                _write(box, _gap(box, before) + self._from_line())
                while chunk := file.read(CHUNK):
                    _write(box, chunk)
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


class _LineEndings:
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


class _FromQuoting:
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


def _unique_name() -> str:
    """Return a name for a file in a Maildir, in the form of maildir(5) and most programs."""
    now = time.time_ns()
    host = socket.gethostname().replace("/", r"\057").replace(":", r"\072")
    # Containers may share a folder, a host name and process numbers; hence the random part.
    middle = f"M{now // 1000 % 1_000_000}P{os.getpid()}Q{next(_count)}R{secrets.token_hex(8)}"
    return f"{now // 1_000_000_000}.{middle}.{host}"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, PRIVATE)


def _sync_folder(path: Path) -> None:
    """Make new names in a folder durable; only POSIX has (and needs) this."""
    if hasattr(os, "O_DIRECTORY"):
        number = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _move(source: Path, target: Path) -> None:
    """Give a file another name; raise `FileExistsError` if a file has it already.

    A rename would replace that file without an error; a link does not.  The caller removes the old
    name.
    """
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        source.rename(target)


def _write(file: io.FileIO, octets: bytes) -> None:
    """Write all octets without a buffer, which could be written after the file is truncated."""
    view = memoryview(octets)
    while view:
        view = view[file.write(view) :]


def _gap(box: io.FileIO, size: int) -> bytes:
    """Return the octets missing at the end of an mbox: a From_ line follows an empty line."""
    if size == 0:
        return b""
    box.seek(-min(size, 2), os.SEEK_END)
    end = box.read(2)
    if end == b"\n\n":
        return b""
    return b"\n" if end.endswith(b"\n") else b"\n\n"


@contextlib.contextmanager
def _locked(path: Path, timeout: float) -> Iterator[io.FileIO]:
    """Open the mbox for reading and writing, without a buffer, locked against all others."""
    deadline = time.monotonic() + timeout
    ours = _locks.setdefault(os.path.realpath(path), threading.Lock())
    if not ours.acquire(timeout=timeout):
        raise TimeoutError(f"{path}: other threads have it locked for {timeout} seconds")
    try:
        box = _lock(path, deadline)
        try:
            with path.open("r+b", buffering=0) as file:
                yield file
        finally:
            box.close()
    finally:
        ours.release()


def _lock(path: Path, deadline: float) -> mailbox.mbox:
    while True:
        _create(path)
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


def _create(path: Path) -> None:
    """Create the mbox if it does not exist; `mailbox.mbox` might empty a new one."""
    with contextlib.suppress(FileExistsError):
        open(path, "xb", opener=_private).close()
        _sync_folder(path.parent)
