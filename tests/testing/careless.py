"""A server with the faults that the published attacks look for."""

from __future__ import annotations

import re
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from smtpproto.testing.certificates import certificates

EHLO = b"250-careless.example\r\n250-CHUNKING\r\n250-STARTTLS\r\n250 PIPELINING\r\n"


class Careless(socketserver.BaseRequestHandler):
    """Takes LF for the end of a line, and obeys inside TLS what it read before."""

    request: socket.socket

    def handle(self) -> None:
        """Answer one client."""
        self.unread = b""
        self.say(b"220 careless.example\r\n")
        while (line := self.line()) is not None:
            verb = line[:4].upper()
            if verb == b"EHLO":
                self.say(EHLO)
            elif verb == b"STAR":
                self.say(b"220 ready\r\n")
                context = certificates().server_context()
                self.request = ssl.SSLContext.wrap_socket(context, self.request, server_side=True)
            elif verb == b"DATA":
                self.say(b"354 go\r\n")
                while self.line() not in (b".", None):
                    pass
                self.say(b"250 OK\r\n")
            elif verb == b"BDAT":
                # It searches for the end of what was counted.
                while self.line() not in (b".", None):
                    pass
                self.say(b"250 OK\r\n")
            elif verb == b"QUIT":
                self.say(b"221 bye\r\n")
                return
            else:
                self.say(b"250 OK\r\n")

    def finish(self) -> None:
        """Close, also what the server below does not know."""
        self.request.close()

    def say(self, octets: bytes) -> None:
        """Send octets."""
        self.request.sendall(octets)

    def line(self) -> bytes | None:
        """Return the next line."""
        while (end := re.search(rb"\r\n|\n", self.unread)) is None:
            octets = self.request.recv(4096)
            if not octets:
                return None
            self.unread += octets
        line, self.unread = self.unread[: end.start()], self.unread[end.end() :]
        return line


class Hasty(Careless):
    """Answers each segment as if it were a line."""

    def line(self) -> bytes | None:
        """Return the next segment."""
        return self.request.recv(4096) or None


@contextmanager
def careless(kind: type[Careless] = Careless) -> Iterator[tuple[str, int]]:
    """Serve on a free port; give the host and the port."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield "127.0.0.1", server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
