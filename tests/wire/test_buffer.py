from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto.wire import ReceiveBuffer
from tests.wire.segments import segmented


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_takes_every_kind_of_octets(kind: type) -> None:
    buffer = ReceiveBuffer()
    buffer.feed(kind(b"NOOP\r\n"))
    assert len(buffer) == 6
    assert buffer.peek(6) == b"NOOP\r\n"


def test_a_copy_is_taken() -> None:
    data = bytearray(b"NOOP")
    buffer = ReceiveBuffer()
    buffer.feed(data)
    data[:] = b"XXXX"
    assert buffer.peek(4) == b"NOOP"


def test_peek_leaves_the_octets_where_they_are() -> None:
    buffer = ReceiveBuffer()
    buffer.feed(b"abc")
    assert buffer.peek(2) == b"ab"
    assert buffer.peek(9) == b"abc"
    assert buffer.peek(0) == b""
    assert len(buffer) == 3
    # An export that outlives the call would forbid this.
    buffer.feed(b"d")
    assert buffer.peek(9) == b"abcd"


def test_clear_forgets_all() -> None:
    buffer = ReceiveBuffer()
    buffer.feed(b"abc")
    buffer.skip(1)
    buffer.searched = 1
    buffer.clear()
    assert (len(buffer), buffer.offset, buffer.searched) == (0, 0, 0)


def test_an_empty_buffer_keeps_no_memory() -> None:
    buffer = ReceiveBuffer()
    empty = sys.getsizeof(buffer.octets)
    buffer.feed(bytes(65536))
    buffer.skip(65535)
    buffer.skip(1)
    assert sys.getsizeof(buffer.octets) == empty
    assert buffer.offset == 0


@given(segmented(), st.lists(st.integers(0, 20)))
def test_what_is_read_is_what_was_fed(pieces: list[bytes], steps: list[int]) -> None:
    buffer = ReceiveBuffer()
    read = b""
    for piece, step in zip(pieces, [*steps, *[0] * len(pieces)], strict=False):
        buffer.feed(piece)
        some = buffer.peek(step)
        buffer.skip(len(some))
        read += some
    assert read + buffer.peek(len(buffer)) == b"".join(pieces)
