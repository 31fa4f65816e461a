"""Tells nginx's mail module which server to use: in turn, each one that answers.

Run it as `python3 directory.py PORT SERVER_PORT...`.
"""

from __future__ import annotations

import http.server
import itertools
import socket
import sys

HOST = "127.0.0.1"


def answers(port: int) -> bool:
    """Whether a server listens on a port."""
    try:
        socket.create_connection((HOST, port), 1).close()
    except OSError:
        return False
    return True


class Directory(http.server.BaseHTTPRequestHandler):
    """Answers nginx's questions (ngx_mail_auth_http_module)."""

    turns = itertools.count()
    ports: tuple[int, ...] = ()

    def do_GET(self) -> None:
        first = next(self.turns) % len(self.ports)
        order = self.ports[first:] + self.ports[:first]
        port = next(filter(answers, order), None)
        self.send_response(200)
        if port is None:
            self.send_header("Auth-Status", "no server is there")
            self.send_header("Auth-Error-Code", "451 4.3.2")
        else:
            self.send_header("Auth-Status", "OK")
            self.send_header("Auth-Server", HOST)
            self.send_header("Auth-Port", str(port))
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def main() -> None:
    port, *ports = map(int, sys.argv[1:])
    Directory.ports = tuple(ports)
    with http.server.ThreadingHTTPServer((HOST, port), Directory) as service:
        service.serve_forever()


if __name__ == "__main__":
    main()
