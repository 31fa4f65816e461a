"""Rows without I/O: the two engines, dot transparency, growth, and the time an import takes."""

from __future__ import annotations

import compileall
import io
import smtplib
from collections.abc import Callable, Iterator
from pathlib import Path

import h11

import smtpproto
from smtpproto import (
    Client,
    Command,
    ContentChunk,
    Data,
    Domain,
    Ehlo,
    EndOfContent,
    ForwardPath,
    Limits,
    LineEndings,
    Mail,
    Need,
    Noop,
    Rcpt,
    ReversePath,
    Server,
)
from smtpproto.extensions.known import standard
from smtpproto.wire import DotDecoder, DotEncoder, ReceiveBuffer

from .rows import Row, cpu, in_new_process

__all__ = ["rows"]

MANY = Limits(recipients=20_000, commands=20_000)
KIB = b"Subject: a message\r\n\r\n" + (b"x" * 62 + b"\r\n") * 15
OFFERS = b"".join(b"250-%b\r\n" % each.line().encode() for each in standard())
HELLO_REPLY = b"250-mx.example\r\n" + OFFERS + b"250 X-LAST\r\n"
FEED = 65536


# --- the engines --------------------------------------------------------------------------------


def feed(server: Server, data: bytes) -> None:
    """Give a server octets, accept what it asks about, and take its replies."""
    server.receive_data(data)
    while True:
        event = server.next_event()
        if event is Need.REPLY:
            server.accept()
        elif isinstance(event, Need):
            server.data_to_send()
            return


def greeted() -> Server:
    server = Server("mx.example", standard(), limits=MANY)
    server.accept()
    feed(server, b"EHLO client.example\r\n")
    return server


def serve(transactions: int) -> Callable[[], None]:
    pieces = (
        b"MAIL FROM:<sender@client.example>\r\n",
        b"RCPT TO:<recipient@example.com>\r\n",
        b"DATA\r\n",
        KIB + b".\r\n",
    )
    server = greeted()

    def run() -> None:
        for _ in range(transactions):
            for piece in pieces:
                feed(server, piece)

    return run


def serve_http(requests: int) -> Callable[[], None]:
    request = (
        b"POST /messages HTTP/1.1\r\nHost: mx.example\r\nContent-Type: message/rfc822\r\n"
        b"Content-Length: %d\r\n\r\n" % len(KIB)
    )

    def run() -> None:
        connection = h11.Connection(h11.SERVER)
        for _ in range(requests):
            for piece in (request, KIB):
                connection.receive_data(piece)
                while True:
                    event = connection.next_event()
                    if event is h11.NEED_DATA or isinstance(event, h11.EndOfMessage):
                        break
            connection.send(h11.Response(status_code=200, headers=[("Content-Length", "2")]))
            connection.send(h11.Data(data=b"OK"))
            connection.send(h11.EndOfMessage())
            connection.start_next_cycle()

    return run


def opened() -> Client:
    client = Client(limits=MANY)
    client.receive_data(b"220 mx.example ESMTP\r\n")
    client.next_event()
    client.send(Ehlo(Domain("client.example")))
    client.data_to_send()
    client.receive_data(HELLO_REPLY)
    client.next_event()
    return client


def submit(transactions: int) -> Callable[[], None]:
    client = opened()
    steps = (b"250 2.1.0 OK\r\n", b"250 2.1.5 OK\r\n", b"354 go ahead\r\n", b"250 2.0.0 OK\r\n")

    def run() -> None:
        for _ in range(transactions):
            mail = Mail(ReversePath.of("a@client.example"))
            rcpt = Rcpt(ForwardPath.of("b@example.com"))
            messages: list[list[Command | ContentChunk | EndOfContent]]
            messages = [[mail], [rcpt], [Data()], [ContentChunk(KIB), EndOfContent()]]
            for step, sent in zip(steps, messages, strict=True):
                for message in sent:
                    client.send(message)
                client.data_to_send()
                client.receive_data(step)
                client.next_event()

    return run


class Answering(io.RawIOBase):
    """A socket for smtplib that answers each command at once."""

    def __init__(self) -> None:
        self.lines: Iterator[bytes] = iter(())

    def sendall(self, data: bytes) -> None:
        code = b"354" if data[:4].upper() == b"DATA" else b"250"
        self.lines = iter([code + b" 2.0.0 OK\r\n"])

    def readline(self, size: int | None = -1, /) -> bytes:
        return next(self.lines)

    def makefile(self, mode: str) -> Answering:
        return self


def submit_smtplib(transactions: int) -> Callable[[], None]:
    client = smtplib.SMTP()
    client.sock = Answering()  # type: ignore[assignment]
    client.helo_resp = client.ehlo_resp = b"mx.example"
    client.does_esmtp = True

    def run() -> None:
        for _ in range(transactions):
            client.sendmail("a@client.example", ["b@example.com"], KIB)

    return run


def server_recipients(count: int) -> Callable[[], float]:
    data = b"RCPT TO:<recipient@example.com>\r\n" * count

    def run() -> None:
        for _ in range(10_000 // count):
            server = greeted()
            feed(server, b"MAIL FROM:<>\r\n")
            feed(server, data)

    return cpu(run, 10_000)


def server_noops(count: int) -> Callable[[], float]:
    data = b"NOOP\r\n" * count

    def run() -> None:
        for _ in range(10_000 // count):
            feed(greeted(), data)

    return cpu(run, 10_000)


def client_commands(count: int, command: Rcpt | Noop) -> Callable[[], float]:
    """Pipelined; the replies come when all that may leave has left."""

    def run() -> None:
        for _ in range(10_000 // count):
            client = opened()
            client.send(Mail(ReversePath(None)))
            for _ in range(count):
                client.send(command)
            while client.pending:
                lines = client.data_to_send().count(b"\n")
                client.receive_data(b"250 2.1.5 OK\r\n" * lines)
                while not isinstance(client.next_event(), Need):
                    pass

    return cpu(run, 10_000)


def engine_rows(scale: int) -> list[Row]:
    count = 200 * scale
    rcpt = Rcpt(ForwardPath.of("recipient@example.com"))
    grow = [
        ("server, RCPT", server_recipients(10_000), server_recipients(100)),
        ("server, NOOP", server_noops(10_000), server_noops(100)),
        ("client, RCPT", client_commands(10_000, rcpt), client_commands(100, rcpt)),
        ("client, NOOP", client_commands(10_000, Noop()), client_commands(100, Noop())),
    ]
    return [
        Row(
            "Engines in memory",
            "server: a further transaction of 1 KiB in lock step",
            "h11's server, a request of 1 KiB",
            cpu(serve(count), count),
            cpu(serve_http(count), count),
            0.60,
        ),
        Row(
            "Engines in memory",
            "client: a further transaction of 1 KiB in lock step",
            "smtplib over a fake socket",
            cpu(submit(count), count),
            cpu(submit_smtplib(count), count),
            1.0,
        ),
        *(
            Row("Engines in memory", f"{name}: each of 10,000", "each of 100", many, few, 1.1)
            for name, many, few in grow
        ),
    ]


# --- content ------------------------------------------------------------------------------------


def decode(pieces: list[bytes]) -> None:
    buffer = ReceiveBuffer()
    decoder = DotDecoder(buffer, LineEndings.REFUSE)
    for piece in pieces:
        buffer.feed(piece)
        while decoder.read() is not None:
            pass


def plain_loop(pieces: list[bytes]) -> None:
    """Find the end, undo the dots, check nothing."""
    rest = b"\r\n"
    for piece in pieces:
        data = rest + piece
        if data.find(b"\r\n.\r\n") >= 0:
            return
        rest = data[-4:]
        data[:-4].replace(b"\r\n.", b"\r\n")


def encode(pieces: list[bytes], policy: LineEndings = LineEndings.REFUSE) -> None:
    encoder = DotEncoder(policy)
    for piece in pieces:
        encoder.encode(piece)


def replace(pieces: list[bytes]) -> None:
    for piece in pieces:
        piece.replace(b"\r\n.", b"\r\n..")


BODIES = {
    "lines of 76": b"x" * 30 + b". " + b"x" * 44 + b"\r\n",
    "base64": b"x" * 76 + b"\r\n",
    "a dot on each line": b"." + b"x" * 75 + b"\r\n",
    "only CRLF": b"\r\n",
    "one line": b"x",
    "one line of dots": b".",
}


def content_rows(scale: int) -> list[Row]:
    size = scale * 4 * 2**20
    rows = []
    for name, body in BODIES.items():
        piece = (body * (FEED // len(body) + 1))[: FEED // len(body) * len(body)]
        pieces = [piece] * (size // FEED)
        rows.append(
            Row(
                "Content in memory",
                f"undoing dot transparency, {name}",
                "find and replace, unchecked",
                cpu(lambda pieces=pieces: decode(pieces)),  # type: ignore[misc]
                cpu(lambda pieces=pieces: plain_loop(pieces)),  # type: ignore[misc]
                0.65 if name in ("lines of 76", "base64") else 0.60,
                speed=True,
            )
        )
        if name in ("lines of 76", "base64", "one line"):
            rows.append(
                Row(
                    "Content in memory",
                    f"doing dot transparency, {name}",
                    "bytes.replace",
                    cpu(lambda pieces=pieces: encode(pieces)),  # type: ignore[misc]
                    cpu(lambda pieces=pieces: replace(pieces)),  # type: ignore[misc]
                    0.6 if name == "one line" else 0.9,
                    speed=True,
                )
            )
    octets = [bytes([octet]) for octet in BODIES["lines of 76"] * 200]
    bare = [b"\r" * FEED] * 64
    text = "\r" * (4 * 2**20)
    rows += [
        Row(
            "Content in memory",
            "undoing dot transparency, one octet at a time",
            "find and replace, unchecked",
            cpu(lambda: decode(octets), len(octets)),
            cpu(lambda: plain_loop(octets), len(octets)),
            6.0,
        ),
        Row(
            "Content in memory",
            "NORMALIZE of 4 MiB of bare CRs",
            "smtplib.quotedata",
            cpu(lambda: encode(bare, LineEndings.NORMALIZE)),
            cpu(lambda: smtplib.quotedata(text)),
            1.0,
            speed=True,
        ),
    ]
    return rows


# --- imports ------------------------------------------------------------------------------------


def compile_package() -> None:
    """Write the bytecode of ours, as an installer does: the other modules have theirs."""
    compileall.compile_dir(str(Path(smtpproto.__file__).parent), quiet=1)


def import_rows() -> list[Row]:
    compile_package()
    return [
        Row(
            "Imports",
            ours,
            theirs,
            in_new_process(ours),
            in_new_process(theirs),
            2.0,
            unit="ms",
        )
        for ours, theirs in (
            ("from smtpproto import Client, Server", "import h11"),
            ("from smtpproto.sync import connect", "import smtplib"),
        )
    ]


def rows(scale: int) -> list[Row]:
    """All rows of this file; `scale` multiplies the work of each."""
    return [*engine_rows(scale), *content_rows(scale), *import_rows()]
