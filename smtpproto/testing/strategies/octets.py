"""Strategies for octets: content, the segments it arrives in, damaged octets."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st

__all__ = ["contents", "mutated", "segmentations", "segmented"]

# Random octets rarely test framing; these are the octets that framing depends on.
_PIECES = [
    b"\r\n",
    b"\r\n.\r\n",
    b"\r\n.",
    b".\r\n",
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r",
    b"\n",
    b".",
    b"\0",
    b" ",
    b"<",
    b">",
    b":",
    b"\xff",
    b"DATA\r\n",
    b"RSET\r\n",
    b"QUIT\r\n",
    b"MAIL FROM:<>\r\n",
    b"RCPT TO:<postmaster>\r\n",
    b"BDAT 5 LAST\r\n",
    b"STARTTLS\r\n",
    b"AUTH PLAIN\r\n",
    b"EHLO x\r\n",
]


def contents(
    *, bare: bool = False, seven_bit: bool = False, max_lines: int = 8
) -> st.SearchStrategy[bytes]:
    """Message content: any octets in lines that CRLF separates, with or without one at the end.

    Lines of dots, empty lines and lines that look like commands are frequent.

    Arguments:
        bare: whether a bare CR or LF is allowed; `LineEndings.REFUSE` refuses such content.
        seven_bit: whether to use only ASCII, for a server without 8BITMIME.
        max_lines: the most lines.
    """
    alphabet = st.integers(0, 127) if seven_bit else st.integers(0, 255)
    octets = alphabet if bare else alphabet.filter(lambda octet: octet not in b"\r\n")
    special = [b"", b".", b"..", b". ", b".a", b"a.", b"Subject: x", b"QUIT", b"a" * 998]
    if bare:
        special += [b"\r", b"\n", b"\n.", b"\n.\n", b"\r.\r", b".\r"]
    lines = st.sampled_from(special) | st.lists(octets, max_size=20).map(bytes)
    return st.lists(lines, max_size=max_lines).map(b"\r\n".join)


def segmentations(octets: bytes, *, most: int = 8) -> st.SearchStrategy[list[bytes]]:
    """The ways in which octets can arrive: nonempty pieces that join to the whole.

    They include the whole at once and one octet at a time.

    Arguments:
        octets: the whole.
        most: the most cuts, apart from one at every octet.
    """
    size = len(octets)
    if size < 2:
        return st.just([octets] if octets else [])
    everywhere = st.just(list(range(1, size)))
    cuts = st.lists(st.integers(1, size - 1), max_size=most, unique=True).map(sorted) | everywhere
    return cuts.map(lambda places: _cut(octets, places))


def _cut(octets: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *places, len(octets)]
    return [octets[start:end] for start, end in pairwise(edges)]


def segmented(octets: st.SearchStrategy[bytes], *, most: int = 8) -> st.SearchStrategy[list[bytes]]:
    """The octets of another strategy in pieces; see `segmentations`.

    Arguments:
        octets: a strategy for the whole.
        most: cuts at most.
    """
    return octets.flatmap(lambda whole: segmentations(whole, most=most))


def mutated(octets: st.SearchStrategy[bytes], *, most: int = 4) -> st.SearchStrategy[bytes]:
    """The octets of another strategy, damaged: some lost, doubled, changed, moved or inserted.

    The result may be anything, also undamaged.  It stays close to valid octets, so a reader gets
    far into it.

    Arguments:
        octets: a strategy for the undamaged octets.
        most: the most changes.
    """
    return _mutated(octets, most)


@st.composite
def _mutated(draw: st.DrawFn, octets: st.SearchStrategy[bytes], most: int) -> bytes:
    data = draw(octets)
    for _ in range(draw(st.integers(1, most))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 12)))
        piece = data[start:end]
        change = draw(
            st.sampled_from(["drop", "double", "insert", "octet", "endings", "cut", "move"])
        )
        if change == "drop":
            piece = b""
        elif change == "double":
            piece *= 2
        elif change == "insert":
            piece = draw(st.sampled_from(_PIECES) | st.binary(max_size=4)) + piece
        elif change == "octet":
            piece = draw(st.binary(min_size=1, max_size=1)) + piece[1:]
        elif change == "endings":
            end = len(data)
            piece = data[start:].replace(b"\r\n", draw(st.sampled_from([b"\n", b"\r", b"\n\r"])), 1)
        elif change == "cut":
            piece, end = b"", len(data)
        else:
            data = data[:start] + data[end:]
            start = end = draw(st.integers(0, len(data)))
        data = data[:start] + piece + data[end:]
    return data
