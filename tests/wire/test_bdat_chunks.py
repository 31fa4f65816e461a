"""Content in counted chunks, and the policy for a bare CR or LF in it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto.wire import (
    ContentEnd,
    CountedReader,
    CountedText,
    LineEndings,
    LineFault,
    ReceiveBuffer,
)
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


# --- line endings ---------------------------------------------------------------------------------

PIECES = st.lists(st.text("\r\n.a", max_size=6).map(str.encode), max_size=6)


def through(text: CountedText, pieces: list[bytes]) -> bytes:
    return b"".join([text.feed(piece) for piece in pieces]) + text.finish()


@given(PIECES, st.sampled_from([LineEndings.REFUSE, LineEndings.PRESERVE]))
def test_what_is_not_normalized_comes_out_as_it_came(
    pieces: list[bytes], line_endings: LineEndings
) -> None:
    text = CountedText(line_endings)
    assert through(text, pieces) == b"".join(pieces)
    assert text.finish() == b""


@given(PIECES)
def test_refuse_names_the_first_fault(pieces: list[bytes]) -> None:
    text = CountedText(LineEndings.REFUSE)
    through(text, pieces)
    match = re.search(rb"\r(?!\n)|(?<!\r)\n", b"".join(pieces))
    expected = None
    if match is not None:
        expected = LineFault.BARE_CR if match[0] == b"\r" else LineFault.BARE_LF
    assert text.bad is expected


@given(PIECES)
def test_normalize_makes_a_crlf_of_each(pieces: list[bytes]) -> None:
    text = CountedText(LineEndings.NORMALIZE)
    assert through(text, pieces) == re.sub(rb"\r\n|\r|\n", b"\r\n", b"".join(pieces))
    assert text.bad is None


@pytest.mark.parametrize("line_endings", LineEndings)
def test_a_crlf_may_be_cut_between_two_pieces(line_endings: LineEndings) -> None:
    text = CountedText(line_endings)
    assert [text.feed(b"a\r"), text.feed(b"\n"), text.finish()] == [b"a", b"\r\n", b""]
    assert text.bad is None
