"""Strategies for octets: content, the segments it arrives in, damaged octets."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from .made_once import made_once

__all__ = ["Cuts", "contents", "cuts", "in_short", "mutated", "segmentations", "segmented"]

_RUN = re.compile(rb"(.)\1{39,}", re.DOTALL)

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
    b"x" * 3000,
]
_INSERTED = st.sampled_from(_PIECES) | st.binary(max_size=4)
_OCTET = st.binary(min_size=1, max_size=1)
_CHANGES = st.sampled_from(["drop", "double", "insert", "octet", "endings", "cut", "move"])
_ENDINGS = st.sampled_from([b"\n", b"\r", b"\n\r"])


class Octets(bytes):
    """Octets that hypothesis prints line by line."""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001  its interface
        lines = [in_short(line) for line in self.splitlines(keepends=True)]
        if len(lines) < 2:
            printer.text(in_short(self))
        else:
            printer.text("".join(["(", *(f"\n        {line}" for line in lines), "\n    )"]))


def in_short(octets: bytes) -> str:
    """Return octets as Python writes them; a long run of one octet becomes a product."""
    parts, at = [], 0
    for found in _RUN.finditer(octets):
        if found.start() > at:
            parts.append(repr(bytes(octets[at : found.start()])))
        parts.append(f"{found[1]!r} * {len(found[0])}")
        at = found.end()
    if at < len(octets) or not parts:
        parts.append(repr(bytes(octets[at:])))
    return " + ".join(parts)


def contents(
    *, bare: bool = False, seven_bit: bool = False, max_lines: int = 8
) -> st.SearchStrategy[bytes]:
    """Message content: any octets in lines that CRLF separates, with or without one at the end.

    Lines of dots, empty lines, lines that look like commands, NUL, octets above 127 and lines that
    are too long (section 4.5.3.1.6) are frequent.  The simplest is the line `hello`.

    Arguments:
        bare: whether a bare CR or LF is allowed; `LineEndings.REFUSE` refuses such content.
        seven_bit: whether to use only ASCII, for a server without 8BITMIME.
        max_lines: the most lines.
    """
    return _contents(bare, seven_bit, max_lines)


@made_once
def _contents(bare: bool, seven_bit: bool, max_lines: int) -> st.SearchStrategy[bytes]:  # noqa: FBT001
    octets = st.binary(max_size=20)
    if seven_bit:
        octets = octets.map(lambda line: bytes(octet & 127 for octet in line))
    if not bare:
        octets = octets.map(lambda line: line.translate(None, b"\r\n"))
    special = [b"", b"a", b".", b"..", b".a", b"a.", b". ", b"Subject: x", b"QUIT", b"\0"]
    if not seven_bit:
        special += [b"\xc3\xa9", b"\xff"]
    if bare:
        special += [b"\r", b"\n", b"\n.", b"\n.\n", b"\r.\r", b".\r"]
    special += [b"a" * 998, b"a" * 5000]
    lines = st.sampled_from(special) | octets
    several = st.lists(lines, max_size=max_lines).map(b"\r\n".join)
    return st.just(b"hello\r\n") | several


@dataclass(frozen=True, slots=True)
class Cuts:
    r"""Cuts any octets into segments: `segments` of `Pair`, for example.

        >>> Cuts(3, 1)(b"QUIT\r\n")
        [b'QUI', b'T', b'\r\n']

    Arguments:
        sizes: the sizes of the segments, in octets, again and again; none: all at once.
    """

    sizes: tuple[int, ...]

    def __init__(self, *sizes: int) -> None:
        object.__setattr__(self, "sizes", sizes)

    def __repr__(self) -> str:
        return f"Cuts({', '.join(map(str, self.sizes))})"

    def __call__(self, octets: bytes) -> list[bytes]:
        """Return the segments; none is empty."""
        found, sizes = [], itertools.cycle(self.sizes or (len(octets),))
        while octets:
            size = next(sizes)
            found.append(octets[:size])
            octets = octets[size:]
        return found


def cuts() -> st.SearchStrategy[Cuts]:
    """Ways to cut any octets: all at once, one octet at a time, pieces of any sizes.

    A failing example shows the few numbers, where `segmentations` shows all octets.
    """
    sizes = st.lists(st.integers(1, 20) | st.integers(20, 1000), min_size=1, max_size=6)
    return (st.just([]) | st.just([1]) | sizes).map(lambda sizes: Cuts(*sizes))


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
    # The whole comes first and takes no further choice: hypothesis shrinks towards it.
    cuts = st.lists(st.integers(1, size - 1), min_size=1, max_size=most, unique=True)
    nowhere: st.SearchStrategy[list[int]] = st.just([])
    places = nowhere | cuts.map(sorted) | st.just(list(range(1, size)))
    return places.map(lambda places: _cut(octets, places))


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
        change = draw(_CHANGES)
        if change == "drop":
            piece = b""
        elif change == "double":
            piece *= 2
        elif change == "insert":
            piece = draw(_INSERTED) + piece
        elif change == "octet":
            piece = draw(_OCTET) + piece[1:]
        elif change == "endings":
            end = len(data)
            piece = data[start:].replace(b"\r\n", draw(_ENDINGS), 1)
        elif change == "cut":
            piece, end = b"", len(data)
        else:
            data = data[:start] + data[end:]
            start = end = draw(st.integers(0, len(data)))
        data = data[:start] + piece + data[end:]
    return Octets(data)
