"""Octets and their segmentations, for the tests of everything that reads a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

from hypothesis import strategies as st

from smtpproto.wire import ContentEnd, ReceiveBuffer

# Arbitrary octets hit nothing that matters; an alphabet of what matters hits little else.
PIECES = [b"\r\n", b"\r\n.", b"\r\n.\r\n", b"\r", b"\n", b".", b"\0", b"a", b"b"]
octets = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join),
    st.text("\r\n.\0ab", max_size=60).map(str.encode),
    st.binary(max_size=60),
)


@st.composite
def segmented(draw: st.DrawFn, whole: st.SearchStrategy[bytes] = octets) -> list[bytes]:
    """Octets in pieces; some may be empty."""
    data = draw(whole)
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    if draw(st.booleans()):
        cuts = list(range(len(data)))
    return cut(data, cuts)


def cut(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    edges = [0, *cuts, len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def one_by_one(data: bytes) -> list[bytes]:
    return cut(data, range(1, len(data)))


def content_of(
    read: Callable[[], bytes | ContentEnd | None], buffer: ReceiveBuffer, pieces: Iterable[bytes]
) -> tuple[bytes, bool]:
    """What a reader makes of the pieces, and whether it came to the end of the content.

    All pieces are fed, also those that arrive after the end.
    """
    found = []
    ended = False
    for piece in pieces:
        buffer.feed(piece)
        while not ended and (chunk := read()) is not None:
            if isinstance(chunk, ContentEnd):
                ended = True
            else:
                assert chunk, "no piece is empty"
                found.append(chunk)
    return b"".join(found), ended
