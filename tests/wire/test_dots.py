from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smtpproto.errors import LocalProtocolError
from smtpproto.wire import ContentEnd, DotDecoder, DotEncoder, LineEndings, LineFault, ReceiveBuffer
from smtpproto.wire.buffer import CHUNK
from tests.wire.segments import content_of, octets, one_by_one, segmented

REFUSE, NORMALIZE, PRESERVE = LineEndings
POLICIES = list(LineEndings)
CR, LF = LineFault.BARE_CR, LineFault.BARE_LF

Decoded = tuple[bytes, bool, LineFault | None, bytes]


def decode(pieces: Iterable[bytes], policy: LineEndings) -> Decoded:
    """The content, whether it ended, what is bad about it, and what was left in the buffer."""
    buffer = ReceiveBuffer()
    decoder = DotDecoder(buffer, policy)
    content, ended = content_of(decoder.read, buffer, pieces)
    return content, ended, decoder.bad, buffer.peek(len(buffer))


def encode(pieces: Iterable[bytes | bytearray | memoryview], policy: LineEndings) -> bytes:
    encoder = DotEncoder(policy)
    return b"".join(map(encoder.encode, pieces)) + encoder.finish()


# --- obvious and slow: one octet, or one character of a pattern, after the other ---------------


def slow_normal(content: bytes) -> bytes:
    return re.sub(rb"\r\n|\r|\n", b"\r\n", content)


def slow_fault(content: bytes) -> LineFault | None:
    for at, octet in enumerate(content):
        if octet == 13 and content[at + 1 : at + 2] != b"\n":
            return CR
        if octet == 10 and (at == 0 or content[at - 1] != 13):
            return LF
    return None


def slow_decode(data: bytes, policy: LineEndings) -> Decoded | None:
    """None if the content does not end."""
    content = bytearray()
    # What was on the wire before: the CRLF that ended the DATA command.
    before = b"\r\n"
    for at, octet in enumerate(data):
        if before.endswith(b"\r\n") and octet == ord("."):
            if data[at : at + 3] == b".\r\n":
                found = bytes(content)
                fault = slow_fault(found) if policy is REFUSE else None
                found = slow_normal(found) if policy is NORMALIZE else found
                return found, True, fault, data[at + 3 :]
        else:
            content.append(octet)
        before = before[-1:] + bytes([octet])
    return None


def slow_encode(content: bytes) -> bytes:
    """Encode content without a bare CR or LF."""
    if content and not content.endswith(b"\r\n"):
        content += b"\r\n"
    wire = bytearray()
    for at, octet in enumerate(content):
        if octet == ord(".") and (at == 0 or content[at - 2 : at] == b"\r\n"):
            wire.append(octet)
        wire.append(octet)
    return bytes(wire) + b".\r\n"


# --- both directions -----------------------------------------------------------------------------

# The content, and the same on the wire.
BOTH_WAYS = [
    (b"", b".\r\n"),
    (b"\r\n", b"\r\n.\r\n"),
    (b"hi\r\n", b"hi\r\n.\r\n"),
    (b".\r\n", b"..\r\n.\r\n"),
    (b"..\r\n", b"...\r\n.\r\n"),
    (b"hi\r\n.\r\n", b"hi\r\n..\r\n.\r\n"),
    (b".a\r\n.b\r\nc.\r\n", b"..a\r\n..b\r\nc.\r\n.\r\n"),
    (b"\r\n\r\n.\r\n\r\n", b"\r\n\r\n..\r\n\r\n.\r\n"),
    (b"a.b\r\n", b"a.b\r\n.\r\n"),
    (b"\0\xff\r\n", b"\0\xff\r\n.\r\n"),
]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("content, wire", BOTH_WAYS)
def test_dots_come_and_go(content: bytes, wire: bytes, policy: LineEndings) -> None:
    after = b"QUIT\r\n.\r\n"
    for pieces in [wire + after], one_by_one(wire + after), [wire, after]:
        assert decode(pieces, policy) == (content, True, None, after)
    if policy is not PRESERVE:
        assert encode([content], policy) == wire
        assert encode(one_by_one(content), policy) == wire
        assert encode([bytearray(content)], policy) == wire
        assert encode([memoryview(content)], policy) == wire


@given(segmented(), st.sampled_from([REFUSE, NORMALIZE]), st.sampled_from(POLICIES))
def test_what_is_decoded_is_what_was_encoded(
    pieces: list[bytes], encoding: LineEndings, decoding: LineEndings
) -> None:
    content = b"".join(pieces)
    if encoding is REFUSE and slow_fault(content) is not None:
        with pytest.raises(LocalProtocolError, match="found bare"):
            encode(pieces, encoding)
        return
    wire = encode(pieces, encoding)
    normal = slow_normal(content)
    if normal and not normal.endswith(b"\n"):
        normal += b"\r\n"
    assert wire == slow_encode(normal)
    assert decode([wire + b"QUIT\r\n"], decoding) == (normal, True, None, b"QUIT\r\n")
    assert decode(one_by_one(wire), decoding) == (normal, True, None, b"")
    # A strict server finds no end before the last octets.
    assert (b"\r\n" + wire).find(b"\r\n.\r\n") == len(wire) - 3


# --- the decoder --------------------------------------------------------------------------------

# On the wire, the content as it is kept, as it is normalised, and the first fault.
SMUGGLED = [
    (b"a\n.\nb\r\n.\r\n", b"a\n.\nb\r\n", b"a\r\n.\r\nb\r\n", LF),
    (b"a\n.\r\nb\r\n.\r\n", b"a\n.\r\nb\r\n", b"a\r\n.\r\nb\r\n", LF),
    (b"a\r\n.\nb\r\n.\r\n", b"a\r\n\nb\r\n", b"a\r\n\r\nb\r\n", LF),
    (b"a\r.\rb\r\n.\r\n", b"a\r.\rb\r\n", b"a\r\n.\r\nb\r\n", CR),
    (b"a\r\n.\rb\r\n.\r\n", b"a\r\n\rb\r\n", b"a\r\n\r\nb\r\n", CR),
    (b"a\r.\r\nb\r\n.\r\n", b"a\r.\r\nb\r\n", b"a\r\n.\r\nb\r\n", CR),
    (b"a\r\n.\r\r\nb\r\n.\r\n", b"a\r\n\r\r\nb\r\n", b"a\r\n\r\n\r\nb\r\n", CR),
    (b".\nb\r\n.\r\n", b"\nb\r\n", b"\r\nb\r\n", LF),
    (b".\rb\r\n.\r\n", b"\rb\r\n", b"\r\nb\r\n", CR),
    (b"\n.\r\nb\r\n.\r\n", b"\n.\r\nb\r\n", b"\r\n.\r\nb\r\n", LF),
    (b"a\n..b\r\n.\r\n", b"a\n..b\r\n", b"a\r\n..b\r\n", LF),
    (b"a\r\r\n.\r\n", b"a\r\r\n", b"a\r\n\r\n", CR),
    (b"a\n\r\n.\r\n", b"a\n\r\n", b"a\r\n\r\n", LF),
    (b"a\rb\nc\r\n.\r\n", b"a\rb\nc\r\n", b"a\r\nb\r\nc\r\n", CR),
    (b"a\nb\rc\r\n.\r\n", b"a\nb\rc\r\n", b"a\r\nb\r\nc\r\n", LF),
]


@pytest.mark.parametrize("wire, kept, normal, fault", SMUGGLED)
def test_nothing_but_crlf_dot_crlf_ends_content(
    wire: bytes, kept: bytes, normal: bytes, fault: LineFault
) -> None:
    after = b"MAIL FROM:<>\r\n"
    for pieces in [wire + after], one_by_one(wire + after):
        assert decode(pieces, REFUSE) == (kept, True, fault, after)
        assert decode(pieces, PRESERVE) == (kept, True, None, after)
        assert decode(pieces, NORMALIZE) == (normal, True, None, after)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    "wire, held",
    [
        (b"", b""),
        (b".", b"."),
        (b".\r", b".\r"),
        (b"a\r", b"\r"),
        (b"a\r\n", b"\r\n"),
        (b"a\r\n.", b"\r\n."),
        (b"a\r\n.\r", b"\r\n.\r"),
        (b"a\r\n..", b""),
        (b"..", b""),
        (b"a.", b""),
        (b"a\r\n.a.", b""),
        (b"a\r\n.\r\r\n.\r", b"\r\n.\r"),
    ],
)
def test_no_more_is_held_back_than_may_be_the_end(
    wire: bytes, held: bytes, policy: LineEndings
) -> None:
    _, ended, _, left = decode([wire], policy)
    assert not ended
    assert left == held


@pytest.mark.parametrize("policy", POLICIES)
def test_nothing_is_read_after_the_end(policy: LineEndings) -> None:
    buffer = ReceiveBuffer()
    decoder = DotDecoder(buffer, policy)
    buffer.feed(b"a\r\n.\r\nb\r\n.\r\n")
    assert decoder.read() == b"a\r\n"
    assert decoder.read() is ContentEnd.END
    assert decoder.read() is ContentEnd.END
    assert buffer.peek(99) == b"b\r\n.\r\n"


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    "body",
    [b"\r\n", b".", b"\r\n.\r", b"\r\n..", b"x", b"..x\r\n", b"\r\n.\r.", b"\n.\r\n"],
)
def test_a_large_feed_comes_out_in_pieces(body: bytes, policy: LineEndings) -> None:
    wire = b"a" + body * (3 * CHUNK // len(body)) + b"\r\n.\r\nQUIT\r\n"
    buffer = ReceiveBuffer()
    decoder = DotDecoder(buffer, policy)
    buffer.feed(wire)
    found = []
    while isinstance(chunk := decoder.read(), bytes):
        found.append(chunk)
        assert len(chunk) <= (2 if policy is NORMALIZE else 1) * CHUNK
    assert chunk is ContentEnd.END
    slow = slow_decode(wire, policy)
    assert slow == (b"".join(found), True, decoder.bad, buffer.peek(len(buffer)))


@given(segmented(), st.sampled_from(POLICIES))
@example([b"\r\n.", b"\r", b"\r\n.\r\n"], NORMALIZE)
@example([b"a\r", b"\nb\r\n", b".\r", b"\nc"], REFUSE)
def test_any_segmentation_gives_what_the_slow_decoder_finds(
    pieces: list[bytes], policy: LineEndings
) -> None:
    data = b"".join(pieces)
    slow = slow_decode(data, policy)
    if slow is not None:
        assert decode(pieces, policy) == slow
        return
    assert not decode(pieces, policy)[1]
    # These octets end any content.
    whole = slow_decode(data + b"\r\n.\r\nQUIT\r\n", policy)
    assert whole is not None
    assert decode([*pieces, b"\r\n.\r\nQUIT\r\n"], policy) == whole
    assert whole[3] in {b"QUIT\r\n", b".\r\nQUIT\r\n"}


@given(octets)
def test_content_that_was_normalised_can_be_sent_on(data: bytes) -> None:
    content = decode([data + b"\r\n.\r\n"], NORMALIZE)[0]
    assert slow_fault(content) is None
    wire = encode([content], REFUSE)
    assert decode([wire + b"QUIT\r\n"], REFUSE) == (content, True, None, b"QUIT\r\n")


def test_a_byte_at_a_time_leaves_nothing_behind() -> None:
    buffer = ReceiveBuffer()
    decoder = DotDecoder(buffer, REFUSE)
    for piece in one_by_one(b"\r\n..\r\n.\r" * 200):
        buffer.feed(piece)
        decoder.read()
        assert len(buffer) <= 4
        assert len(buffer.octets) <= 5


# --- the encoder --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pieces, wire",
    [
        ([b"no end"], b"no end\r\n.\r\n"),
        ([b"", b".", b".", b""], b"...\r\n.\r\n"),
        ([b"a\r", b"\n.b"], b"a\r\n..b\r\n.\r\n"),
        ([b"a\r\n", b".b"], b"a\r\n..b\r\n.\r\n"),
        ([b"a", b".b"], b"a.b\r\n.\r\n"),
        ([b"a\r\n", b"", b"."], b"a\r\n..\r\n.\r\n"),
    ],
)
@pytest.mark.parametrize("policy", [REFUSE, NORMALIZE])
def test_chunks_are_one_stream(pieces: list[bytes], wire: bytes, policy: LineEndings) -> None:
    assert encode(pieces, policy) == wire


@pytest.mark.parametrize(
    "pieces, wire",
    [
        ([b"\n"], b"\r\n.\r\n"),
        ([b"\r"], b"\r\n.\r\n"),
        ([b"a\n.\n"], b"a\r\n..\r\n.\r\n"),
        ([b"a\n.\r\nb"], b"a\r\n..\r\nb\r\n.\r\n"),
        ([b"a\r.\rb"], b"a\r\n..\r\nb\r\n.\r\n"),
        ([b"a\n", b".\n"], b"a\r\n..\r\n.\r\n"),
        ([b"a\r", b".\r", b"\nb"], b"a\r\n..\r\nb\r\n.\r\n"),
        ([b"a\r", b"\r", b"\n"], b"a\r\n\r\n.\r\n"),
        ([b"a\n", b"\r\n"], b"a\r\n\r\n.\r\n"),
    ],
)
def test_normalize_makes_line_endings_and_then_dots(pieces: list[bytes], wire: bytes) -> None:
    assert encode(pieces, NORMALIZE) == wire


@pytest.mark.parametrize(
    "pieces, message",
    [
        ([b"a\nb"], "found bare LF at octet 2 "),
        ([b"\n"], "found bare LF at octet 1 "),
        ([b"a\r\nb\r", b"c"], "found bare CR at octet 5 "),
        ([b"a\r\r\n"], "found bare CR at octet 2 "),
        ([b"abc", b"\r\n", b"d\ne\rf"], "found bare LF at octet 7 "),
        ([b"abc\r\n\r"], "found bare CR at octet 6 "),
    ],
)
def test_refuse_says_where(pieces: list[bytes], message: str) -> None:
    with pytest.raises(LocalProtocolError, match=message) as caught:
        encode(pieces, REFUSE)
    assert (caught.value.code, caught.value.enhanced) == (550, "5.6.0")


def test_refused_content_cannot_pass_for_a_whole_message() -> None:
    encoder = DotEncoder(REFUSE)
    encoder.encode(b"a\r\n")
    with pytest.raises(LocalProtocolError) as first:
        encoder.encode(b"b\nc")
    for call in encoder.finish, lambda: encoder.encode(b"d\r\n"):
        with pytest.raises(LocalProtocolError) as again:
            call()
        assert str(again.value) == str(first.value)


def test_content_ends_once() -> None:
    encoder = DotEncoder(NORMALIZE)
    encoder.finish()
    for call in encoder.finish, lambda: encoder.encode(b"more\r\n"):
        with pytest.raises(LocalProtocolError, match="ended already"):
            call()


def test_a_sender_must_not_preserve() -> None:
    with pytest.raises(ValueError, match="PRESERVE is for receiving"):
        DotEncoder(PRESERVE)
