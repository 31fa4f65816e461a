"""What both adapters take from their host: its name, clock, randomness and listening sockets."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
from collections.abc import Iterator
from datetime import datetime, timezone

from ..conversations.server.incoming_content import NoMemory

__all__ = [
    "LOG",
    "connecting",
    "hostname",
    "nonce",
    "now",
    "report",
]


LOG = logging.getLogger("smtpproto")


def hostname() -> str:
    """The host's own name."""
    return socket.gethostname()


def now() -> datetime:
    """The time, with its zone."""
    return datetime.now(timezone.utc)


def nonce() -> str:
    """Something that was never there before: 144 bits, printable and without a comma (RFC 5802)."""
    return secrets.token_urlsafe(18)


def report(error: BaseException) -> None:
    """Log an exception that a handler raised, or `NoMemory`."""
    if isinstance(error, NoMemory):
        # The way there says nothing, and takes memory.
        LOG.error("%s", error)
    else:
        LOG.error("a handler failed", exc_info=error)


# --- listening --------------------------------------------------------------------------------


# --- connections ------------------------------------------------------------------------------


@contextlib.contextmanager
def connecting(host: str, port: int, path: str | None) -> Iterator[None]:
    """Name in an `OSError` what could not be reached; its class and its number stay.

    Arguments:
        host: where to.
        port: the same.
        path: the Unix socket instead.
    """
    try:
        yield
    except OSError as error:
        where = path if path is not None else f"{host} port {port}"
        # Trio has words of its own beside a number; those of resolvers are negative.
        number = error.errno or 0
        what = os.strerror(number) if number > 0 else error.strerror or error
        text = f"no connection to {where}: {what}"
        kind = type(error)
        raise (kind(text) if error.errno is None else kind(error.errno, text)) from error
