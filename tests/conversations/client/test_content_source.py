"""Content on its way out: what is known of it, how it is read, and read again."""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import LineEndings, LocalProtocolError
from smtpproto.conversations.client.content_source import CHUNK, ContentSource
from smtpproto.testing import Link
from smtpproto.wire import DotEncoder
from tests.conversations.driver import Inbox, begin, deliver, serve, statuses

BIG = bytes(range(256)) * 1000


def read(source: ContentSource) -> list[bytes]:
    chunks = []
    while (chunk := Link().run(source.next())) is not None:
        chunks.append(chunk)
    return chunks


class Plain:
    """A file without more methods than it takes."""

    def __init__(self, octets: bytes, most: int = CHUNK) -> None:
        self._file = io.BytesIO(octets)
        self._most = most

    def read(self, size: int) -> bytes:
        return self._file.read(min(size, self._most))


class Again:
    """An asynchronous iterable that begins anew each time."""

    def __init__(self, pieces: Sequence[bytes] = (BIG[:1000], b"", BIG[1000:])) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


def generator() -> Iterator[bytes]:
    yield BIG[:5]
    yield b""
    yield BIG[5:]


def not_seekable() -> io.BytesIO:
    file = io.BytesIO(BIG)
    file.seekable = lambda: False  # type: ignore[method-assign]
    return file


def in_the_middle() -> io.BytesIO:
    file = io.BytesIO(b"skipped" + BIG)
    file.seek(7)
    return file


KINDS: list[tuple[Callable[[], Any], bool]] = [
    (lambda: BIG, True),
    (lambda: bytearray(BIG), True),
    (lambda: memoryview(BIG), True),
    (lambda: io.BytesIO(BIG), True),
    (in_the_middle, True),
    (not_seekable, False),
    (lambda: Plain(BIG), False),
    (lambda: [BIG[:10], BIG[10:]], True),
    (generator, False),
    (Again, True),
    (lambda: Again().__aiter__(), False),
]


@pytest.mark.parametrize("make, again", KINDS)
def test_every_kind_is_read_and_maybe_read_again(make: Callable[[], Any], again: bool) -> None:
    source = ContentSource(make())
    assert Link().run(source.keep()) is again
    assert b"".join(read(source)) == BIG
    if again:
        Link().run(source.rewind())
        assert b"".join(read(source)) == BIG


def test_chunks_of_what_is_in_memory() -> None:
    assert max(map(len, read(ContentSource(BIG)))) == CHUNK
    assert read(ContentSource(b"")) == []


def test_a_file_ends_where_it_says_so() -> None:
    assert read(ContentSource(io.BytesIO(b""))) == []


@given(
    st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b".", b"\xe4", b"xyz"])).map(b"".join)
)
def test_size_counts_what_is_sent(octets: bytes) -> None:
    encoder = DotEncoder(LineEndings.NORMALIZE)
    sent = encoder.encode(octets) + encoder.finish()
    undone = sent[:-3].replace(b"\r\n.", b"\r\n").removeprefix(b".")
    size = ContentSource(octets).octets_sent(binary=False)
    assert size == len(undone)


@pytest.mark.parametrize("before", [CHUNK - 2, CHUNK - 1, CHUNK])
@pytest.mark.parametrize("ending, clean", [(b"\r\n", True), (b"\r", False), (b"\n", False)])
def test_line_endings_where_pieces_meet(before: int, ending: bytes, *, clean: bool) -> None:
    """The content is looked at in pieces, and a CRLF may stand between two."""
    source = ContentSource(b"x" * before + ending + b"y" * CHUNK)
    assert source.has_clean_lines() is clean


def test_what_is_not_known_of_a_stream() -> None:
    source = ContentSource(io.BytesIO(b"\xe4\n"))
    assert source.octets_sent(binary=False) is source.octets_sent(binary=True) is None
    assert source.eight_bit is None
    assert not source.utf8_header
    source.check(LineEndings.REFUSE)


HEADER = b"Subject: \xc3\xa4\r\n\r\n"
TWO_PARTS = (
    b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    b"--x\r\nSubject: \xc3\xa4\r\n\r\nbody\r\n--x--\r\n"
)


@pytest.mark.parametrize(
    "octets, utf8",
    [
        (b"Subject: x\r\n\r\nbody\r\n", False),
        (b"Subject: x\r\n\r\n\xc3\xa4\r\n", False),
        (HEADER + b"body\r\n", True),
        (b"Subject: \xc3\xa4\n\nbody\r\n\r\n", True),
        (b"Subject: x\n\nbody\r\n\r\n\xc3\xa4", False),
        (b"Subject: \xc3\xa4", True),
        (b"Subject: \xe4\r\n\r\nbody\r\n", False),
        (TWO_PARTS, True),
    ],
)
def test_a_header_in_utf8(octets: bytes, utf8: bool) -> None:
    assert ContentSource(octets).utf8_header is utf8


def pieces_of(octets: bytes, size: int = 7) -> list[bytes]:
    return [octets[at : at + size] for at in range(0, len(octets), size)]


@pytest.mark.parametrize(
    "octets, eight_bit, utf8",
    [
        (HEADER + b"body\r\n" * 9, True, True),
        # What follows the header is not read yet.
        (b"A: b\r\n\r\n" + b"body\r\n" * 9 + HEADER, None, False),
        # No header that ends, so that all of it was looked at.
        (b"A: b\r\n", False, False),
        (b"A: \xe4", True, False),
        (b"", False, False),
    ],
)
@pytest.mark.parametrize(
    "make", [pieces_of, lambda octets: Again(pieces_of(octets)), lambda octets: Plain(octets, 7)]
)
def test_what_is_known_of_a_stream_that_was_looked_at(
    make: Callable[[bytes], Any], octets: bytes, eight_bit: bool | None, utf8: bool
) -> None:
    source = ContentSource(make(octets))
    Link().run(source.look())
    assert (source.eight_bit, source.utf8_header) == (eight_bit, utf8)
    assert b"".join(read(source)) == octets


def test_a_look_has_an_end() -> None:
    """A header of more than a MiB is not kept in memory."""
    asked = 0

    def endless() -> Iterator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield b"A: b\r\n" * 1000

    source = ContentSource(endless())
    Link().run(source.look())
    assert asked == 2**20 // 6000 + 1
    assert source.eight_bit is None


def test_what_must_not_pass() -> None:
    refusal = LocalProtocolError("no")
    source = ContentSource(pieces_of(b"A: b\r\n\r\nbody\r\n" + TWO_PARTS))
    Link().run(source.look())
    source.eight_bit_refusal = refusal
    with pytest.raises(LocalProtocolError) as caught:
        read(source)
    assert caught.value is refusal
    source = ContentSource(pieces_of(TWO_PARTS))
    Link().run(source.look())
    source.utf8_refusal = refusal
    with pytest.raises(LocalProtocolError) as caught:
        read(source)
    assert caught.value is refusal


def test_it_is_looked_at_again_when_it_is_read_again() -> None:
    source = ContentSource(pieces_of(b"A: b\r\n\r\n\xe4"))
    assert Link().run(source.keep())
    Link().run(source.look())
    read(source)
    known = [source.eight_bit]
    Link().run(source.rewind())
    known.append(source.eight_bit)
    assert known == [True, None]
    source.eight_bit_refusal = LocalProtocolError("no")
    with pytest.raises(LocalProtocolError):
        read(source)


@pytest.mark.parametrize(
    "content",
    [
        ["text"],
        iter([b"A: b\r\n", 7]),
        [b"A: b\r\n", None],
        Again((b"A: b\r\n", None)),  # type: ignore[arg-type]
    ],
    ids=["text", "number", "None", "None of an asynchronous iterable"],
)
def test_what_gives_no_bytes(content: Any) -> None:
    with pytest.raises(TypeError, match="content: expected bytes, found"):
        Link().run(ContentSource(content).look())


def test_a_pipe_that_has_no_octets_yet_is_not_at_its_end() -> None:
    """A part of the message must not be delivered for the whole."""
    inbox = Inbox()
    link = serve(inbox)
    client = begin(link)
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with io.FileIO(reading) as pipe, io.FileIO(writing, "w") as sender:
        sender.write(b"Subject: hello\r\n\r\nThe first half\r\n")
        with pytest.raises(TypeError, match="content: expected bytes, found None"):
            deliver(link, client, pipe)
    assert inbox.messages == []


@pytest.mark.parametrize("octets", [b"a\nb", b"a\rb", b"a\n\r", b"\n", b"a\r\r\n", b"a\r"])
def test_line_endings(octets: bytes) -> None:
    with pytest.raises(LocalProtocolError, match="not part of a CRLF"):
        ContentSource(octets).check(LineEndings.REFUSE)
    ContentSource(octets).check(LineEndings.NORMALIZE)
    ContentSource(b"a\r\n").check(LineEndings.REFUSE)


@pytest.mark.parametrize(
    "content, found",
    [("x\r\n", "text"), (io.StringIO("x\r\n"), "text"), (7, "int"), (None, "None")],
)
def test_text_is_no_content(content: Any, found: str) -> None:
    with pytest.raises(TypeError, match=f"content: expected bytes, .*, found {found}"):
        ContentSource(content)


def test_nothing_is_sent_where_the_content_is_text(tmp_path: Path) -> None:
    path = tmp_path / "message"
    path.write_text("Subject: x\n", encoding="utf-8")
    link = serve(Inbox())
    client = begin(link)
    sent = link.client.sent()
    with path.open(encoding="utf-8") as file, pytest.raises(TypeError, match="open the file with"):
        deliver(link, client, file)
    assert link.client.sent() == sent
    with path.open("rb") as file:
        client.line_endings = LineEndings.NORMALIZE
        assert statuses(deliver(link, client, file)) == ["ACCEPTED"]
