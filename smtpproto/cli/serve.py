"""Receive mail and store, print or discard it."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING

from .. import sync
from ..conversations import Handler
from ..extensions import standard
from ..stores import MaildirStore, MboxStore
from .common import host_and_port, say, transcript_to_stderr

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ..conversations import Envelope
    from ..session import Session

__all__ = ["Discard", "Print", "Store", "add_arguments", "run"]

SIZE = 50 * 1024 * 1024


class Store(Handler):
    """A handler that stores each message; 250 is said once it is safe on the disk."""

    def __init__(self, store: MaildirStore | MboxStore) -> None:
        self._store = store

    def body(self, session: Session, envelope: Envelope, chunks: Iterator[bytes]) -> None:
        """Store a message while it arrives."""
        mailbox = envelope.reverse_path.mailbox
        with self._store.open("" if mailbox is None else str(mailbox)) as delivery:
            for chunk in chunks:
                delivery.write(chunk)
            delivery.commit()


class Print(Handler):
    """A handler that prints each message."""

    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        """Print envelope and content."""
        recipients = ", ".join(map(str, envelope.forward_paths))
        head = f"---- from {envelope.reverse_path} to {recipients}\n"
        sys.stdout.buffer.write(head.encode() + content.replace(b"\r\n", b"\n"))
        sys.stdout.buffer.flush()


class Discard(Handler):
    """A handler that reads and forgets."""

    def body(self, session: Session, envelope: Envelope, chunks: Iterator[bytes]) -> None:
        """Read to the end."""
        for _ in chunks:
            pass


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--listen", type=host_and_port, default=("127.0.0.1", 8025), metavar="HOST:PORT"
    )
    parser.add_argument("--hostname", default=socket.gethostname(), help="the server's own name")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--maildir", metavar="DIR", help="store messages in a Maildir")
    where.add_argument("--mbox", metavar="FILE", help="store messages in an mbox")
    where.add_argument("--print", action="store_true", help="print messages (the default)")
    where.add_argument("--discard", action="store_true", help="read messages and forget them")
    parser.add_argument(
        "--size", type=int, default=SIZE, metavar="BYTES", help="the largest message"
    )
    parser.add_argument(
        "--transcript", action="store_true", help="write all that is said to standard error"
    )


def _handler(options: argparse.Namespace) -> Handler:
    if options.maildir:
        return Store(MaildirStore(options.maildir))
    if options.mbox:
        return Store(MboxStore(options.mbox))
    return Discard() if options.discard else Print()


def run(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM, then let running transactions finish."""
    host, port = options.listen
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    try:
        server = sync.serve(
            _handler(options),
            host=host,
            port=port,
            hostname=options.hostname,
            extensions=standard(options.size),
            observer=(lambda _: transcript_to_stderr()) if options.transcript else None,
        )
    except OSError as error:
        print(f"cannot serve on {host}:{port}: {error}", file=sys.stderr)
        return 2
    with server:
        for address, bound in server.addresses:
            say(f"listening on {f'[{address}]' if ':' in address else address}:{bound}")
        stopping.wait()
    return 0
