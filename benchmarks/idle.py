"""Memory of an idle session of each server: 2,000 clients that said EHLO and then nothing.

Resident memory of the server's process before and after, divided by the sessions; some sessions
come first, so that what is loaded once does not count.
"""

from __future__ import annotations

import argparse
import resource
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

TARGET = 9.0
FIRST = 100


def resident() -> int:
    """KiB of this process in memory."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError("no VmRSS in /proc/self/status")


class Discard:
    def message(self, session: object, envelope: object, content: bytes) -> None:
        """Take it."""


def serve_sync(most: int) -> None:
    from smtpproto.conversations import Admission
    from smtpproto.sync import serve

    admission = Admission(most)
    with serve(Discard(), hostname="mx.example.org", admission=admission, grace=0) as server:
        print(server.port, flush=True)
        while sys.stdin.readline():
            print(resident(), flush=True)


def serve_trio(most: int) -> None:
    import trio

    from smtpproto.conversations import Admission
    from smtpproto.trio import serve

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            server = await nursery.start(
                partial(serve, Discard(), hostname="mx.example.org", admission=Admission(most))
            )
            print(server.port, flush=True)
            while await trio.to_thread.run_sync(sys.stdin.readline):
                print(resident(), flush=True)
            await server.stop(0)

    trio.run(main)


def clients(port: int, number: int) -> list[socket.socket]:
    """Connections whose session has begun."""
    found = []
    for _ in range(number):
        sock = socket.create_connection(("127.0.0.1", port))
        assert sock.recv(4096).startswith(b"220")
        sock.sendall(b"EHLO client.example.org\r\n")
        reply = b""
        while b"\r\n250 " not in reply:
            reply += sock.recv(4096)
        found.append(sock)
    return found


SERVERS = {"trio": serve_trio, "sync": serve_sync}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=2000)
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if options.serve:
        SERVERS[options.serve](options.sessions + FIRST + 10)
        return 0
    found = {name: measure(name, options.sessions) for name in SERVERS}
    for name, each in found.items():
        print(f"{name}: {options.sessions} idle sessions of {each:.1f} KiB (wanted: {TARGET:.0f})")
    return 0 if max(found.values()) <= TARGET else 1


def measure(name: str, sessions: int) -> float:
    """KiB for each session of a server in a process of its own."""
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve", name, "--sessions", str(sessions)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    orders, answers = server.stdin, server.stdout
    assert orders is not None
    assert answers is not None

    def ask() -> int:
        print(file=orders, flush=True)
        return int(answers.readline())

    port = int(answers.readline())
    kept = clients(port, FIRST)
    before = ask()
    kept += clients(port, sessions)
    each = (ask() - before) / sessions
    for sock in kept:
        sock.close()
    orders.close()
    server.wait(20)
    return each


if __name__ == "__main__":
    sys.exit(main())
