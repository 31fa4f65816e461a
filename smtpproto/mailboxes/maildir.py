"""Final delivery into a Maildir: a file for each message, without locks."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import secrets
import socket
import time
from pathlib import Path
from typing import BinaryIO

from .final_delivery import FinalDelivery, private, sync_folder

__all__ = ["MaildirStore"]

PRIVATE_FOLDER = 0o700

# Errors of file systems without hard links: FAT, some network and FUSE mounts.
NO_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})

count = itertools.count()


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
                sync_folder(self.path)
                sync_folder(self.path.parent)

    def open(self, reverse_path: str) -> FinalDelivery:
        """Begin to deliver a message.

        Arguments:
            reverse_path: the reverse-path without its angle brackets; "" for the null one.

        Raises:
            ValueError: it has a control character.
        """
        return MaildirDelivery(reverse_path, self.path)


class MaildirDelivery(FinalDelivery):
    def __init__(self, reverse_path: str, path: Path) -> None:
        super().__init__(reverse_path)
        self._path = path
        self._temporary = path

    def _begin(self) -> BinaryIO:
        while True:
            self._temporary = self._path / "tmp" / unique_name()
            with contextlib.suppress(FileExistsError):
                return open(self._temporary, "xb", opener=private)

    def _keep(self, file: BinaryIO) -> None:
        file.flush()
        os.fsync(file.fileno())
        file.close()
        place = self._place()
        try:
            sync_folder(place.parent)
        except BaseException:
            # The file may not survive a power failure, so the client must try again.
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
                move(self._temporary, place)
                return place
            except FileExistsError:
                name = unique_name()

    def _discard(self) -> None:
        with contextlib.suppress(OSError):
            self._temporary.unlink()


def unique_name() -> str:
    """Return a name for a file in a Maildir, in the form of maildir(5) and most programs.

    The names sort in the order in which they were made, because the digits of a microsecond are
    always six.
    """
    now = time.time_ns()
    host = socket.gethostname().replace("/", r"\057").replace(":", r"\072")
    # The random part is for containers that share the folder, a host name and process numbers.
    middle = f"M{now // 1000 % 1_000_000:06}P{os.getpid()}Q{next(count)}R{secrets.token_hex(8)}"
    return f"{now // 1_000_000_000}.{middle}.{host}"


def move(source: Path, target: Path) -> None:
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
