"""A recorder between client and server: what either side says, as it goes over the wire."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

from tests.interop.peers import accepting
from tests.programs import HOST


class Wire:
    """What went over the connections to a port.

    Attributes:
        port: where to connect instead of to the server.
        hold: for how many seconds a reply waits here, so that what a client says without waiting
            for it is kept before it.
    """

    port: int
    hold: float = 0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: list[tuple[bool, bytes]] = []

    def keep(self, by_client: bool, octets: bytes) -> None:
        """Add octets; what one side says before the other answers is one flight."""
        with self._lock:
            if self._flights and self._flights[-1][0] is by_client:
                octets = self._flights.pop()[1] + octets
            self._flights.append((by_client, octets))

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._flights.clear()

    def said(self, by_client: bool = True) -> bytes:
        """All that one side has said; NUL stands where it waited for the other."""
        with self._lock:
            return b"\0".join(octets for who, octets in self._flights if who is by_client)


@contextlib.contextmanager
def wire(server_port: int) -> Iterator[Wire]:
    """Hand octets on between clients and the server at a port, until the `with` block ends."""
    kept = Wire()
    ends: list[socket.socket] = []

    def hand_on(by_client: bool, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while octets := source.recv(65536):
                if not by_client:
                    time.sleep(kept.hold)
                kept.keep(by_client, octets)
                target.sendall(octets)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def serve(client: socket.socket) -> None:
        ends.append(client)
        server = socket.create_connection((HOST, server_port))
        ends.append(server)
        for by_client, *pair in ((True, client, server), (False, server, client)):
            threading.Thread(target=hand_on, args=(by_client, *pair), daemon=True).start()

    try:
        with accepting(serve) as kept.port:
            yield kept
    finally:
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
