"""The programs that take part: servers as processes of their own, and what loads them."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["Program", "find", "node_server", "python_server", "sink", "smtp_source"]

HERE = Path(__file__).parent
HOST = "127.0.0.1"


def find(name: str) -> str | None:
    """The path of a program of Postfix's, which may lie outside PATH; None if it is missing."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Program:
    """A server in a process of its own, on a port of 127.0.0.1."""

    def __init__(self, arguments: list[str], port: int) -> None:
        self.port = port
        self.process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection((HOST, port), 5) as sock:
                if sock.recv(3) == b"220":
                    return
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.stop()
                raise RuntimeError(f"{arguments[0]} did not start")
            time.sleep(0.05)

    def cpu(self) -> float:
        """Seconds of CPU so far, of all its threads; none of these programs ends a thread."""
        total = 0
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def resident(self) -> float:
        """KiB in memory."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return float(line.split()[1])
        raise RuntimeError("no VmRSS in /proc")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)


def python_server(name: str) -> Program:
    """One of the servers of `servers.py`."""
    port = free_port()
    return Program([sys.executable, str(HERE / "servers.py"), name, str(port)], port)


def node_server() -> Program | None:
    """nodemailer's smtp-server; None if it is not installed."""
    modules = Path(os.environ.get("BENCH_NODE", HERE.parent / ".bench" / "node")) / "node_modules"
    node = shutil.which("node")
    if node is None or not (modules / "smtp-server").is_dir():
        return None
    port = free_port()
    code = (
        f"const {{SMTPServer}} = require({str(modules / 'smtp-server')!r});"
        "new SMTPServer({authOptional: true, disabledCommands: ['STARTTLS', 'AUTH'],"
        " disableReverseLookup: true, logger: false,"
        " onData(stream, session, done) { stream.on('data', () => {});"
        " stream.on('end', () => done()); }"
        f"}}).listen({port}, '{HOST}');"
    )
    return Program([node, "-e", code], port)


def sink() -> Program | None:
    """Postfix's smtp-sink; None if it is not installed."""
    program = find("smtp-sink")
    if program is None:
        return None
    port = free_port()
    # It gives its rights away where it is started with those of root.
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    return Program([program, *user, f"{HOST}:{port}", "512"], port)


def smtp_source(port: int, messages: int, size: int, sessions: int, *, kept: bool) -> None:
    """Load a server in lock step: with Postfix's smtp-source, or with `Sessions` without it."""
    program = find("smtp-source")
    if program is None:
        Sessions(port, messages, size, sessions, kept=kept).run()
        return
    keep = ["-d"] if kept else []
    options = ["-s", str(sessions), "-m", str(messages), "-l", str(size)]
    options += ["-f", "sender@client.example", "-t", "recipient@example.com"]
    subprocess.run(
        [program, *keep, *options, f"{HOST}:{port}"], check=True, stdout=subprocess.DEVNULL
    )


class Sessions:
    """What smtp-source does, for machines without it: several sessions in lock step at once."""

    def __init__(self, port: int, messages: int, size: int, sessions: int, *, kept: bool) -> None:
        line = b"x" * 76 + b"\r\n"
        self.content = b"Subject: load\r\n\r\n" + line * (size // len(line)) + b".\r\n"
        self.port, self.sessions, self.kept = port, sessions, kept
        self.left = messages
        self.selector = selectors.DefaultSelector()

    def run(self) -> None:
        with self.selector:
            for _ in range(min(self.sessions, self.left)):
                self.open()
            while self.selector.get_map():
                for key, _ in self.selector.select():
                    self.go_on(key.fileobj, key.data)  # type: ignore[arg-type]

    def open(self) -> None:
        sock = socket.create_connection((HOST, self.port))
        self.selector.register(sock, selectors.EVENT_READ, self.says())

    def go_on(self, sock: socket.socket, script: Iterator[bytes]) -> None:
        """Read a reply, and send what follows it."""
        reply = sock.recv(65536)
        while not reply.endswith(b"\n") or reply.splitlines()[-1][3:4] == b"-":
            reply += sock.recv(65536)
        if reply[:1] not in b"23":
            raise RuntimeError(f"refused: {reply!r}")
        octets = next(script, None)
        if octets is not None:
            sock.sendall(octets)
            return
        self.selector.unregister(sock)
        sock.close()
        if self.left > 0:
            self.open()

    def says(self) -> Iterator[bytes]:
        yield b"EHLO client.example\r\n"
        while self.left > 0:
            self.left -= 1
            yield b"MAIL FROM:<sender@client.example>\r\n"
            yield b"RCPT TO:<recipient@example.com>\r\n"
            yield b"DATA\r\n"
            yield self.content
            if not self.kept:
                break
        yield b"QUIT\r\n"


def server_cost(
    program: Program, messages: int, size: int, sessions: int, *, kept: bool = True
) -> Callable[[], float]:
    """A measurement: CPU microseconds that a server takes for each message."""

    def measure() -> float:
        before = program.cpu()
        smtp_source(program.port, messages, size, sessions, kept=kept)
        return (program.cpu() - before) / messages * 1e6

    return measure
