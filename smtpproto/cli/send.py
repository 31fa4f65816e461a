"""Send a message from a file."""

from __future__ import annotations

import getpass
import os
import ssl
import sys
from email.parser import BytesHeaderParser
from email.policy import default as policy
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from .. import sync
from ..adapters.connecting import ConnectionSettings
from ..adapters.tls_contexts import client_context
from ..conversations import SMTPError, Status, TLSMode
from ..conversations.client.message import envelope_of, header_of, read_header
from ..errors import LocalProtocolError, RemoteProtocolError
from ..sasl import Credentials, SASLError
from ..vocabulary.session_facts import Protocol
from ..wire import LineEndings
from .common import (
    CannotRun,
    complain,
    exit_status,
    in_file,
    need,
    outcome_line,
    read_password,
    reason,
    seconds,
    server_address,
    transcript_to_stderr,
    usual_port,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ..conversations import Delivery
    from ..conversations.client.base import ClientBase

__all__ = [
    "STATUS",
    "add_arguments",
    "add_session",
    "add_trust",
    "connection_settings",
    "place",
    "run",
    "trusting",
    "where",
]

STATUS = "0 all recipients accepted, 1 some, 2 none, or there was no session"
CHUNK = 65536
PASSWORD = "SMTP_PASSWORD"  # noqa: S105  # the name of a variable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("file", metavar="FILE", help="the message; - for standard input")
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
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--server",
        type=server_address,
        default=("localhost", None),
        metavar="HOST[:PORT]",
        help="default: localhost; port 465 with --tls implicit, 587 with --user, otherwise 25",
    )
    where.add_argument("--unix", metavar="PATH", help="a Unix socket instead")
    add_session(parser)
    parser.add_argument(
        "--transcript", action="store_true", help="write all that is said to standard error"
    )
    parser.add_argument(
        "--io", choices=("sync", "trio"), default="sync", help="blocking (the default), or trio"
    )


def add_session(parser: argparse.ArgumentParser) -> None:
    """Declare the options for beginning a session."""
    parser.add_argument("--name", help="what to call oneself in EHLO")
    parser.add_argument("--lmtp", action="store_true", help="LMTP (RFC 2033) instead of SMTP")
    parser.add_argument(
        "--tls",
        choices=[mode.name.lower() for mode in TLSMode],
        help="when TLS begins; default: implicit on port 465, starttls on 587 or with --user, "
        "otherwise opportunistic",
    )
    add_trust(parser)
    parser.add_argument(
        "--user",
        metavar="NAME",
        help=f"log in; the password is in --password-file or {PASSWORD}, or is asked for",
    )
    parser.add_argument("--password-file", metavar="FILE", help="its first line is the password")
    parser.add_argument(
        "--timeout",
        type=seconds,
        metavar="SECONDS",
        help="for each wait; default: what the RFC allows",
    )


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Declare the options for trusting a certificate."""
    parser.add_argument("--ca", metavar="FILE", help="more authorities to trust, PEM")
    parser.add_argument(
        "--tls-name", metavar="NAME", help="whom the certificate has to name; default: the host"
    )


def run(options: argparse.Namespace) -> int:
    """Send one message; see `STATUS`."""
    if options.io == "trio":
        need("trio", "--io trio")
    try:
        settings = connection_settings(options)
        if options.file == "-":
            delivery = _send(options, settings, sys.stdin.buffer)
        else:
            with Path(options.file).open("rb") as file:
                delivery = _send(options, settings, file)
    except (OSError, SMTPError, ValueError, LocalProtocolError, RemoteProtocolError) as error:
        complain(f"not sent: {reason(error, place(options))}")
        return 2
    for outcome in delivery.outcomes:
        if outcome.status is not Status.ACCEPTED:
            complain(f"{outcome_line(outcome)}\n{outcome.explain()}")
    return exit_status(delivery)


def where(options: argparse.Namespace) -> tuple[str, int]:
    """Return host and port of the server."""
    host, port = options.server
    usual = usual_port(implicit=options.tls == "implicit", user=options.user is not None)
    return host, usual if port is None else port


def place(options: argparse.Namespace) -> str:
    """Return the same as text, or the Unix socket."""
    unix: str | None = getattr(options, "unix", None)
    return unix or "{} port {}".format(*where(options))


def connection_settings(options: argparse.Namespace) -> ConnectionSettings:
    """How to connect, and what the session is to be like.

    Raises:
        CannotRun: a file cannot be used, or there is no password.
    """
    host, port = where(options)
    return ConnectionSettings(
        host,
        port,
        path=getattr(options, "unix", None) or None,
        name=options.name,
        timeout=options.timeout,
        protocol=Protocol.LMTP if options.lmtp else Protocol.SMTP,
        line_endings=LineEndings.NORMALIZE,
        tls=TLSMode[options.tls.upper()] if options.tls else None,
        tls_context=trusting(options.ca) if options.ca else None,
        server_hostname=options.tls_name,
        credentials=_credentials(options),
        observer=transcript_to_stderr() if getattr(options, "transcript", False) else None,
    )


def _credentials(options: argparse.Namespace) -> Credentials | None:
    if options.user is None:
        if options.password_file:
            raise CannotRun("--password-file needs --user")
        return None
    try:
        return Credentials(username=options.user, password=_password(options))
    except SASLError as error:
        raise CannotRun(f"--user: {error}") from None


def trusting(path: str) -> ssl.SSLContext:
    """Return a context that trusts the authorities in a file and those of the system.

    Raises:
        CannotRun: the file has no certificates.
    """
    context = client_context()
    try:
        context.load_verify_locations(path)
    except OSError as error:
        raise CannotRun(f"--ca {in_file(path, error, 'certificates in PEM')}") from None
    return context


def _password(options: argparse.Namespace) -> str:
    """Return the password, which never comes from the command line."""
    if options.password_file:
        return read_password(options.password_file)
    if PASSWORD in os.environ:
        return os.environ[PASSWORD]
    try:
        # `getpass` reads from the terminal, so standard input stays free for the message.
        with Path("/dev/tty").open("r+b", buffering=0):
            return getpass.getpass(f"Password of {options.user}: ")
    except (OSError, EOFError):
        raise CannotRun(
            f"--user {options.user}: no password: give --password-file FILE or set {PASSWORD}"
        ) from None


def _send(options: argparse.Namespace, settings: ConnectionSettings, file: BinaryIO) -> Delivery:
    """Send the message in a file, without holding more of it than its header."""
    header = read_header(file)
    message = BytesHeaderParser(policy=policy).parsebytes(header)
    envelope = envelope_of(message, options.sender, options.recipients)

    def content(client: ClientBase) -> Iterator[bytes]:
        return _chunks(header_of(header, client.offered, client.to_ascii), file)

    if options.io == "trio":
        from .send_trio import send_over_trio

        return send_over_trio(settings, envelope, content)
    with sync.connect_with(settings) as client:
        return client.send(envelope, content(client))


def _chunks(header: bytes, file: BinaryIO) -> Iterator[bytes]:
    yield header
    while chunk := file.read(CHUNK):
        yield chunk
