"""An HAProxy in front of SMTP servers, which tells them who the client is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.interop.peers import Server, folder, free_port, program, running, shown_if_failed
from tests.programs import HOST

CONFIGURATION = """\
global
  # Each takes two open files, and a process may have 1024.
  maxconn 400
  stats socket {home}/control level admin
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend mail
  bind {host}:{port} {bind}
  default_backend servers
backend servers
{servers}
"""


class HAProxy(Server):
    """A running HAProxy; `control` is its admin socket."""

    def __init__(self, home: Path, port: int) -> None:
        super().__init__(home, port)
        self.control = home / "control"

    def ready(self) -> bool:
        """A connection to find out would reach the server behind as a session."""
        return self.control.exists()


@contextlib.contextmanager
def haproxy(
    ports: Sequence[int], options: str = "send-proxy-v2", bind: str = ""
) -> Iterator[HAProxy]:
    """An HAProxy for the length of a `with` block.

    Arguments:
        ports: those of the servers behind it, on loopback.
        options: what follows each server's address, such as "send-proxy" or "send-proxy-v2 check".
        bind: what follows its own, such as "accept-proxy" or "ssl crt FILE".
    """
    binary = program("haproxy")
    with folder() as home:
        port = free_port()
        servers = "".join(
            f"  server s{number} {HOST}:{behind} {options}\n" for number, behind in enumerate(ports)
        )
        text = CONFIGURATION.format(home=home, host=HOST, port=port, servers=servers, bind=bind)
        (home / "haproxy.cfg").write_text(text, encoding="utf-8")
        server = HAProxy(home, port)
        with (
            running([binary, "-db", "-f", str(home / "haproxy.cfg")], home / "log"),
            shown_if_failed(server),
        ):
            yield server
