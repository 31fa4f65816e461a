"""CPU for each message of 1 KiB on 20 kept connections: our servers against aiosmtpd's.

Each server runs in a process of its own and tells the CPU time it used; the same client loads one
after the other, in several rounds.  Ratios of medians hold better than figures.  The client does
what clients do: it says MAIL, RCPT and DATA at once where the server offers PIPELINING, as ours do,
and one by one where it does not, as with aiosmtpd.  `--client lock-step` never does, `--client
pipelined` always (aiosmtpd does not say so, but takes it).
"""

from __future__ import annotations

import argparse
import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

SESSIONS = 20
MESSAGE = (b"Subject: a message\r\n\r\n" + b"x" * 62 + b"\r\n" + (b"y" * 78 + b"\r\n") * 12)[:1022]
CONTENT = MESSAGE + b"\r\n.\r\n"
CLIENTS = {"as-offered": None, "lock-step": False, "pipelined": True}
TARGETS = {"trio": 0.65, "sync": 0.50}


# --- the servers, each in its process ---------------------------------------------------------


class Discard:
    """What our servers deliver to."""

    def message(self, session: object, envelope: object, content: bytes) -> None:
        assert len(content) == len(MESSAGE) + 2


def serve_aiosmtpd() -> None:
    import asyncio

    from aiosmtpd.smtp import SMTP

    class Handler:
        async def handle_DATA(self, server: object, session: object, envelope: object) -> str:  # noqa: N802
            return "250 OK"

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(Handler(), hostname="mx.example.org"), "127.0.0.1", 0
        )
        announce(server.sockets[0].getsockname()[1])
        await asyncio.to_thread(obey)
        server.close()

    asyncio.run(main())


def serve_trio() -> None:
    from functools import partial

    import trio

    from smtpproto.trio import serve

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            server = await nursery.start(partial(serve, Discard(), hostname="mx.example.org"))
            announce(server.port)
            await trio.to_thread.run_sync(obey)
            await server.stop(0)

    trio.run(main)


def serve_sync() -> None:
    from smtpproto.sync import serve

    with serve(Discard(), hostname="mx.example.org", grace=0) as server:
        announce(server.port)
        obey()


SERVERS = {"aiosmtpd": serve_aiosmtpd, "trio": serve_trio, "sync": serve_sync}


def announce(port: int) -> None:
    print(port, flush=True)


def obey() -> None:
    """Tell the CPU time whenever a line comes, until there are no more."""
    for _ in sys.stdin:
        print(time.process_time(), flush=True)


class Server:
    """A server's process, as seen from the benchmark."""

    def __init__(self, name: str, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve", name, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self.line())

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def cpu(self) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.line())

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(20)


# --- the client -------------------------------------------------------------------------------


class Session:
    """One connection of the client: so many messages, pipelined or not; None: as is offered."""

    def __init__(self, sock: socket.socket, messages: int, *, pipelined: bool | None) -> None:
        self.sock = sock
        self.messages = messages
        self.pipelined = pipelined
        self.offered = False
        self.script = self.says()
        self.rest = b""
        self.awaited = next(self.script)[1]

    def says(self) -> Iterator[tuple[bytes, int]]:
        """What it says, each time with how many replies it then waits for."""
        yield b"", 1
        yield b"EHLO client.example.org\r\n", 1
        at_once = self.offered if self.pipelined is None else self.pipelined
        for number in range(self.messages):
            envelope = (
                b"MAIL FROM:<sender%d@example.org>\r\n" % number,
                b"RCPT TO:<recipient@example.net>\r\n",
                b"DATA\r\n",
            )
            if at_once:
                yield b"".join(envelope), len(envelope)
            else:
                for command in envelope:
                    yield command, 1
            yield CONTENT, 1

    def go_on(self) -> bool:
        """Read what there is, and say the next thing if it is time; whether there is more."""
        lines = (self.rest + self.sock.recv(65536)).split(b"\r\n")
        self.rest = lines.pop()
        for line in lines:
            assert line[:1] in b"23", line
            self.offered |= line[4:] == b"PIPELINING"
            self.awaited -= line[3:4] != b"-"
        if self.awaited:
            return True
        octets, self.awaited = next(self.script, (b"", 0))
        self.sock.sendall(octets)
        return bool(octets)


def load(port: int, messages: int, *, pipelined: bool | None = None) -> None:
    """All sessions at once."""
    with selectors.DefaultSelector() as selector:
        for _ in range(SESSIONS):
            sock = socket.create_connection(("127.0.0.1", port))
            session = Session(sock, messages, pipelined=pipelined)
            selector.register(sock, selectors.EVENT_READ, session)
        while selector.get_map():
            for key, _ in selector.select():
                if not key.data.go_on():
                    selector.unregister(key.data.sock)
                    key.data.sock.close()


def measure(server: Server, messages: int, *, pipelined: bool | None = None) -> float:
    """CPU microseconds for each message."""
    before = server.cpu()
    load(server.port, messages, pipelined=pipelined)
    return (server.cpu() - before) / (messages * SESSIONS) * 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    parser.add_argument("--client", choices=CLIENTS, default="as-offered")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--messages", type=int, default=100, help="in each session and round")
    options = parser.parse_args()
    if options.serve:
        SERVERS[options.serve]()
        return 0
    servers = {name: Server(name) for name in SERVERS}
    found: dict[str, list[float]] = {name: [] for name in servers}
    for server in servers.values():
        measure(server, 5)
    for _ in range(options.rounds):
        for name, server in servers.items():
            found[name].append(measure(server, options.messages, pipelined=CLIENTS[options.client]))
    for server in servers.values():
        server.stop()
    return report(found)


def report(found: dict[str, list[float]]) -> int:
    medians = {name: statistics.median(values) for name, values in found.items()}
    missed = 0
    for name, median in medians.items():
        ratio, target = median / medians["aiosmtpd"], TARGETS.get(name)
        wanted = "" if target is None else f"  (wanted: at most {target:.2f})"
        spread = f"{min(found[name]):.0f} to {max(found[name]):.0f}"
        print(f"{name:9} {median:6.0f} us CPU a message ({spread})  ratio {ratio:.2f}{wanted}")
        missed += target is not None and ratio > target
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
