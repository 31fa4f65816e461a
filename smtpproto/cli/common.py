"""Shared by several verbs: server addresses, outcomes for people, reasons to end early."""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib.util
import ipaddress
import os
import re
import ssl
import sys
from typing import TYPE_CHECKING, BinaryIO

from ..conversations import SMTPError
from ..errors import RemoteProtocolError
from ..field_types import check_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..conversations import Outcome
    from ..engine.connection import Observer

# Texts of the library's errors, and the same in terms of the command line.
OPTIONS = {
    "TLSMode.STARTTLS": "--tls starttls",
    "TLSMode.OPPORTUNISTIC": "--tls opportunistic",
    "load_verify_locations": "--ca FILE",
    "server_hostname": "--tls-name NAME",
    "field: give the sender": "field: give --from ADDR",
    "give sender and recipients": "give --from and --to",
    ": give the recipients": ": give --to ADDR",
    "an envelope needs a recipient": "expected an address after --to",
}
# The adapters that `send` and `serve` can use.
IO = ("sync", "asyncio", "trio")
# Packages whose name differs from that of their module.
PACKAGES = {"dns": "dnspython"}
# The place in the source of OpenSSL or Python where the fault was found.
_OF_OPENSSL = re.compile(r"\[(?:SSL|X509|PEM)[^\]]*\] |\s*\(_ssl\.c:[0-9]+\)")


class CannotRun(Exception):
    """The request is impossible: its text goes to standard error, the exit status is 2."""


def host_and_port(text: str) -> tuple[str, int]:
    """Parse HOST:PORT of a server, with an IPv6 address in brackets; the type of an option."""
    host, port = _address(text)
    if not host or not port:
        raise argparse.ArgumentTypeError(
            f"expected HOST:PORT with a host and a port of 1 to 65535, found {text!r}"
        )
    return host, port


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise argparse.ArgumentTypeError(
            f"expected HOST:PORT, an IPv6 address in brackets, found {text!r}"
        )
    if not colon:
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, found {text!r}")
    return _host(host), _port(port)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port of 0 to 65535, found {text!r}")
    return int(text)


def _host(name: str) -> str:
    try:
        # The system does the same before it looks a name up.
        name.encode("idna")
    except UnicodeError:
        raise argparse.ArgumentTypeError(f"expected the name of a host, found {name!r}") from None
    return name


def listen_address(text: str) -> tuple[str, int]:
    """Parse HOST:PORT, or PORT on the loopback address; the type of an option."""
    return _address(text) if ":" in text else ("127.0.0.1", _port(text))


def server_address(text: str) -> tuple[str, int | None]:
    """Parse HOST or HOST:PORT; the type of an option.  None: the usual port, see `usual_port`."""
    if text.startswith("[") and text.endswith("]"):
        return text[1:-1], None
    return (_host(text), None) if text and ":" not in text else host_and_port(text)


def seconds(text: str, *, zero: bool = True) -> float:
    """Parse a time in seconds, see `check_seconds`; the type of an option."""
    try:
        value = float(text)
        check_seconds(zero=zero, seconds=value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected seconds, found {text!r}") from None
    return value


time_limit = functools.partial(seconds, zero=False)


def number_of(text: str) -> int:
    """Parse a number of at least 1; the type of an option."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of at least 1, found {text!r}")
    return int(text)


def port_number(text: str) -> int:
    """Parse the number of a port; the type of an option."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"expected the number of a port, found {text!r}")
    return int(text)


def is_here(host: str) -> bool:
    """Whether a host is this one: "localhost", or an address of the loopback interface."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def usual_port(*, implicit: bool = False, user: bool = False) -> int:
    """Return the usual port of a server (RFC 5321, 8314 section 7.3, 6409 section 3.1).

    Arguments:
        implicit: whether TLS begins before anything else.
        user: whether the client logs in.
    """
    return 465 if implicit else 587 if user else 25


def reason(error: BaseException, server: str = "", *, implicit: str = "--tls implicit") -> str:
    """Return what went wrong, with options in place of Python's names.

    Arguments:
        error: an error of the library or of the system.
        server: host and port, for errors of a session; those of a connection name them already.
        implicit: the verb's option for TLS from the start.
    """
    text = str(error)
    if isinstance(error, UnicodeDecodeError):
        text = f"expected UTF-8, found the octet {error.object[error.start]:#04x}"
    elif isinstance(error, (SMTPError, RemoteProtocolError)):
        text = f"{server}: {text}" if server else text
    elif isinstance(error, OSError) and error.strerror:
        text = error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    for name, option in {"TLSMode.IMPLICIT": implicit, **OPTIONS}.items():
        text = text.replace(name, option)
    return _OF_OPENSSL.sub("", text)


@contextlib.contextmanager
def file_of(option: str, path: str, expected: str = "") -> Iterator[None]:
    """Name the option in the error of a block that uses its file.

    Arguments:
        option: the option.
        path: the path as given.
        expected: the content that TLS expects.

    Raises:
        CannotRun: the block raised an `OSError`, or the file is not UTF-8.
    """
    try:
        yield
    except (OSError, UnicodeDecodeError) as error:
        text = reason(error).removeprefix(f"{path}: ")
        if isinstance(error, ssl.SSLError):
            text = f"expected {expected} ({text})"
        raise CannotRun(f"{option} {path}: {text}") from None


def standard_input() -> BinaryIO:
    """Return the standard input, for octets.

    Other programs that have the same pipe may have set it not to block.  Then a read would end
    before the end of the input.
    """
    if os.name == "posix":
        # What a program puts in its place may be no file.
        with contextlib.suppress(OSError):
            os.set_blocking(sys.stdin.fileno(), True)
    return sys.stdin.buffer


def need(package: str, what: str) -> None:
    """Check that an optional package is installed.

    Arguments:
        package: the name of its module.
        what: the option that needs it.

    Raises:
        CannotRun: it is not installed.
    """
    if importlib.util.find_spec(package) is None:
        raise CannotRun(
            f"{what} needs the package {PACKAGES.get(package, package)!r}, which is not "
            f"installed: python3 -m pip install {PACKAGES.get(package, package)}"
        )


def both(first: Observer | None, second: Observer) -> Observer:
    """Return an observer that tells two, the second one before the first."""
    if first is None:
        return second

    def observe(sender: str, octets: bytes, content: bool) -> None:  # noqa: FBT001  an Observer
        second(sender, octets, content)
        first(sender, octets, content)

    return observe


def outcome_line(outcome: Outcome) -> str:
    """Return one line about one recipient."""
    said = outcome.reason if outcome.reply is None else outcome.reply
    return f"{outcome.status.name.lower():8}  {outcome.forward_path}  {said}"
