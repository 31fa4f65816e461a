"""Invariant 5, second half: the work for each octet is bounded, whatever comes and in what pieces.

No clock: what costs time beyond a constant for each call is counted, namely the octets that are
searched, copied and moved in the input buffer, and the calls of functions.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import FrameType
from typing import Any

import pytest

from smtpproto import (
    Client,
    Domain,
    Ehlo,
    ForwardPath,
    Limits,
    Mail,
    Need,
    Rcpt,
    ReversePath,
    Server,
    Session,
)
from smtpproto.conversations import Envelope
from smtpproto.conversations.io_requests import Call, Receive, Send
from smtpproto.conversations.server.handler import Hooks
from smtpproto.conversations.server.session import serve_session
from smtpproto.extensions import Chunking, Pipelining
from smtpproto.wire import ReceiveBuffer
from tests.effort import effort

ENVELOPE = b"EHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<postmaster>\r\n"


class Work:
    """What was done so far."""

    octets = 0
    calls = 0


def count_search(found: int, size: int, start: int = 0, *_: int) -> int:
    Work.octets += (found if found >= 0 else size) - start
    return found


class Counting(bytearray):
    """Counts the octets that a search goes over, or a deletion moves."""

    def find(self, sub: Any, *bounds: Any) -> int:
        return count_search(super().find(sub, *bounds), len(self), *bounds)

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(key)
        Work.octets += len(self)


class CountingBytes(bytes):
    """Counts the octets that a search goes over."""

    def find(self, sub: Any, *bounds: Any) -> int:
        return count_search(super().find(sub, *bounds), len(self), *bounds)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smtpproto.wire.buffer.bytearray", Counting, raising=False)
    monkeypatch.setattr("smtpproto.wire.buffer.bytes", CountingBytes, raising=False)
    peek = ReceiveBuffer.peek

    def counting(self: ReceiveBuffer, most: int) -> bytes:
        octets = bytes(peek(self, most))
        Work.octets += len(octets)
        return octets

    monkeypatch.setattr(ReceiveBuffer, "peek", counting)


def work(run: Callable[[], None]) -> tuple[int, int]:
    """Octets touched, and calls made."""
    Work.octets = Work.calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        Work.calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(None)
    return Work.octets, Work.calls


def serve(pieces: Iterable[bytes], begin: bytes) -> Callable[[], None]:
    limits = Limits(overlong=10**9)
    server = Server("mx.example", [Pipelining(), Chunking()], limits=limits)
    server.receive_data(begin)

    def drain() -> None:
        while (event := server.next_event()) is not Need.DATA:
            if event is Need.REPLY:
                server.accept()
        server.data_to_send()

    drain()

    def run() -> None:
        for piece in pieces:
            server.receive_data(piece)
            drain()

    return run


def cut(octets: bytes, size: int) -> list[bytes]:
    return [octets[at : at + size] for at in range(0, len(octets), size)]


BODIES = [
    *(b"x", b"\r\n", b".", b"\r", b"\n", b"\r\n.", b"\r\n..", b"\r\n.\r", b"\r\n.\r\r\n..\r\n"),
    b"x" * 78 + b"\r\n",
]


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize("size", [1, 3, 1460, 65536])
@pytest.mark.parametrize("body", BODIES, ids=repr)
def test_content(body: bytes, size: int) -> None:
    check(body, size, ENVELOPE + b"DATA\r\n")


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize("size", [1, 1460, 65536])
@pytest.mark.parametrize("body", [b"\0", b"\r\n"], ids=repr)
def test_chunks(body: bytes, size: int) -> None:
    check(body, size, ENVELOPE + b"BDAT 99999999\r\n")


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize("size", [1, 3, 1460, 65536])
@pytest.mark.parametrize(
    "body",
    [b"NOOP\r\n", b"RCPT TO:<postmaster>\r\n", b"NOOP " + b"x" * 500 + b"\r\n"],
    ids=lambda body: repr(body[:20]),
)
def test_commands(body: bytes, size: int) -> None:
    check(body, size, b"EHLO c.example\r\nMAIL FROM:<>\r\n")


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize("size", [1, 3, 1460])
@pytest.mark.parametrize("body", [b"x", b"\r", b"\n", b"\0"], ids=repr)
def test_a_line_without_end(body: bytes, size: int) -> None:
    check(body, size, b"EHLO c.example\r\n")


def check(body: bytes, size: int, begin: bytes) -> None:
    """Twice the input is twice the work, and that is little for each octet."""
    length = (effort(4_000, 10_000) if size < 100 else effort(70_000, 100_000)) // len(body)
    once, twice = (work(serve(cut(body * number, size), begin)) for number in (length, 2 * length))
    for less, more in zip(once, twice, strict=True):
        # A segment that the buffer keeps without a copy is not counted: one may be, or not.
        assert more <= 2.1 * less + 200 + size
    octets, calls = once
    whole = body * length
    assert octets <= (8 if size < 100 else 4) * len(whole)
    # For each piece, and for each line.
    assert calls <= 60 * len(cut(whole, size)) + 150 * whole.count(b"\r\n") + 100


class Inbox:
    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        """Accept it."""


def tiny_chunks(number: int) -> Callable[[], None]:
    """A whole session whose message comes in so many chunks of two octets, all at once."""
    server = Server("mx.example", [Chunking()])
    flow = serve_session(server, Hooks.of(Inbox()))
    octets = ENVELOPE + b"BDAT 2\r\n\r\n" * number + b"BDAT 0 LAST\r\nQUIT\r\n"
    pieces = iter(cut(octets, 65536))

    def run() -> None:
        request, sent = next(flow), b""
        with suppress(StopIteration):
            while True:
                result: object = None
                if isinstance(request, Receive):
                    result = next(pieces)
                elif isinstance(request, Send):
                    # Replies do not gather without bound while the client says more.
                    assert len(request.data) < 4096
                    sent = request.data
                elif isinstance(request, Call):
                    result = request.function(*request.arguments)
                request = flow.send(result)
        assert sent.endswith(b"250 OK\r\n221 Bye\r\n")

    return run


def test_a_message_in_tiny_chunks() -> None:
    number = effort(1_000, 10_000)
    _, once = work(tiny_chunks(number))
    _, twice = work(tiny_chunks(2 * number))
    assert twice <= 2.1 * once
    assert once / number < 150


# --- the client ---------------------------------------------------------------------------------


def recipients(number: int, *, refused: bool) -> Callable[[], None]:
    """A client names recipients, all at once; all are accepted or refused."""
    client = Client([Pipelining])
    for data in (b"220 mx.example\r\n", b"250-mx.example\r\n250 PIPELINING\r\n"):
        client.receive_data(data)
        client.next_event()
        if not client.session.extended:
            client.send(Ehlo(Domain("c.example")))
            client.data_to_send()
    client.send(Mail(ReversePath(None)))
    rcpt = Rcpt(ForwardPath(None))

    def run() -> None:
        for _ in range(number):
            client.send(rcpt)
        client.receive_data(b"250 OK\r\n")
        client.next_event()
        while client.pending:
            client.data_to_send()
            client.receive_data(b"550 no\r\n" if refused else b"250 OK\r\n")
            client.next_event()

    return run


@pytest.mark.parametrize("refused", [False, True])
def test_recipients(*, refused: bool) -> None:
    _, once = work(recipients(2_000, refused=refused))
    _, twice = work(recipients(4_000, refused=refused))
    assert twice <= 2.1 * once
    assert once / 2_000 < 100
