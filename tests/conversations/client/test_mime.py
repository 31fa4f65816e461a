"""The MIME structure of content: what is seen of it as it passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto.conversations.client.mime import (
    ContentType,
    Examiner,
    content_type,
    fields_of,
    name_of,
    unfold,
)
from tests.weight import weight

A_UMLAUT = b"\xc3\xa4"


def examine(*pieces: bytes) -> Examiner:
    examiner = Examiner()
    for piece in pieces:
        examiner.feed(piece)
    examiner.finish()
    return examiner


MULTI = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
NESTED = (
    MULTI
    + b'--x\r\nContent-Type: multipart/alternative;\r\n boundary="y z"\r\n\r\n'
    + b"--y z\r\n%s\r\n\r\nbody\r\n--y z--\r\n--x\r\n%s\r\n\r\nbody\r\n--x--\r\n"
)


@pytest.mark.parametrize(
    "content, utf8",
    [
        (b"Subject: x\r\n\r\n\xc3\xa4\r\n", False),
        (b"Subject: \xc3\xa4\r\n\r\nbody\r\n", True),
        (b"Subject: \xc3\xa4", True),
        (b"Subject: \xe4\r\n\r\nbody\r\n", False),
        # One line that is an old mistake does not hide another one.
        (b"Subject: \xe4\r\nComments: \xc3\xa4\r\n\r\n", True),
        (b"\r\nSubject: \xc3\xa4\r\n", False),
        # At any level.
        (MULTI + b"--x\r\nX: \xc3\xa4\r\n\r\nbody\r\n--x--\r\n", True),
        (MULTI + b"--x\r\n\r\nX: \xc3\xa4\r\n--x--\r\n", False),
        (MULTI + b"X: \xc3\xa4\r\n--x\r\n\r\nbody\r\n--x--\r\nX: \xc3\xa4\r\n", False),
        (MULTI + b"--x \t\r\nX: \xc3\xa4", True),
        (MULTI + b"--xy\r\nX: \xc3\xa4\r\n\r\n --x\r\nX: \xc3\xa4\r\n", False),
        (MULTI + b"--x\r\nY: no more than a header\r\n--x\r\nX: \xc3\xa4\r\n--x--\r\n", True),
        (NESTED % (b"X: a", b"X: \xc3\xa4"), True),
        (NESTED % (b"X: \xc3\xa4", b"X: a"), True),
        (NESTED % (b"X: a", b"X: a") + b"--y z\r\nX: \xc3\xa4\r\n", False),
        # An outer delimiter ends inner parts, too.
        (
            MULTI + b"--x\r\n" + MULTI.replace(b"x\r", b"y\r") + b"--y\r\n\r\n--x\r\nX: \xc3\xa4",
            True,
        ),
        (b"Content-Type: message/rfc822\r\n\r\nSubject: \xc3\xa4\r\n\r\nbody", True),
        (b"Content-Type: Message/Global\r\n\r\nA: b\r\n\r\nX: \xc3\xa4", False),
        (
            MULTI.replace(b"mixed", b"digest") + b"--x\r\n\r\nSubject: \xc3\xa4\r\n\r\n--x--\r\n",
            True,
        ),
        # What cannot be read as a structure has none.
        (b"Content-Type: multipart/mixed\r\n\r\n--x\r\nX: \xc3\xa4\r\n", False),
        (b"Content-Type: x\r\n\r\n--x\r\nX: \xc3\xa4\r\n", False),
        # The first one counts.
        (b"Content-Type: text/plain\r\n" + MULTI + b"--x\r\nX: \xc3\xa4\r\n", False),
    ],
)
def test_utf8_in_a_header(content: bytes, utf8: bool) -> None:
    whole = examine(content)
    assert (whole.utf8_header, whole.eight_bit) == (utf8, True)
    one_by_one = examine(*(content[at : at + 1] for at in range(len(content))))
    assert one_by_one.utf8_header is utf8
    for ending in (b"\n", b"\r"):
        other = content.replace(b"\r\n", ending)
        assert examine(other).utf8_header is utf8
        assert examine(*(other[at : at + 1] for at in range(len(other)))).utf8_header is utf8


def test_where_the_header_ends() -> None:
    examiner = Examiner()
    for octet in b"A: b\r\n c\r\n\r":
        examiner.feed(bytes([octet]))
        assert not examiner.header_ended
    examiner.feed(b"\n")
    assert examiner.header_ended
    assert not examiner.finished
    assert examine(b"A: b").header_ended
    examiner = Examiner()
    examiner.feed(b"A: b\r\n")
    assert not examiner.header_ended
    examiner.feed(b"no field\r\n")
    assert examiner.header_ended


def test_long_lines_take_no_memory() -> None:
    examiner = Examiner()
    examiner.feed(b"X: ")
    for _ in range(100):
        examiner.feed(b"x" * 4096)
        assert weight(examiner) < 80_000
    examiner.feed(b"\r\n" + MULTI)
    for _ in range(100):
        examiner.feed(b"x" * 4096)
        assert weight(examiner) < 3000
    examiner.feed(b"--x\r\nX: \xc3\xa4\r\n")
    assert not examiner.utf8_header  # it was within a line
    examiner.feed(b"x" * 4096 + b"\r")
    examiner.feed(b"--x\rX: \xc3\xa4\r")
    assert not examiner.utf8_header  # an LF may follow
    examiner.feed(b"\r")
    assert examiner.utf8_header


def test_a_long_content_type_takes_no_memory() -> None:
    examiner = Examiner()
    examiner.feed(b"Content-Type: multipart/mixed;\r\n")
    for _ in range(10_000):
        examiner.feed(b" a=aaaaaaaaaaaa;\r\n")
    assert weight(examiner) < 80_000


def test_a_deep_structure_ends_somewhere() -> None:
    examiner = Examiner()
    for number in range(1000):
        examiner.feed(
            b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (number, number)
        )
        assert weight(examiner) < 10_000


LINES = st.sampled_from(
    [b"", b"--x", b"--y", b"--x--", b"--y--", b"A: b", b" c", A_UMLAUT, b"X: " + A_UMLAUT, b"\xe4"]
    + [
        f"Content-Type: multipart/{kind}; boundary={b}".encode()
        for kind in ("mixed", "digest")
        for b in "xy"
    ]
    + [b"Content-Type: message/rfc822", b"Content-Type: text/plain"]
)


@given(st.data(), st.lists(LINES, max_size=20), st.sampled_from([b"\r\n", b"\n", b"\r"]))
def test_segmentation_makes_no_difference(
    data: st.DataObject, lines: list[bytes], ending: bytes
) -> None:
    content = ending.join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=10)))
    pieces = [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    whole, cut = examine(b"\r\n".join(lines)), examine(*pieces)
    assert (whole.utf8_header, whole.eight_bit) == (cut.utf8_header, cut.eight_bit)


# --- fields ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [b"\r\n", b"\n", b"\r"])
def test_fields(ending: bytes) -> None:
    fields = [b"A: b\r\n", b"C : d\r\n\te\r\n", b"no field\r\n"]
    fields = [field.replace(b"\r\n", ending) for field in fields]
    header = b"".join(fields)
    assert fields_of(header + ending + b"body") == (fields, len(header))
    assert fields_of(header) == (fields, len(header))
    assert fields_of(ending + b"A: b") == ([], 0)
    assert [name_of(field) for field in fields] == ["a", "c", "no field"]
    assert [unfold(field) for field in fields] == [b"b", b"d\te", b""]


def test_a_field_without_line_ending() -> None:
    assert fields_of(b"A: b\r\n c") == ([b"A: b\r\n c"], 8)


@pytest.mark.parametrize(
    "body, found",
    [
        (b"text/plain", ContentType("text/plain", None, "")),
        (b"Text/PLAIN ; CharSet = UTF-8", ContentType("text/plain", None, "utf-8")),
        (
            b'multipart/mixed; charset=x; boundary="a;\\"b\\\\ c"; d',
            ContentType("multipart/mixed", b'a;"b\\ c', "x"),
        ),
        (b"multipart/mixed; boundary=a=b/c", ContentType("multipart/mixed", b"a=b/c", "")),
        (b"", None),
        (b"text", None),
        (b"; charset=x", None),
    ],
)
def test_content_types(body: bytes, found: ContentType | None) -> None:
    assert content_type(body) == found


def test_what_has_parts() -> None:
    assert ContentType("multipart/mixed", b"x", "").multipart
    assert not ContentType("multipart/mixed", b"", "").multipart
    assert not ContentType("text/plain", b"x", "").multipart
