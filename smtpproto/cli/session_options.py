"""The options for beginning a session with a server, and the settings that they make."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..adapters.connecting import ConnectionSettings
from ..adapters.tls_contexts import client_context
from ..conversations import TLSMode
from ..sasl import Credentials, SASLError
from ..vocabulary.session_facts import Protocol
from ..wire import LineEndings
from .common import (
    CannotRun,
    in_file,
    read_password,
    seconds,
    transcript_to_stderr,
    usual_port,
)

if TYPE_CHECKING:
    import argparse
    import ssl

__all__ = [
    "add_session",
    "add_trust",
    "ask_password",
    "connection_settings",
    "place",
    "trusting",
    "where",
]

PASSWORD = "SMTP_PASSWORD"  # noqa: S105  # the name of a variable


def add_session(parser: argparse._ActionsContainer) -> None:
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


def add_trust(parser: argparse._ActionsContainer) -> None:
    """Declare the options for trusting a certificate."""
    parser.add_argument("--ca", metavar="FILE", help="more authorities to trust, PEM")
    parser.add_argument(
        "--tls-name", metavar="NAME", help="whom the certificate has to name; default: the host"
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
    return ask_password(options.user)


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
