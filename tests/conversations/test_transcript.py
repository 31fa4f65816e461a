"""Transcripts: what is shown of a session, and that nothing in it can steer a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto.conversations import Transcript
from smtpproto.conversations.transcript import LONGEST, printable


def transcript(*said: tuple[str, bytes, bool], content: int = 1000) -> list[str]:
    lines: list[str] = []
    observe = Transcript(lines.append, content=content)
    for sender, octets, is_content in said:
        observe(sender, octets, is_content)
    return lines


@pytest.mark.parametrize(
    "octets, text",
    [
        (b"250 OK", "250 OK"),
        ("grüße".encode(), "grüße"),
        (b"a\tb", "a\tb"),
        (b"\xe4", "\\xe4"),
        (b"\x1b[2J\x00\r\n", "\\x1b[2J\\x00\\x0d\\x0a"),
        ("\u202e".encode(), "\\x202e"),
    ],
)
def test_what_is_printable(octets: bytes, text: str) -> None:
    assert printable(octets) == text


@given(st.binary())
def test_nothing_else_is_shown(octets: bytes) -> None:
    assert all(c.isprintable() or c == "\t" for c in printable(octets))


def test_lines_and_content() -> None:
    assert transcript(
        ("C", b"DATA", False),
        ("S", b"354 go", False),
        ("C", b"Subject: x\r\n\r", True),
        ("C", b"\n.dot\r\nbare\nlast", True),
        ("C", b".", False),
    ) == [
        "C: DATA",
        "S: 354 go",
        "C: Subject: x",
        "C: ",
        "C: ..dot",
        "C: bare",
        "C: last",
        "C: .",
    ]


def test_the_rest_is_counted() -> None:
    said = [("C", b"1\r\n2\r\n3\r\n4", True), ("C", b"\r\n5\r\n6", True), ("C", b".", False)]
    assert transcript(*said, content=2) == ["C: 1", "C: 2", "C: ... 3 more lines ...", "C: ."]
    # Each message is counted by itself.
    assert transcript(*said, *said, content=2) == 2 * transcript(*said, content=2)


def test_long_lines_are_cut() -> None:
    (line, _) = transcript(("C", b"x" * 10_000, True), ("C", b".", False))
    assert line == "C: " + "x" * LONGEST
