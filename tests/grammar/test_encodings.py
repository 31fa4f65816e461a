"""xtext (RFC 3461 section 4) and the base64 of authentication exchanges (RFC 4954 section 4)."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto.errors import LocalProtocolError
from smtpproto.grammar.encodings import decode_base64, decode_xtext, encode_base64, encode_xtext
from smtpproto.grammar.patterns import ESMTP_VALUE


@pytest.mark.parametrize(
    "text,encoded",
    [
        ("", ""),
        ("user@example.org", "user@example.org"),
        ("a b", "a+20b"),
        ("1+1=2", "1+2B1+3D2"),
        ("\r\n\0\x7f", "+0D+0A+00+7F"),
        ("ü", "+C3+BC"),
    ],
)
def test_xtext(text: str, encoded: str) -> None:
    assert encode_xtext(text) == encoded
    assert decode_xtext(encoded) == text


def test_xtext_may_encode_what_need_not_be() -> None:
    assert decode_xtext("+61b+63") == "abc"


@pytest.mark.parametrize(
    "encoded,message",
    [
        ("a+2b", "found '+2b' at offset 1"),
        ("a+", "found '+' at offset 1"),
        ("+4", "found '+4' at offset 0"),
        ("+G0", "found '+G0' at offset 0"),
        ("a=b", "found '=b' at offset 1"),
        ("a b", "found ' b' at offset 1"),
        ("a\n", r"found '\n' at offset 1"),
        ("ü", r"found '\xfc' at offset 0"),
        ("+FF", "found octet 0xff"),
        ("a+ED+A0+80", "found octet 0xed"),
    ],
)
def test_what_is_no_xtext(encoded: str, message: str) -> None:
    with pytest.raises(LocalProtocolError, match="RFC 3461 section 4") as refusal:
        decode_xtext(encoded)
    assert message in str(refusal.value)
    assert (refusal.value.code, refusal.value.enhanced) == (501, "5.5.4")


def test_surrogates_have_no_xtext() -> None:
    with pytest.raises(LocalProtocolError, match="found a surrogate at offset 1"):
        encode_xtext("a\udc80")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_xtext_comes_back_and_is_an_esmtp_value(text: str) -> None:
    encoded = encode_xtext(text)
    assert decode_xtext(encoded) == text
    assert not encoded or ESMTP_VALUE.fullmatch(encoded)


@given(st.text(st.characters()) | st.from_regex(r"[+0-9A-Fa-f]*", fullmatch=True))
def test_decoding_xtext_raises_one_error_only(text: str) -> None:
    try:
        decoded = decode_xtext(text)
    except LocalProtocolError:
        return
    assert decode_xtext(encode_xtext(decoded)) == decoded


@pytest.mark.parametrize(
    "octets,line",
    [(b"", ""), (b"\0", "AA=="), (b"ab", "YWI="), (b"abc", "YWJj"), (b"\xfb\xff", "+/8=")],
)
def test_base64(octets: bytes, line: str) -> None:
    assert encode_base64(octets) == line
    assert decode_base64(line) == octets
    assert decode_base64(line.encode()) == octets


@pytest.mark.parametrize(
    "line",
    [
        "=",
        "*",
        "A",
        "AA",
        "AAA",
        "AA=",
        "AAA==",
        "AAAA=",
        "AAAAA===",
        "AA==AA==",
        "=AAA",
        "A===",
        "YW I=",
        " YWI=",
        "YWI= ",
        "YWI=\r",
        "YWI=\n",
        "YW\nI=",
        "-_8=",
        "ÿ",
        b"\xff\xff\xff\xff",
        "AB==",
        "YWJ=",
    ],
)
def test_what_is_no_base64(line: str | bytes) -> None:
    with pytest.raises(LocalProtocolError, match="RFC 4954 section 4") as refusal:
        decode_base64(line)
    assert (refusal.value.code, refusal.value.enhanced) == (501, "5.5.2")


def test_the_secret_does_not_stand_in_the_error() -> None:
    with pytest.raises(LocalProtocolError) as refusal:
        decode_base64("c2VjcmV0 secret")
    assert "secret" not in str(refusal.value)
    assert "c2V" not in str(refusal.value)
    assert "ends at octet 8" in str(refusal.value)


@given(st.binary())
def test_base64_comes_back(octets: bytes) -> None:
    assert encode_base64(octets) == base64.b64encode(octets).decode()
    assert decode_base64(encode_base64(octets)) == octets


@given(st.binary() | st.text(st.characters()) | st.from_regex(r"[AQgw+/=]*", fullmatch=True))
def test_octets_have_one_form_in_base64(line: bytes | str) -> None:
    try:
        octets = decode_base64(line)
    except LocalProtocolError:
        return
    assert encode_base64(octets) == (line if isinstance(line, str) else line.decode())
