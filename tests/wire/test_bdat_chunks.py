from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto.wire import ContentEnd, CountedReader, ReceiveBuffer
from smtpproto.wire.buffer import CHUNK
from tests.wire.segments import content_of, segmented


def test_hands_out_what_there_is_and_nothing_of_what_follows() -> None:
    buffer = ReceiveBuffer()
    reader = CountedReader(buffer, 5)
    assert reader.read() is None
    buffer.feed(b"ab")
    assert reader.read() == b"ab"
    assert reader.read() is None
    buffer.feed(b"\r\n.\r\nQUIT\r\n")
    assert reader.read() == b"\r\n."
    assert reader.read() is ContentEnd.END
    assert reader.read() is ContentEnd.END
    assert buffer.peek(99) == b"\r\nQUIT\r\n"


def test_a_chunk_may_be_empty() -> None:
    buffer = ReceiveBuffer()
    buffer.feed(b"QUIT\r\n")
    assert CountedReader(buffer, 0).read() is ContentEnd.END
    assert len(buffer) == 6


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="-1 octets"):
        CountedReader(ReceiveBuffer(), -1)


def test_a_large_feed_comes_out_in_pieces() -> None:
    buffer = ReceiveBuffer()
    buffer.feed(bytes(2 * CHUNK + 1))
    reader = CountedReader(buffer, 2 * CHUNK + 1)
    sizes = []
    while isinstance(chunk := reader.read(), bytes):
        sizes.append(len(chunk))
    assert sizes == [CHUNK, CHUNK, 1]


@given(segmented(), st.integers(0, 80))
def test_any_segmentation_gives_the_same(pieces: list[bytes], count: int) -> None:
    data = b"".join(pieces)
    buffer = ReceiveBuffer()
    # The end of an empty chunk needs no octet to be seen.
    found, ended = content_of(CountedReader(buffer, count).read, buffer, [*pieces, b""])
    assert found == data[:count]
    assert ended == (len(data) >= count)
    assert buffer.peek(len(buffer)) == data[count:]
