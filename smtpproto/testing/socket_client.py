"""`SocketClient` sends any octets to a server on this machine, and reads its replies."""

from __future__ import annotations

import ipaddress
import math
import socket
import ssl
import time
from contextlib import AbstractContextManager

from ..adapters.host import check_address, naming_address
from ..field_types import check_seconds
from ..vocabulary.replies import Reply
from .reply_stream import ReplyStream

__all__ = ["SocketClient"]


class SocketClient(AbstractContextManager["SocketClient"]):
    """A client that can send anything to a server on loopback, also invalid lines.

    It is what `FakeClient` is for a handler.

    Arguments:
        host, port: where the server listens.
        patience: how long to wait for a reply, in seconds.
        pause: how long to wait between segments, in seconds, so that the server reads each by
            itself.

    Attributes:
        greeting: the first reply.
        closed: whether the server has closed.

    Raises:
        OSError: no server listens there, or it sends no greeting.
        ValueError: the host is not this machine, and a test must not attack another one; there is
            no such port; or a time is negative or not finite.
    """

    def __init__(
        self, host: str, port: int, *, patience: float = 5.0, pause: float = 0.002
    ) -> None:
        check_address(host, port)
        check_seconds(zero=False, patience=patience)
        check_seconds(pause=pause)
        with naming_address(host, port):
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0]
            if not ipaddress.ip_address(found).is_loopback:
                raise ValueError(f"expected a server on loopback, found {host} ({found})")
            self._socket = socket.create_connection((host, port), patience)
        # Each segment is to leave as it is.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._replies = ReplyStream()
        self._pause = pause
        self.closed = False
        try:
            (self.greeting,) = self.send(b"", replies=1)
        except BaseException:
            self._socket.close()
            raise

    def send(self, *segments: bytes, replies: float = math.inf) -> list[Reply]:
        """Send octets unchanged; return the replies.

        Arguments:
            segments: the octets; each goes out by itself.
            replies: how many replies to wait for.  It waits no longer once the server has closed,
                or nothing has come for the time of `patience`.
        """
        found: list[Reply] = []
        try:
            for number, segment in enumerate(segments):
                if number:
                    time.sleep(self._pause)
                self._socket.sendall(segment)
            while len(found) < replies and not self.closed:
                octets = self._socket.recv(65536)
                self.closed = not octets
                found += self._replies.feed(octets)
        except TimeoutError:
            pass
        except OSError:
            self.closed = True
        return found

    def say(self, line: str | bytes) -> Reply:
        """Send a line, with CRLF; return the reply.

        Raises:
            AssertionError: there is no reply.
        """
        octets = line.encode() if isinstance(line, str) else line
        found = self.send(octets + b"\r\n", replies=1)
        assert found, f"no reply to {line!r}"
        return found[0]

    def start_tls(self) -> bool:
        """Do the TLS handshake, and trust any certificate; return whether it succeeded."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        try:
            self._socket = context.wrap_socket(self._socket)
        except OSError:
            self.closed = True
            return False
        return True

    def __exit__(self, *error: object) -> None:
        self._socket.close()
