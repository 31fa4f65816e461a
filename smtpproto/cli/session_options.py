"""The options for beginning a session with a server, and the settings that they make."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..adapters.connecting import ConnectionSettings
from ..adapters.tls_contexts import client_context
from ..conversations import TLSMode, Transcript
from ..sasl import Credentials, SASLError
from ..timeouts import CONNECT_TIMEOUT
from ..vocabulary.session_facts import Protocol
from ..wire import LineEndings
from .common import CannotRun, file_of, time_limit, usual_port
from .terminal import complain

if TYPE_CHECKING:
    import argparse
    import ssl

PASSWORD = "SMTP_PASSWORD"  # noqa: S105  # the name of a variable


def add_session(parser: argparse._ActionsContainer) -> None:
    """Declare the options for beginning a session."""
    parser.add_argument("--name", help="the client's name in EHLO")
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
        type=time_limit,
        metavar="SECONDS",
        help="the limit of each wait; default: those of RFC 5321",
    )


def add_trust(parser: argparse._ActionsContainer) -> None:
    """Declare the options for trusting a certificate."""
    parser.add_argument("--ca", metavar="FILE", help="more authorities to trust, PEM")
    parser.add_argument(
        "--tls-name",
        metavar="NAME",
        help="the name that the certificate must have; default: the host",
    )


def where(options: argparse.Namespace) -> tuple[str, int]:
    """Return host and port of the server."""
    host, port = options.server
    port = port or getattr(options, "port", None)
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
        connect_timeout=options.timeout or CONNECT_TIMEOUT,
        protocol=Protocol.LMTP if options.lmtp else Protocol.SMTP,
        line_endings=LineEndings.NORMALIZE,
        tls=TLSMode[options.tls.upper()] if options.tls else None,
        tls_context=trusting(options.ca) if options.ca else None,
        server_hostname=options.tls_name,
        credentials=_credentials(options),
        observer=Transcript(complain) if getattr(options, "transcript", False) else None,
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
    with file_of("--ca", path, "certificates in PEM"):
        context.load_verify_locations(path)
    return context


def _password(options: argparse.Namespace) -> str:
    """Return the password, which never comes from the command line."""
    path = options.password_file
    if not path:
        return os.environ.get(PASSWORD) or ask_password(options.user)
    with file_of("--password-file", path), Path(path).open(encoding="utf-8") as file:
        password = file.readline().rstrip("\r\n")
    if not password:
        raise CannotRun(
            f"--password-file {path}: expected a password in the first line, found none"
        )
    return password


def ask_password(user: str) -> str:
    """Ask for a password on the terminal, so that standard input stays free.

    Raises:
        CannotRun: there is no terminal.
    """
    try:
        with Path("/dev/tty").open("r+b", buffering=0):
            return getpass.getpass(f"Password of {user}: ")
    except (OSError, EOFError):
        raise CannotRun(
            f"--user {user}: no password: give --password-file FILE or set {PASSWORD}"
        ) from None
