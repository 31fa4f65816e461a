"""Listening sockets, for verbs that serve clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..adapters import sockets
from .common import CannotRun, reason

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable


def listen(
    host: str, port: int, *, path: str | None = None, reuse_port: bool = False
) -> list[socket.socket]:
    """Open listening sockets, see `sockets.listen`.

    Raises:
        CannotRun: it cannot listen there.
    """
    try:
        return sockets.adopt(sockets.listen(host, port, path=path, reuse_port=reuse_port))
    except OSError as error:
        raise CannotRun(reason(error)) from None


def announcement(listeners: Iterable[socket.socket]) -> str:
    """Return lines that say where the verb listens."""
    return "\n".join(f"listening on {_place(*sockets.address_of(each))}" for each in listeners)


def _place(address: str, port: int) -> str:
    # A Unix socket has no port.
    host = f"[{address}]" if ":" in address and port else address
    return f"{host}:{port}" if port else host
