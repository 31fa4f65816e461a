"""Invariant 5, first half: memory stays within `Limits`, whatever the peer does.

What bounds the input of a connection is that an adapter feeds it only when it says `Need.DATA`; so
does everything here.
"""

from __future__ import annotations

import contextlib
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import pytest

from smtpproto import (
    Client,
    Data,
    Domain,
    Ehlo,
    ForwardPath,
    Limits,
    LineEndings,
    Mail,
    Need,
    Rcpt,
    RemoteProtocolError,
    ReversePath,
    Server,
    State,
)
from smtpproto.extensions import Chunking, Pipelining, Size
from smtpproto.testing import strategies as smtp
from tests.weight import weight

K = TypeVar("K", Client, Server)
READ = 65536
ENVELOPE = b"EHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<postmaster>\r\n"


# New connections, and what they share with others of their kind.
TWINS: list[Client | Server] = []
SHARED: set[int] = set()


def fresh(kind: type[K], *arguments: Any, **options: Any) -> K:
    """A connection; `held` says what it holds more than another one that is as new."""
    twin = kind(*arguments, **options)
    TWINS.append(twin)
    weight(twin, SHARED)
    return kind(*arguments, **options)


def held(connection: Client | Server) -> int:
    """The octets that a connection holds for itself alone."""
    return weight(connection, set(SHARED))


def feed_server(
    server: Server, pieces: Iterable[bytes], held: Callable[[Server], int] = held
) -> tuple[int, int]:
    """Serve; how much was held at most, and how much was read."""
    most = read = 0
    for piece in pieces:
        while (event := server.next_event()) is not Need.DATA:
            if event is Need.REPLY:
                server.accept()
        # Replies leave when there is nothing more to answer, at the latest.
        most = max(most, held(server))
        server.data_to_send()
        if server.state is State.CLOSED:
            break
        server.receive_data(piece)
        read += len(piece)
        most = max(most, held(server))
    return most, read


def times(mib: float, octets: bytes) -> Iterator[bytes]:
    """So many MiB of the same octets, in reads of 64 KiB."""
    piece = octets * (READ // len(octets))
    for _ in range(int(mib * 16)):
        yield piece


def ready(extensions: Iterable[object] = (), **options: object) -> Server:
    server = fresh(Server, "mx.example", extensions, **options)
    feed_server(server, [ENVELOPE, b"NOOP\r\n"])
    assert server.state is State.RCPT
    return server


@pytest.mark.parametrize("octets", [b"x", b"\r", b"\n", b"\0", b"NOOP ", b"\xff"], ids=repr)
def test_a_line_without_end(octets: bytes) -> None:
    """10 MiB without a CRLF: dropped as it comes, and the session is closed long before."""
    most, read = feed_server(ready(), times(10, octets))
    assert most < 3 * READ
    assert read < 3 * READ
    patient = ready(limits=Limits(overlong=10**9))
    most, read = feed_server(patient, times(10, octets))
    assert read > 9.9 * 2**20
    assert most < 3 * READ


@pytest.mark.parametrize(
    "octets",
    [b"x", b"\r", b"\n", b".", b"\r\n", b"\r\n.", b"\r\n.\r", b"\n.\n", b"text of a line\r\n"],
    ids=repr,
)
@pytest.mark.parametrize("line_endings", LineEndings)
def test_content_is_a_stream(octets: bytes, line_endings: LineEndings) -> None:
    server = ready(line_endings=line_endings)
    feed_server(server, [b"DATA\r\n"])
    most, _ = feed_server(server, times(4, octets))
    assert most < 3 * READ


def test_content_too_large_is_not_kept() -> None:
    server = ready([Size(1000)])
    most, read = feed_server(server, [b"DATA\r\n", *times(4, b"text\r\n")])
    assert most < 3 * READ
    assert read > 3.9 * 2**20


@pytest.mark.parametrize("extensions", [[Chunking()], [Chunking(), Size(10)]])
def test_chunks_are_a_stream(extensions: list[object]) -> None:
    server = ready(extensions)
    most, _ = feed_server(server, [f"BDAT {2**40}\r\n".encode(), *times(4, b"text\r\n")])
    assert most < 3 * READ
    assert server.state is State.RCPT


def test_recipients_without_end() -> None:
    server = ready([Pipelining()], limits=Limits(recipients=100, commands=10**9))
    most, _ = feed_server(server, times(2, b"RCPT TO:<somebody@mx.example>\r\n"))
    assert server.transaction is not None
    assert len(server.transaction.recipients) == 100
    assert most < 6 * READ


@pytest.mark.parametrize(
    "line",
    [b"NOOP\r\n", b"RSET\r\n", b"EHLO a\r\n", b"VRFY a\r\n", b"MAIL FROM:<>\r\n", b"DATA\r\n"],
    ids=repr,
)
def test_a_flood_of_pipelined_commands(line: bytes) -> None:
    """What one read holds is answered before the next: the replies to it are all that grows.

    The longest is that to EHLO, with a line for each extension, for the 8 octets of a command.
    """
    extensions = smtp.offers()
    limits = Limits(commands=10**9, errors=10**9)
    server = fresh(Server, "mx.example", extensions, limits=limits)
    most, _ = feed_server(server, times(0.2, line))
    longest = 700 if line.startswith(b"EHLO") else 100
    assert most < 2 * READ + (READ // len(line)) * longest


def test_commands_that_nobody_answers() -> None:
    """A server that is not answered asks for nothing more."""
    server = fresh(Server, "mx.example")
    server.accept()
    server.receive_data(b"NOOP\r\n" * 1000)
    server.next_event()
    size = held(server)
    for _ in range(1000):
        assert server.next_event() is Need.REPLY
    assert held(server) == size


def test_what_comes_after_the_end_is_not_kept() -> None:
    server = ready()
    feed_server(server, [b"QUIT\r\n", b""])
    before = held(server)
    for piece in times(1, b"x"):
        server.receive_data(piece)
    assert held(server) == before


def test_a_peak_as_the_allocator_sees_it() -> None:
    """16 MiB of content and of a line without end, in less than half a MiB."""
    server = Server("mx.example", smtp.offers(), limits=Limits(overlong=10**9))
    pieces = [ENVELOPE + b"DATA\r\n", *times(8, b"text\r\n..."), b"\r\n.\r\n", *times(8, b"x")]
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        _, read = feed_server(server, pieces, lambda _: 0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert read > 15.9 * 2**20
    assert peak - before < 2**19


# --- the client ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "octets",
    [
        b"x",
        b"250-",
        b"\r",
        b"220-a line of a reply that does not end\r\n",
        b"220 one reply after the other\r\n",
        b"220-\r\n",
        b"\r\n",
    ],
    ids=repr,
)
def test_a_server_without_end(octets: bytes) -> None:
    """Endless lines, endless replies, replies without end."""
    client = fresh(Client)
    read, before = 0, held(client)
    pieces = times(10, octets)
    while client.state is not State.ERROR:
        piece = next(pieces)
        client.receive_data(piece)
        read += len(piece)
        with contextlib.suppress(RemoteProtocolError):
            while client.next_event() is not Need.DATA:
                pass
        assert held(client) < 3 * READ
    assert read <= 2 * READ
    assert held(client) < before + READ / 8


def test_one_reply_is_bounded() -> None:
    limits = Limits(reply_line=512, reply_lines=10)
    client = Client(limits=limits)
    client.receive_data(b"220-" + b"x" * 506 + b"\r\n")
    assert client.next_event() is Need.DATA
    client.receive_data((b"220-" + b"x" * 506 + b"\r\n") * 9)
    assert client.next_event() is Need.DATA
    client.receive_data(b"220 end\r\n")
    with pytest.raises(RemoteProtocolError, match="more than 10 lines"):
        client.next_event()


def test_what_is_under_way_is_bounded() -> None:
    """10,000 recipients: no more commands leave than `Limits.unanswered`."""
    client = Client(limits=Limits(unanswered=100))
    for data in (b"220 mx.example\r\n", b"250-mx.example\r\n250 PIPELINING\r\n"):
        client.receive_data(data)
        client.next_event()
        if client.state is State.GREETED:
            client.send(Ehlo(Domain("c.example")))
            client.data_to_send()
    client.send(Mail(ReversePath(None)))
    for _ in range(10_000):
        client.send(Rcpt(ForwardPath(None)))
    client.send(Data())
    replies = 0
    while client.pending:
        leaving = client.data_to_send().splitlines()
        assert 0 < len(leaving) <= 100
        for line in leaving:
            client.receive_data(b"354 go\r\n" if line == b"DATA" else b"250 OK\r\n")
        while client.next_event() is not Need.DATA:
            replies += 1
    assert replies == 10_002
    assert client.state is State.CONTENT


# --- an idle session ----------------------------------------------------------------------------


def idle(state: State) -> Server:
    """A server's session that has reached this state, and has nothing to do."""
    server = Server("mx.example", smtp.offers())
    if state is not State.CONNECTED:
        pieces = [ENVELOPE if state is State.RCPT else b"EHLO c.example\r\n", b"NOOP\r\n"]
        feed_server(server, [*pieces, b"NOOP\r\n"])
        while server.next_event() is not Need.DATA:
            server.accept()
        server.data_to_send()
    assert server.state is state
    return server


@pytest.mark.parametrize("state", [State.CONNECTED, State.READY, State.RCPT])
def test_an_idle_session_is_small(state: State) -> None:
    """4 KiB: thousands of them are nothing."""
    # What sessions share is made by the first of them that comes as far as this one.
    shared: set[int] = set()
    first = idle(state)
    weight(first, shared)
    assert weight(idle(state), shared) <= 4096
    assert first.state is state
