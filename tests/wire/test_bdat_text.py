"""The policy for a bare CR or LF in text that comes in counted chunks."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto.wire import CountedText, LineEndings, LineFault

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
