"""What the core costs without any I/O: commands, whole sessions, and the memory of an idle one.

Each figure is the fastest of some runs, in microseconds of CPU; ratios hold better.  Beside the
sessions stands aiosmtpd's server, fed in memory as well, by way of the event loop that it needs.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
import tracemalloc
from collections.abc import Callable

from aiosmtpd.smtp import SMTP

from smtpproto import (
    BodyChunk,
    Client,
    Data,
    Domain,
    Ehlo,
    EndOfBody,
    ForwardPath,
    Limits,
    Mail,
    Need,
    Quit,
    Rcpt,
    ReversePath,
    Server,
)
from smtpproto.extensions import standard

EXTENSIONS = standard()
LIMITS = Limits(recipients=100_000)
HELLO = b"EHLO client.example\r\n"
MAIL = b"MAIL FROM:<sender@client.example>\r\n"
RCPT = b"RCPT TO:<somebody@example.com>\r\n"
CONTENT = b"Subject: a message of 1 KiB\r\n\r\n" + (b"x" * 62 + b"\r\n") * 15 + b"x" * 31 + b"\r\n"
MESSAGE = MAIL + RCPT + b"DATA\r\n"
BODY = CONTENT + b".\r\n"


def best(repeat: int, run: Callable[[], object]) -> float:
    """Seconds of CPU of the fastest run."""
    times = []
    for _ in range(repeat):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def feed(server: Server, data: bytes) -> bytes:
    server.receive_data(data)
    while True:
        event = server.next_event()
        if event is Need.REPLY:
            server.accept()
        elif isinstance(event, Need):
            return server.data_to_send()


def greeted() -> Server:
    server = Server("mx.example", EXTENSIONS, limits=LIMITS)
    feed(server, HELLO)
    return server


def serve_session() -> None:
    server = greeted()
    for data in (MAIL, RCPT, b"DATA\r\n", BODY, b"QUIT\r\n"):
        feed(server, data)


def serve_pipelined() -> None:
    server = greeted()
    feed(server, MESSAGE)
    feed(server, BODY + b"QUIT\r\n")


def submit_session() -> None:
    """The client's side of a pipelined session; what the server says is ready made."""
    client = Client()
    for messages, data in CONVERSATION:
        for message in messages:
            client.send(message)
        client.data_to_send()
        client.receive_data(data)
        while not isinstance(client.next_event(), Need):
            pass


OFFERS = b"".join(b"250-%b\r\n" % extension.line().encode() for extension in EXTENSIONS)
OFFERS = b"250-mx.example\r\n" + OFFERS + b"250 X-LAST\r\n"
CONVERSATION = (
    ((), b"220 mx.example ESMTP\r\n"),
    (
        (Ehlo(Domain("client.example")),),
        OFFERS,
    ),
    (
        (
            Mail(ReversePath.of("sender@client.example")),
            Rcpt(ForwardPath.of("somebody@example.com")),
            Data(),
        ),
        b"250 2.1.0 OK\r\n250 2.1.5 OK\r\n354 go ahead\r\n",
    ),
    ((BodyChunk(CONTENT), EndOfBody()), b"250 2.0.0 OK\r\n"),
    ((Quit(),), b"221 2.0.0 Bye\r\n"),
)


class Inbox:
    """What aiosmtpd wants for a handler."""

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:  # noqa: N802  its name
        return "250 OK"


class Sink(asyncio.Transport):
    """Where aiosmtpd writes to; nothing is a socket."""

    def __init__(self) -> None:
        super().__init__()
        self.written = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.set()

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def aiosmtpd_session(loop: asyncio.AbstractEventLoop) -> None:
    server = SMTP(Inbox(), hostname="mx.example", loop=loop)
    sink = Sink()
    server.connection_made(sink)
    await sink.written.wait()
    for data in (HELLO, MAIL, RCPT, b"DATA\r\n", BODY, b"QUIT\r\n"):
        sink.written.clear()
        server.data_received(data)
        await sink.written.wait()
    server.connection_lost(None)


def commands(repeat: int) -> None:
    print(f"{'server, us for each command':36}{'100 a segment':>16}{'10,000':>12}")
    for name, line, begin in (
        ("NOOP", b"NOOP\r\n", b""),
        ("RCPT", RCPT, MAIL),
        ("RSET", b"RSET\r\n", b""),
        ("VRFY", b"VRFY somebody\r\n", b""),
        ("MAIL and RSET, each", MAIL + b"RSET\r\n", b""),
        ("EHLO", HELLO, b""),
    ):
        row = f"{name:36}"
        each = line.count(b"\r\n")
        for count in (100, 10_000):
            data = line * (count // each)

            def run(data: bytes = data, begin: bytes = begin, count: int = count) -> None:
                for _ in range(10_000 // count):
                    server = greeted()
                    feed(server, begin + data)

            row += f"{best(repeat, run) / 10_000 * 1e6:{16 if count == 100 else 12}.2f}"
        print(row)


def recipients(repeat: int) -> None:
    """The client's side: each RCPT sent, and its reply read."""
    rcpt = Rcpt(ForwardPath.of("somebody@example.com"))
    for count in (100, 10_000):

        def run(count: int = count) -> None:
            client = Client(limits=Limits(unanswered=512))
            for messages, data in CONVERSATION[:2]:
                for message in messages:
                    client.send(message)
                client.data_to_send()
                client.receive_data(data)
                client.next_event()
            client.send(Mail(ReversePath(None)))
            for _ in range(count):
                client.send(rcpt)
            while client.pending:
                lines = client.data_to_send().count(b"\n")
                client.receive_data(b"250 2.1.5 OK\r\n" * lines)
                while not isinstance(client.next_event(), Need):
                    pass

        seconds = best(repeat, run)
        print(f"client, us for each of {count:6,} RCPT      {seconds / count * 1e6:10.2f}")


def sessions(repeat: int) -> None:
    print(f"\n{'one session with a message of 1 KiB':36}{'us':>16}{'of aiosmtpd':>12}")
    loop = asyncio.new_event_loop()
    count = 200

    def aiosmtpd() -> None:
        async def run() -> None:
            for _ in range(count):
                await aiosmtpd_session(loop)

        loop.run_until_complete(run())

    unit = best(repeat, aiosmtpd) / count
    loop.close()
    rows = [("server, one command a segment", serve_session)]
    rows += [("server, pipelined", serve_pipelined), ("client, pipelined", submit_session)]
    for name, session in rows:

        def run(session: Callable[[], None] = session) -> None:
            for _ in range(count):
                session()

        seconds = best(repeat, run) / count
        print(f"{name:36}{seconds * 1e6:16.1f}{seconds / unit:12.2f}")
    print(f"{'aiosmtpd, one command a segment':36}{unit * 1e6:16.1f}{1:12.2f}")


def memory() -> None:
    """What a server takes that has read EHLO and waits."""
    print(f"\n{'octets of an idle session':36}")
    for name, begin in (("new", b""), ("after EHLO", HELLO), ("with an envelope", HELLO + MESSAGE)):
        kept = []
        for data in (HELLO, begin):
            feed(Server("mx.example", EXTENSIONS), data or b"NOOP\r\n")
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(1000):
            server = Server("mx.example", EXTENSIONS)
            if begin:
                feed(server, begin)
            kept.append(server)
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        size = (after - before - sys.getsizeof(kept)) / 1000
        print(f"{name:36}{size:16,.0f}{size / 4096:12.2f} of 4 KiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=7, help="the fastest of so many runs counts")
    options = parser.parse_args()
    commands(options.repeat)
    recipients(options.repeat)
    sessions(options.repeat)
    memory()


if __name__ == "__main__":
    main()
