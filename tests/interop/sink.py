"""A server of a few lines that says yes and keeps every octet: it tries the peers out, not us."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import BinaryIO

from tests.interop.peers import accepting


class Sink:
    """What arrived, one entry for each connection, each octet as it came."""

    port: int

    def __init__(self) -> None:
        self.sessions: list[bytes] = []
        self.done = threading.Event()


@contextlib.contextmanager
def sink(*offers: str, recipients_answered: bool = False, proxied: bool = False) -> Iterator[Sink]:
    """Listen until the `with` block ends.

    Arguments:
        offers: the EHLO lines after the first.
        recipients_answered: after the content, one reply for each recipient, as LMTP wants it.
        proxied: a PROXY header comes first, of version 1 or 2; it is kept with the session.
    """
    kept = Sink()

    def serve(link: socket.socket) -> None:
        with link:
            link.settimeout(20)
            kept.sessions.append(b"")
            stream = link.makefile("rb")
            if proxied:
                kept.sessions[-1] += proxy_header(stream)
            converse(link, stream, kept, offers, recipients_answered)

    with accepting(serve) as kept.port:
        yield kept


def proxy_header(stream: BinaryIO) -> bytes:
    start = stream.read(16)
    if start.startswith(b"PROXY "):
        return start + stream.readline()
    return start + stream.read(int.from_bytes(start[14:16], "big"))


def converse(
    link: socket.socket, stream: BinaryIO, kept: Sink, offers: tuple[str, ...], each: bool
) -> None:
    def say(text: str) -> None:
        link.sendall(text.encode() + b"\r\n")

    def line() -> bytes:
        got = stream.readline()
        kept.sessions[-1] += got
        return got

    recipients = 0
    say("220 sink.test ESMTP")
    while command := line():
        verb = command[:4].upper()
        if verb in {b"EHLO", b"LHLO"}:
            say("\r\n".join([*(f"250-{offer}" for offer in offers), "250 HELP"]))
        elif verb == b"RCPT":
            recipients += 1
            say("250 yes")
        elif verb == b"DATA":
            say("354 go on")
            while line() not in {b".\r\n", b""}:
                pass
            say("\r\n".join(["250 taken"] * (recipients if each else 1)))
            recipients = 0
            kept.done.set()
        elif verb == b"BDAT":
            _, octets, *last = command.split()
            kept.sessions[-1] += stream.read(int(octets))
            say("250 taken")
            if last:
                recipients = 0
                kept.done.set()
        elif verb == b"QUIT":
            say("221 bye")
            return
        else:
            say("250 yes")
