"""Rows over loopback sockets: CPU that servers and clients take, and memory of idle sessions."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import smtplib
import socket
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import aiosmtplib
import trio

import smtpproto.asyncio
import smtpproto.sync
import smtpproto.trio
from smtpproto.conversations import Envelope

from .programs import HOST, Program, node_server, python_server, server_cost, sink
from .rows import Row, cpu, in_new_process

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SocketRows"]

KIB, MIB = 1024, 2**20
SENDER, RECIPIENT = "sender@client.example", "recipient@example.com"
LINE = b"x" * 76 + b"\r\n"
MESSAGE = b"Subject: a message\r\n\r\n" + LINE * 13
LARGE = b"Subject: a message\r\n\r\n" + LINE * (32 * MIB // len(LINE))
IDLE = 2000
ADAPTERS = ("blocking", "trio", "asyncio")


class SocketRows:
    """The rows, and the programs that they need; a context manager that stops these.

    Arguments:
        scale: multiplies the work of each row.

    Attributes:
        missing: the peers that are not installed.
    """

    def __init__(self, scale: int) -> None:
        self.scale = scale
        self.missing: list[str] = []
        self.stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.folder = Path(self.stack.enter_context(TemporaryDirectory()))
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def start(self, program: Program) -> Program:
        self.stack.callback(program.stop)
        return program

    def rows(self) -> list[Row]:
        """All rows of this file."""
        return [*self.server_rows(), *self.client_rows(), *self.idle_rows()]

    # --- servers ------------------------------------------------------------------------------

    def server_rows(self) -> list[Row]:
        names = [*ADAPTERS, *(f"{name}-stream" for name in ADAPTERS), "aiosmtpd"]
        servers = {name: self.start(python_server(name)) for name in names}
        few, many = 200 * self.scale, 600 * self.scale
        cases = [
            # what, messages, octets, sessions, kept, wanted of each adapter
            ("1 KiB, 20 kept sessions", many, KIB, 20, True, (0.45, 0.45, 0.45)),
            ("1 KiB, a connection each, 20 sessions", few, KIB, 20, False, (0.55, 0.60, 0.60)),
            ("1 KiB, a connection each, 200 sessions", few, KIB, 200, False, (0.55, 0.60, 0.60)),
            ("16 KiB, 20 kept sessions", few, 16 * KIB, 20, True, (0.22, 0.22, 0.22)),
            ("1 MiB, 4 kept sessions", 24 * self.scale, MIB, 4, True, (0.10, 0.10, 0.10)),
            ("32 MiB, 1 kept session", self.scale, 32 * MIB, 1, True, (0.10, 0.10, 0.10)),
        ]
        rows = []
        for what, messages, size, sessions, kept, wanted in cases:
            for name, bound in zip(ADAPTERS, wanted, strict=True):
                ours, peer = (
                    server_cost(servers[each], messages, size, sessions, kept=kept)
                    for each in (name, "aiosmtpd")
                )
                rows.append(
                    Row("Servers", f"{name}: {what}, lock step", "aiosmtpd", ours, peer, bound)
                )
        for peer_name, program, bound in (
            ("smtp-server (nodemailer)", node_server(), 1.0),
            ("smtp-sink (Postfix)", sink(), 0.8),
        ):
            if program is None:
                self.missing.append(peer_name)
                continue
            self.start(program)
            rows += [
                Row(
                    "Servers",
                    f"{name}: 32 MiB as a stream",
                    peer_name,
                    server_cost(servers[f"{name}-stream"], self.scale, 32 * MIB, 1),
                    server_cost(program, self.scale, 32 * MIB, 1),
                    bound,
                )
                for name in ADAPTERS
            ]
        return rows

    # --- clients ------------------------------------------------------------------------------

    def client_rows(self) -> list[Row]:
        target = sink()
        name = "smtp-sink"
        if target is None:
            target, name = python_server("blocking"), "our server"
        port = self.start(target).port
        count, group = 300 * self.scale, f"Clients, to {name}"
        ours, theirs = Blocking(port), Smtplib(port)
        rows = [
            Row(
                group,
                "blocking: 1 KiB on one connection",
                "smtplib",
                ours.messages(count),
                theirs.messages(count),
                0.65,
            ),
            *(
                Row(
                    group,
                    f"{name}: 1 KiB on one connection",
                    "aiosmtplib",
                    measure,
                    aiosmtplib_messages(port, count),
                    0.45,
                )
                for name, measure in (
                    ("trio", trio_messages(port, count)),
                    ("asyncio", asyncio_messages(port, count)),
                )
            ),
        ]
        for recipients, bound in ((100, 0.15), (1000, 0.08)):
            times = max(1, 2000 * self.scale // recipients)
            rows.append(
                Row(
                    group,
                    f"blocking: each of {recipients:,} recipients",
                    "smtplib",
                    ours.recipients(recipients, times),
                    theirs.recipients(recipients, times),
                    bound,
                )
            )
        file = self.folder / "message"
        file.write_bytes(LARGE)
        rows += [
            Row(
                group,
                "blocking: a program that imports, connects and sends one message",
                "smtplib",
                in_new_process(script("from smtpproto.sync import connect", "connect", port)),
                in_new_process(script("import smtplib", "smtplib.SMTP", port)),
                2.0,
                unit="ms",
            ),
            Row(group, "blocking: 32 MiB", "smtplib", ours.large(), theirs.large(), 0.5),
            Row(
                group,
                "blocking: 32 MiB from a file",
                "a loop that only doubles dots",
                ours.file(file),
                raw_loop(port, file),
                1.3,
            ),
        ]
        return rows

    # --- memory -------------------------------------------------------------------------------

    def idle_rows(self) -> list[Row]:
        return [
            Row(
                "Memory",
                f"{name}: an idle session, of {IDLE:,}",
                "",
                idle(name),
                None,
                bound,
                unit="KiB",
            )
            for name, bound in (("blocking", 3.9), ("trio", 8.4), ("asyncio", 8.4))
        ]


class Blocking:
    """Our blocking client."""

    def __init__(self, port: int) -> None:
        self.port = port

    def run(self, envelope: Envelope, content: bytes, times: int) -> None:
        with smtpproto.sync.connect(HOST, self.port) as client:
            for _ in range(times):
                if not client.send(envelope, content).complete:
                    raise RuntimeError("not accepted")

    def messages(self, count: int) -> Callable[[], float]:
        envelope = Envelope.of(SENDER, [RECIPIENT])
        return cpu(lambda: self.run(envelope, MESSAGE, count), count)

    def recipients(self, recipients: int, times: int) -> Callable[[], float]:
        names = [f"user{number}@example.com" for number in range(recipients)]
        total = recipients * times
        return cpu(lambda: self.run(Envelope.of(SENDER, names), MESSAGE, times), total)

    def large(self) -> Callable[[], float]:
        return cpu(lambda: self.run(Envelope.of(SENDER, [RECIPIENT]), LARGE, 1))

    def file(self, path: Path) -> Callable[[], float]:
        def run() -> None:
            with smtpproto.sync.connect(HOST, self.port) as client:
                client.send(Envelope.of(SENDER, [RECIPIENT]), path)

        return cpu(run)


class Smtplib:
    """The standard library's client."""

    def __init__(self, port: int) -> None:
        self.port = port

    def run(self, recipients: list[str], content: bytes, times: int) -> None:
        with smtplib.SMTP(HOST, self.port) as client:
            for _ in range(times):
                if client.sendmail(SENDER, recipients, content):
                    raise RuntimeError("not accepted")

    def messages(self, count: int) -> Callable[[], float]:
        return cpu(lambda: self.run([RECIPIENT], MESSAGE, count), count)

    def recipients(self, recipients: int, times: int) -> Callable[[], float]:
        names = [f"user{number}@example.com" for number in range(recipients)]
        return cpu(lambda: self.run(names, MESSAGE, times), recipients * times)

    def large(self) -> Callable[[], float]:
        return cpu(lambda: self.run([RECIPIENT], LARGE, 1))


def script(statement: str, connect: str, port: int) -> str:
    """A program that sends one message, with either library."""
    return f"""
from email.message import EmailMessage
{statement}
message = EmailMessage()
message["From"], message["To"], message["Subject"] = "{SENDER}", "{RECIPIENT}", "a message"
message.set_content("Hello.\\n")
with {connect}("{HOST}", {port}) as client:
    client.send_message(message)
"""


async def send_all(adapter: Any, port: int, count: int) -> None:
    async with adapter.connect(HOST, port) as client:
        for _ in range(count):
            if not (await client.send(Envelope.of(SENDER, [RECIPIENT]), MESSAGE)).complete:
                raise RuntimeError("not accepted")


def trio_messages(port: int, count: int) -> Callable[[], float]:
    return cpu(lambda: trio.run(send_all, smtpproto.trio, port, count), count)


def asyncio_messages(port: int, count: int) -> Callable[[], float]:
    return cpu(lambda: asyncio.run(send_all(smtpproto.asyncio, port, count)), count)


def aiosmtplib_messages(port: int, count: int) -> Callable[[], float]:
    async def main() -> None:
        async with aiosmtplib.SMTP(hostname=HOST, port=port, start_tls=False) as client:
            for _ in range(count):
                await client.sendmail(SENDER, [RECIPIENT], MESSAGE)

    return cpu(lambda: asyncio.run(main()), count)


def raw_loop(port: int, path: Path) -> Callable[[], float]:
    """The least that a client can do: read a file, double dots, write."""

    def run() -> None:
        with socket.create_connection((HOST, port)) as sock, path.open("rb") as file:
            sock.recv(4096)
            for command in (
                b"HELO client.example\r\n",
                b"MAIL FROM:<sender@client.example>\r\n",
                b"RCPT TO:<recipient@example.com>\r\n",
                b"DATA\r\n",
            ):
                sock.sendall(command)
                sock.recv(4096)
            while chunk := file.read(65536):
                sock.sendall(chunk.replace(b"\r\n.", b"\r\n.."))
            sock.sendall(b".\r\n")
            sock.recv(4096)

    return cpu(run)


def greeted(port: int, number: int) -> list[socket.socket]:
    """Connections that said EHLO, and then nothing."""
    found = []
    for _ in range(number):
        sock = socket.create_connection((HOST, port))
        sock.recv(4096)
        sock.sendall(b"EHLO client.example\r\n")
        reply = b""
        while b"\r\n250 " not in reply:
            reply += sock.recv(4096)
        found.append(sock)
    return found


def idle(name: str) -> Callable[[], float]:
    """KiB that a server takes for each idle session; what it loads for the first does not count."""

    def measure() -> float:
        server = python_server(name)
        sockets: list[socket.socket] = []
        try:
            sockets += greeted(server.port, 100)
            before = server.resident()
            sockets += greeted(server.port, IDLE)
            time.sleep(0.2)
            return (server.resident() - before) / IDLE
        finally:
            for sock in sockets:
                sock.close()
            server.stop()

    return measure
