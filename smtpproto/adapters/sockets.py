"""Listening sockets, accepted sockets, and their addresses."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterable
from pathlib import Path

from .host import log, naming_address

__all__ = [
    "BACKLOG",
    "MOST_ACCEPTED_AT_ONCE",
    "PAUSE",
    "NotListening",
    "Overloaded",
    "accept",
    "address_of",
    "adopt",
    "close_listeners",
    "listen",
    "listeners_from_environment",
]

PAUSE = 0.1
"""Seconds to wait after `Overloaded` before the next accept; otherwise the loop never sleeps."""

MOST_ACCEPTED_AT_ONCE = 16
"""How many connections to accept at once before sessions have their turn."""

BACKLOG = 1024


_OVERLOAD = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


_NOT_LISTENING = frozenset({errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EOPNOTSUPP})


# Sockets from the service manager begin at this file number: sd_listen_fds(3).
_FIRST_PASSED = 3


def adopt(listeners: Iterable[socket.socket]) -> list[socket.socket]:
    """Make listening sockets non-blocking.

    Raises:
        ValueError: one of them does not listen.
    """
    adopted = list(listeners)
    for listener in adopted:
        if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise ValueError(f"expected a listening socket, found {listener!r}")
        listener.setblocking(False)
    return adopted


def listen(
    host: str | None = "127.0.0.1",
    port: int = 0,
    *,
    path: str | None = None,
    reuse_port: bool = False,
) -> list[socket.socket]:
    """Open listening sockets.

    Arguments:
        host: a name or an IP address, to listen on all its addresses; None for all of the host.
        port: the port for every address; 0 for any free one.
        path: a Unix socket instead of host and port; one without a listener is replaced.
        reuse_port: whether other processes may listen there too and share the load (SO_REUSEPORT).

    Raises:
        OSError: it cannot listen there.
    """
    with naming_address(host, port, path, failure="cannot listen on"):
        if path is not None:
            return [_listen_unix(path)]
        return _listen_all(host, port, reuse_port=reuse_port)


def _listen_all(host: str | None, port: int, *, reuse_port: bool) -> list[socket.socket]:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    listeners: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((entry[0], entry[4]) for entry in found):
            if port == 0 and listeners:
                chosen = listeners[0].getsockname()[1]
                address = (address[0], chosen, *address[2:])  # noqa: PLW2901
            listeners.append(_listen_tcp(family, address, reuse_port=reuse_port))
    except BaseException:
        close_listeners(listeners)
        raise
    return listeners


def _listen_tcp(family: int, address: tuple[object, ...], *, reuse_port: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            # The IPv4 addresses have a socket of their own.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _listen_unix(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    try:
        try:
            sock.bind(path)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not _is_orphan(path):
                raise
            Path(path).unlink()
            sock.bind(path)
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _is_orphan(path: str) -> bool:
    """Return whether a path is a Unix socket without a listener."""
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        return probe.connect_ex(path) == errno.ECONNREFUSED


def listeners_from_environment() -> list[socket.socket]:
    """Return the listening sockets from the service manager (socket activation).

    This reads and removes LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES as sd_listen_fds(3) describes.
    It returns an empty list if they are for another process.

    Raises:
        OSError: one of the file numbers is not a socket.
    """
    passed = {
        name: os.environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
    }
    if passed["LISTEN_PID"] != str(os.getpid()) or not passed["LISTEN_FDS"].isdigit():
        return []
    numbers = range(_FIRST_PASSED, _FIRST_PASSED + int(passed["LISTEN_FDS"]))
    for number in numbers:
        os.set_inheritable(number, False)
    return [socket.socket(fileno=number) for number in numbers]


def close_listeners(listeners: Iterable[socket.socket], path: str | None = None) -> None:
    """Close listening sockets.

    Arguments:
        listeners: the sockets from `listen`.
        path: the Unix socket that `listen` made; it is removed.
    """
    for listener in listeners:
        listener.close()
    if path is not None:
        try:
            Path(path).unlink(missing_ok=True)
        except OSError as error:
            log().warning("the path of the socket was not removed: %s", error)


class Overloaded(Exception):
    """There is no room for another connection at the moment (see `PAUSE`)."""


class NotListening(Exception):
    """A socket no longer listens: another part of the program shut it down."""


def log_not_listening(error: Exception) -> None:
    """Log that a server continues without a socket; a loop would report it without end."""
    log().error("a socket no longer listens: other code closed it (%s)", error)


def accept(listener: socket.socket) -> tuple[socket.socket, str, int] | None:
    """Accept a connection; return its socket, and the peer's IP address and port.

    On a Unix socket these are "" and 0.

    Arguments:
        listener: a non-blocking socket.

    Returns:
        None if no client is waiting, or the client has left.

    Raises:
        Overloaded: no file number or no memory is left.
        NotListening: the socket will never accept again.
    """
    try:
        sock, address = listener.accept()
    except MemoryError as error:
        raise Overloaded from error
    except OSError as error:
        if error.errno in _OVERLOAD:
            log().warning("the server accepts no connection for now: %s", error)
            raise Overloaded from error
        if error.errno in _NOT_LISTENING:
            raise NotListening(f"{listener!r}: {error}") from error
        # Any other error belongs to one connection, which is already gone (accept(2)).
        return None
    peer, port = (str(address[0]), int(address[1])) if isinstance(address, tuple) else ("", 0)
    # An IPv4 address on a socket for both versions (RFC 4291 section 2.5.5.2).
    return sock, peer.removeprefix("::ffff:") if "." in peer else peer, port


def address_of(listener: socket.socket) -> tuple[str, int]:
    """Return host and port of a listening socket; for a Unix socket its path and 0."""
    name = listener.getsockname()
    if isinstance(name, tuple):
        return str(name[0]), int(name[1])
    return os.fsdecode(name), 0
