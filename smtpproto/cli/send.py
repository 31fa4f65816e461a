"""Send a message that stands in a file."""

from __future__ import annotations

import sys
from email.parser import BytesHeaderParser
from email.policy import default as policy
from typing import TYPE_CHECKING, BinaryIO

from .. import sync
from ..conversations import SMTPError, Status
from ..conversations.message import envelope_of, split_header
from ..errors import LocalProtocolError, RemoteProtocolError
from ..wire import LineEndings
from .common import exit_status, host_and_port, outcome_line, transcript_to_stderr

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ..conversations import Delivery

__all__ = ["add_arguments", "run"]

CHUNK = 65536


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--server", type=host_and_port, default=("localhost", 25), metavar="HOST:PORT"
    )
    parser.add_argument(
        "--from", dest="sender", metavar="ADDR", help="default: Sender or From of the message"
    )
    parser.add_argument(
        "--to",
        dest="recipients",
        action="append",
        metavar="ADDR",
        help="default: To, Cc and Bcc of the message",
    )
    parser.add_argument(
        "--transcript", action="store_true", help="write all that is said to standard error"
    )
    parser.add_argument("file", metavar="FILE", help="the message; - for standard input")


def run(options: argparse.Namespace) -> int:
    """Send one message: 0 all accepted, 1 some refused, 2 none accepted or no connection."""
    try:
        if options.file == "-":
            delivery = _send(options, sys.stdin.buffer)
        else:
            with open(options.file, "rb") as file:
                delivery = _send(options, file)
    except (OSError, SMTPError, ValueError, LocalProtocolError, RemoteProtocolError) as error:
        print(f"not sent: {error}", file=sys.stderr)
        return 2
    for outcome in delivery.outcomes:
        if outcome.status is not Status.ACCEPTED:
            print(f"{outcome_line(outcome)}\n{outcome.explain()}", file=sys.stderr)
    return exit_status(delivery)


def _send(options: argparse.Namespace, file: BinaryIO) -> Delivery:
    """Send the message in a file, without holding more of it than its header."""
    header, rest = split_header(file)
    message = BytesHeaderParser(policy=policy).parsebytes(header)
    envelope = envelope_of(message, options.sender, options.recipients)
    host, port = options.server
    observer = transcript_to_stderr() if options.transcript else None
    with sync.connect(
        host, port, line_endings=LineEndings.NORMALIZE, observer=observer
    ) as client:
        return client.send(envelope, _chunks(header, rest, file))


def _chunks(header: bytes, rest: bytes, file: BinaryIO) -> Iterator[bytes]:
    yield header
    yield rest
    while chunk := file.read(CHUNK):
        yield chunk
