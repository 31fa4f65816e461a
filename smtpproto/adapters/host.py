"""What all adapters get from the host: its name, random values and error reports."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..conversations.server.handler_failures import NoMemory
from ..errors import LocalProtocolError
from ..vocabulary.addresses import Domain

if TYPE_CHECKING:
    from logging import Logger

__all__ = [
    "check_address",
    "hostname",
    "log",
    "naming_address",
    "nonce",
    "own_domain",
    "report",
]


def hostname() -> str:
    """Return the host's own name."""
    return socket.gethostname()


def own_domain() -> str:
    """Return the host's name if a greeting and a Received field can have it, or "localhost"."""
    name = hostname()
    try:
        Domain.parse(name)
    except LocalProtocolError:
        return "localhost"
    return name


def nonce() -> str:
    """Return a new nonce: 144 random bits, printable and without a comma (RFC 5802)."""
    import secrets  # noqa: PLC0415  it loads hashlib; few clients log in

    return secrets.token_urlsafe(18)


def log() -> Logger:
    """Return the logger of this package."""
    import logging  # noqa: PLC0415  a client logs nothing

    return logging.getLogger("smtpproto")


def report(error: BaseException) -> None:
    """Log an exception that a handler raised, or `NoMemory`."""
    if isinstance(error, NoMemory):
        # A traceback does not help here, and takes memory.
        log().error("%s", error)
    else:
        log().error("a handler failed", exc_info=error)


def check_address(host: str, port: int) -> None:
    """Refuse a host that a resolver could only fail to find, and a port that it would change.

    Raises:
        ValueError: the host is more than a name or an IP address, or there is no such port.
    """
    if host.count(":") == 1 or "[" in host or "/" in host:
        raise ValueError(
            f"host: expected a name or an IP address, found {host!r}: the port is an argument of "
            "its own, and IPv6 addresses have no brackets"
        )
    # A resolver keeps only the lower 16 bits.
    if not 0 <= port <= 65535:
        raise ValueError(f"port: expected a number from 0 to 65535, found {port}")


@contextlib.contextmanager
def naming_address(
    host: str | None, port: int, path: str | None = None, *, failure: str = "no connection to"
) -> Iterator[None]:
    """Add the address to the text of an `OSError`; its class and number are kept.

    Arguments:
        host: the host to connect to or to listen on.
        port: its port.
        path: the Unix socket to use instead.
        failure: what the error means; the text begins with it.
    """
    try:
        yield
    except OSError as error:
        where = path if path is not None else f"{host or 'any address,'} port {port}"
        # Trio adds its own text to a number; the numbers of resolvers are negative.
        number = error.errno or 0
        what = os.strerror(number) if number > 0 else error.strerror or error
        text = f"{failure} {where}: {what}"
        kind = type(error)
        raise (kind(text) if error.errno is None else kind(error.errno, text)) from error
