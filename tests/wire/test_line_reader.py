from __future__ import annotations

import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smtpproto.wire import BadLine, DotDecoder, LineEndings, LineFault, LineReader, ReceiveBuffer
from tests.wire.segments import one_by_one, segmented

Line = bytes | BadLine


def bad(reason: LineFault, start: bytes) -> BadLine:
    return BadLine(reason, start)


def read_all(reader: LineReader, buffer: ReceiveBuffer, pieces: Iterable[bytes]) -> list[Line]:
    lines = []
    for piece in pieces:
        buffer.feed(piece)
        while (line := reader.read()) is not None:
            lines.append(line)
    return lines


def lines_of(pieces: Iterable[bytes], limit: int = 512) -> list[Line]:
    buffer = ReceiveBuffer()
    return read_all(LineReader(buffer, limit), buffer, pieces)


def slow_lines(data: bytes, limit: int) -> tuple[list[Line], int]:
    """The same, octet by octet; and how many octets of lines that are too long can go."""
    lines: list[Line] = []
    dropped = 0
    line = bytearray()
    for octet in data:
        line.append(octet)
        if not line.endswith(b"\r\n"):
            continue
        text = bytes(line[:-2])
        if len(line) > limit:
            lines.append(bad(LineFault.TOO_LONG, text[: min(64, limit - 1)]))
            dropped += len(line)
        elif 0 in text:
            lines.append(bad(LineFault.NUL, text[:64]))
        elif b"\n" in text:
            lines.append(bad(LineFault.BARE_LF, text[:64]))
        elif b"\r" in text:
            lines.append(bad(LineFault.BARE_CR, text[:64]))
        else:
            lines.append(text)
        line.clear()
    if len(line) >= limit:
        # Only a CR that may belong to a CRLF has to stay.
        dropped += len(line) - line.endswith(b"\r")
    return lines, dropped


# The octets, and what a limit of 12 makes of them.
GOOD: list[tuple[bytes, list[Line]]] = [
    (b"", []),
    (b"NOOP", []),
    (b"NOOP\r", []),
    (b"NOOP\r\n", [b"NOOP"]),
    (b"\r\n", [b""]),
    (b"\r\n\r\n", [b"", b""]),
    (b"NOOP\r\nQUIT\r\nRS", [b"NOOP", b"QUIT"]),
    (b"0123456789\r\n", [b"0123456789"]),
    (b"\xff\xfe\r\n", [b"\xff\xfe"]),
    (b".\r\n", [b"."]),
]
TOO_LONG: list[tuple[bytes, list[Line]]] = [
    (b"0123456789a\r\n", [bad(LineFault.TOO_LONG, b"0123456789a")]),
    (b"0123456789ab\r\n", [bad(LineFault.TOO_LONG, b"0123456789a")]),
    (b"0123456789a\r\nNOOP\r\n", [bad(LineFault.TOO_LONG, b"0123456789a"), b"NOOP"]),
    (b"x" * 99 + b"\r\nNOOP\r\n", [bad(LineFault.TOO_LONG, b"x" * 11), b"NOOP"]),
    (b"x" * 99 + b"\r", []),
    (b"0123456789a\rx\r\n", [bad(LineFault.TOO_LONG, b"0123456789a")]),
    # The length comes first: the other faults may have been dropped.
    (b"\0\r\n", [bad(LineFault.NUL, b"\0")]),
    (b"\n" * 20 + b"\0\r\n", [bad(LineFault.TOO_LONG, b"\n" * 11)]),
]
# The octets, and what the reader makes of them.
BARE: list[tuple[bytes, list[Line]]] = [
    (b"NOOP\nQUIT\r\n", [bad(LineFault.BARE_LF, b"NOOP\nQUIT")]),
    (b"NOOP\rQUIT\r\n", [bad(LineFault.BARE_CR, b"NOOP\rQUIT")]),
    (b"NOOP\r\r\n", [bad(LineFault.BARE_CR, b"NOOP\r")]),
    (b"NOOP\n\r\n", [bad(LineFault.BARE_LF, b"NOOP\n")]),
    (b"\n\r\r\n", [bad(LineFault.BARE_LF, b"\n\r")]),
    (b"NOOP\n", []),
    (b"A\0\n\r\n", [bad(LineFault.NUL, b"A\0\n")]),
    (b"A\nB\r\nC\r\n", [bad(LineFault.BARE_LF, b"A\nB"), b"C"]),
]


# The same where LF alone ends a line as well.
BARE_LF_ENDS: list[tuple[bytes, list[Line]]] = [
    (b"220 a\n", [b"220 a"]),
    (b"\n\r\n\n", [b"", b"", b""]),
    (b"220-a\n220-b\r\n220 c\n22", [b"220-a", b"220-b", b"220 c"]),
    (b"220 a\rb\n", [bad(LineFault.BARE_CR, b"220 a\rb")]),
    (b"220 a\r\r\n", [bad(LineFault.BARE_CR, b"220 a\r")]),
    (b"220 a\0\n", [bad(LineFault.NUL, b"220 a\0")]),
    (b"220 45678901\n", [bad(LineFault.TOO_LONG, b"220 4567890")]),
    (b"220 4567890\n", [b"220 4567890"]),
    (b"220 456789\r\n", [b"220 456789"]),
    (b"220 4567890\r\n220 a\n", [bad(LineFault.TOO_LONG, b"220 4567890"), b"220 a"]),
    (b"x" * 99 + b"\r\n220 a\n", [bad(LineFault.TOO_LONG, b"x" * 11), b"220 a"]),
]


@pytest.mark.parametrize("data, lines", BARE_LF_ENDS)
def test_a_bare_lf_may_end_the_line_of_a_reply(data: bytes, lines: list[Line]) -> None:
    for pieces in ([data], one_by_one(data)):
        buffer = ReceiveBuffer()
        reader = LineReader(buffer, 12, bare_lf_ends=True)
        assert read_all(reader, buffer, pieces) == lines


@pytest.mark.parametrize("data, lines", GOOD + TOO_LONG)
def test_lines_end_with_crlf(data: bytes, lines: list[Line]) -> None:
    assert lines_of([data], 12) == lines
    assert lines_of(one_by_one(data), 12) == lines


@pytest.mark.parametrize("data, refused", BARE)
def test_bare_cr_and_lf_never_end_a_line(data: bytes, refused: list[Line]) -> None:
    for pieces in [data], one_by_one(data):
        assert lines_of(pieces, 12) == refused


@given(segmented(), st.integers(3, 80))
@example([b"0123456789a\r", b"x\r\n"], 12)
@example([b"x" * 80, b"x\r", b"\r", b"\nNOOP\r\n"], 70)
def test_any_segmentation_gives_what_the_slow_reader_finds(pieces: list[bytes], limit: int) -> None:
    data = b"".join(pieces)
    buffer = ReceiveBuffer()
    reader = LineReader(buffer, limit)
    lines, dropped = slow_lines(data, limit)
    assert read_all(reader, buffer, pieces) == lines
    assert reader.dropped == dropped
    assert len(buffer) < limit
    # One strict line more shows that the reader is in step again.
    buffer.feed(b"\r\n")
    reader.read()
    assert read_all(reader, buffer, [b"Q\r\n"]) == [b"Q"]


def test_a_line_that_never_ends_costs_its_limit() -> None:
    buffer = ReceiveBuffer()
    reader = LineReader(buffer, 512)
    piece = b"x" * 4096
    tracemalloc.start()
    try:
        for _ in range(256):
            buffer.feed(piece)
            assert reader.read() is None
            assert len(buffer) <= 512
        assert tracemalloc.get_traced_memory()[1] < 16384
    finally:
        tracemalloc.stop()
    assert reader.dropped == 256 * 4096
    assert read_all(reader, buffer, [b"\r\nNOOP\r\n"]) == [
        bad(LineFault.TOO_LONG, b"x" * 64),
        b"NOOP",
    ]
    assert reader.dropped == 256 * 4096 + 2


def test_dropped_counts_all_lines_that_were_too_long() -> None:
    buffer = ReceiveBuffer()
    reader = LineReader(buffer, 8)
    read_all(reader, buffer, [b"0123456789\r\nNOOP\r\n0123456789", b"\r\n"])
    assert reader.dropped == 24


def test_the_limit_may_change_between_lines() -> None:
    buffer = ReceiveBuffer()
    reader = LineReader(buffer, 8)
    buffer.feed(b"0123456789\r\n" * 2)
    assert reader.read() == bad(LineFault.TOO_LONG, b"0123456")
    reader.limit = 12
    assert reader.read() == b"0123456789"


@pytest.mark.parametrize("limit", [0, 1])
def test_a_limit_that_no_line_meets_is_still_a_limit(limit: int) -> None:
    assert lines_of([b"abc", b"\r\n"], limit) == [bad(LineFault.TOO_LONG, b"")]


class Searches(bytearray):
    """Counts how many octets `find` has looked at."""

    looked_at = 0

    def find(self, sub: object, start: int = 0, end: int = 0) -> int:  # type: ignore[override]
        assert isinstance(sub, bytes)
        found = super().find(sub, start)
        self.looked_at += (len(self) if found < 0 else found + len(sub)) - start
        return found


def test_no_octet_is_searched_again_and_again() -> None:
    buffer = ReceiveBuffer()
    buffer.octets = octets = Searches(b"x")
    reader = LineReader(buffer, 2048)
    for piece in one_by_one(b"x" * 1000 + b"\r" * 10 + b"x" * 20):
        buffer.feed(piece)
        assert reader.read() is None
    # Each octet once, and once more after a CR.
    assert octets.looked_at <= 1030 + 11


def test_many_lines_in_one_feed_are_searched_once_and_moved_never() -> None:
    buffer = ReceiveBuffer()
    buffer.octets = octets = Searches(b"NOOP\r\n" * 1000 + b"NO")
    reader = LineReader(buffer, 512)
    assert read_all(reader, buffer, [b""]) == [b"NOOP"] * 1000
    assert octets.looked_at <= 6002
    assert buffer.octets is octets


def test_what_was_searched_is_forgotten_when_another_reader_reads() -> None:
    buffer = ReceiveBuffer()
    lines = LineReader(buffer, 512)
    buffer.feed(b"a line without an end")
    assert lines.read() is None
    buffer.clear()
    buffer.feed(b"hi\r\n.\r\nNOOP\r\n")
    content = DotDecoder(buffer, LineEndings.REFUSE)
    assert content.read() == b"hi\r\n"
    assert lines.read() == b"NOOP"


def test_the_beginning_of_a_refused_line_is_not_shown() -> None:
    assert "hunter2" not in repr(lines_of([b"hunter2\n\r\n"]))
