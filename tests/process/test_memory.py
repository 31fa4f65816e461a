"""What a peer can make a process hold does not depend on how much it sends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from smtpproto.cli.common import IO
from tests.effort import effort
from tests.process.memory import MIB, most_so_far
from tests.programs import HOST, environment, serve

# Sends a first message to get everything going, then one of the size wanted; prints by how much the
# most memory that it ever had has grown.
CLIENT = """if True:
    import os, sys
    from smtpproto.conversations import Envelope
    from tests.process.memory import most_so_far

    kind, host, port, size = sys.argv[1:]
    LINE = (b"x" * 76 + b"\\r\\n") * 840

    def content(octets):
        for _ in range(octets // len(LINE) + 1):
            yield LINE

    envelope = Envelope.of("eve@example.org", ["alice@example.com"])

    def sync_client():
        from smtpproto import sync
        with sync.connect(host, int(port)) as client:
            assert client.send(envelope, content(1 << 20)).complete
            before = most_so_far(os.getpid())
            assert client.send(envelope, content(int(size))).complete
            return most_so_far(os.getpid()) - before

    async def awaiting_client(adapter):
        async with adapter.connect(host, int(port)) as client:
            assert (await client.send(envelope, content(1 << 20))).complete
            before = most_so_far(os.getpid())
            assert (await client.send(envelope, content(int(size)))).complete
            return most_so_far(os.getpid()) - before

    if kind == "trio":
        import smtpproto.trio, trio
        print(trio.run(awaiting_client, smtpproto.trio))
    elif kind == "asyncio":
        import asyncio, smtpproto.asyncio
        print(asyncio.run(awaiting_client(smtpproto.asyncio)))
    else:
        print(sync_client())
"""


def python(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=True,
        env=environment(),
    )
    return done.stdout


# Held in memory, even the smaller one would be four times what is allowed.
SIZE = effort(64, 256) * MIB


@pytest.mark.parametrize("io", IO)
def test_content_passes_through(io: str) -> None:
    with serve("--discard", "--size", str(2 * SIZE), "--io", io) as server:
        python(CLIENT, io, HOST, str(server.port), str(MIB))
        before = most_so_far(server.process.pid)
        client = int(python(CLIENT, io, HOST, str(server.port), str(SIZE)))
        grown = most_so_far(server.process.pid) - before
        assert server.stop() == 0
    print(f"{io}: client {client / MIB:.1f} MiB, server {grown / MIB:.1f} MiB")
    assert client < 16 * MIB
    assert grown < 16 * MIB


# A server whose patience is given; prints its port.
PATIENT = """if True:
    import sys
    from smtpproto import Limits, sync

    class Nothing:
        def message(self, session, envelope, content):
            pass

    with sync.serve(Nothing(), limits=Limits(overlong=int(sys.argv[1]))) as server:
        print(server.port, flush=True)
        sys.stdin.read()
"""


@contextmanager
def patient(overlong: int) -> Iterator[tuple[int, int]]:
    """A server that reads so many octets of overlong lines: its process and port."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PATIENT, str(overlong)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline())
        process.communicate(timeout=20)
    assert process.returncode == 0


def endless(port: int, lines: int) -> tuple[list[bytes], bool]:
    """Send lines of 10 MiB, CRLF behind each; the replies, and whether the session goes on."""
    import socket

    with socket.create_connection((HOST, port), 20) as link, link.makefile("rb") as replies:
        assert replies.readline().startswith(b"220 ")
        found = []
        try:
            for _ in range(lines):
                for _ in range(160):
                    link.sendall(b"x" * 65_536)
                link.sendall(b"\r\n")
                found.append(replies.readline())
            link.sendall(b"NOOP\r\n")
            return found, replies.readline().startswith(b"250 ")
        except OSError:
            # Closed while we went on.
            return found + [line for line in replies if line], False


@pytest.mark.parametrize("lines", [1, 5])
def test_a_line_without_end_costs_nothing(lines: int) -> None:
    with patient(1 << 30) as (pid, port):
        endless(port, 1)
        before = most_so_far(pid)
        replies, goes_on = endless(port, lines)
        grown = most_so_far(pid) - before
    assert [reply[:4] for reply in replies] == [b"500 "] * lines
    assert goes_on
    print(f"{grown} octets")
    # Far below one of the lines; what the allocator rounds up has been a little over 1 MiB.
    assert grown < 4 * MIB


def test_a_line_without_end_ends_at_the_limit() -> None:
    with patient(65_536) as (pid, port):
        endless(port, 1)
        before = most_so_far(pid)
        replies, goes_on = endless(port, 1)
        grown = most_so_far(pid) - before
    assert not goes_on
    assert all(reply[:4] in {b"500 ", b"421 "} for reply in replies)
    assert grown < 4 * MIB
