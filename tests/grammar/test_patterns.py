"""The patterns against the productions of RFC 5321 sections 4.1.2 and 4.1.3, and the encodings."""

from __future__ import annotations

import base64
import re
import time
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto.errors import LocalProtocolError
from smtpproto.grammar import encodings
from smtpproto.grammar import patterns as syntax

ATEXT = "!#$%&'*+-/=?^_`{|}~" + "0123456789abcXYZ"

# Pattern, what it matches as a whole, what it does not.
PRODUCTIONS = {
    "sub-domain": (
        syntax.SUB_DOMAIN,
        ["a", "7", "a-b", "a--b", "xn--bcher-kva", "A1"],
        ["", "-", "-a", "a-", "a.b", "a_b", "bücher", "a\n", "١"],
    ),
    "sub-domain, UTF-8": (
        syntax.SUB_DOMAIN_UTF8,
        ["a", "bücher", "例え", "a-ü", "हिन्दी"],
        ["", "-ü", "ü-", "ü.ü", "ü_", "a\x85b", "a\u2028b", "\udc80", "ü\n"],
    ),
    "Domain": (
        syntax.DOMAIN,
        ["localhost", "example.org", "a.b.c.d", "1.2.3.4", "x-1.example", f"a.{'b' * 63}.c"],
        ["", ".", "a.", ".a", "a..b", "a-.b", "a.-b", "a b", "a.b\n", "a.b\r", "[a]", "ü.org"],
    ),
    "Domain, longest labels": (
        syntax.DOMAIN,
        ["a" * 63, "a" * 63 + "." + "b" * 63],
        ["a" * 64, "b." + "a" * 64, "a" * 64 + ".b", "a" * 62 + "-b"],
    ),
    "Dot-string": (
        syntax.DOT_STRING,
        ["user", "first.last", "a+b", ATEXT],
        ["", ".a", "a.", "a..b", "a b", "a@b", "a\\b", '"a"', "a(b", "a,b", "a\x7f", "ü", "a\n"],
    ),
    "Dot-string, UTF-8": (
        syntax.DOT_STRING_UTF8,
        ["user", "jürgen", "用户.名", "ñ+😀"],
        ["", "ü.", "ü ü", "ü\x80", "ü\x9f", "\u2029", "\ud800", "ü\n"],
    ),
    "content of a Quoted-string": (
        syntax.QCONTENT,
        ["", "a b", "a@b", r"\"", r"\\", r"\a\ ", "~!#[]"],
        ['"', "\\", 'a"b', "a\\", "a\tb", "a\r\nb", "\0", "\x7f", "\\\x7f", "ü", "\\ü"],
    ),
    "content of a Quoted-string, UTF-8": (
        syntax.QCONTENT_UTF8,
        ["", "ü ü", r"\"ü\\"],
        ["\\ü", "ü\n", "ü\x85", 'ü"'],
    ),
    "IPv4 address": (
        syntax.IPV4_ADDRESS,
        [
            "0.0.0.0",
            "192.0.2.1",
            "255.255.255.255",
            "9.10.99.100",
            "249.250.199.200",
            "01.002.3.099",
        ],
        ["", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.260", "0001.2.3.4", "1.2.3.4\n", "1.2.3.٤"],
    ),
    "General-address-literal": (
        syntax.GENERAL_ADDRESS_LITERAL,
        ["x400:c=us", "tag:!", "a-b:^_~", "-a:b"],
        ["", "x400", "x400:", ":x", "a-:b", "a:b c", "a:[", "a:]", "a:\\", "a:ü", "a:b\n"],
    ),
    "esmtp-keyword": (
        syntax.ESMTP_KEYWORD,
        ["SIZE", "8BITMIME", "X-a", "a-"],
        ["", "-a", "a_b", "a b", "a=", "ſ", "SIZE\n"],
    ),
    "esmtp-value": (
        syntax.ESMTP_VALUE,
        ["1", "!", "~", "a+b<c>"],
        ["", "a=b", "a b", "\x7f", "ü", "a\n", "\0"],
    ),
    "esmtp-value, UTF-8": (
        syntax.ESMTP_VALUE_UTF8,
        ["1", "ü", "😀"],
        ["", "ü=", "ü ü", "\x85", "\udc80", "ü\n"],
    ),
}


@pytest.mark.parametrize(
    "pattern,text",
    [(pattern, text) for pattern, valid, _ in PRODUCTIONS.values() for text in valid],
)
def test_what_a_production_allows(pattern: re.Pattern[str], text: str) -> None:
    assert pattern.fullmatch(text)


@pytest.mark.parametrize(
    "pattern,text",
    [(pattern, text) for pattern, _, invalid in PRODUCTIONS.values() for text in invalid],
)
def test_what_a_production_does_not_allow(pattern: re.Pattern[str], text: str) -> None:
    assert not pattern.fullmatch(text)


@pytest.mark.parametrize(
    "text,groups",
    [
        ("<user@example.org>", ("user", "example.org")),
        ("<a.b+c@localhost> SIZE=1", ("a.b+c", "localhost")),
        ("<>", None),
        ("<user>", None),
        ('<"user"@example.org>', None),
        ("<user@[192.0.2.1]>", None),
        ("<@a:user@example.org>", None),
        ("<user@example.org", None),
        ("<user@example.org.>", None),
        (f"<user@{'a' * 64}.example>", None),
    ],
)
def test_the_form_that_nearly_every_path_has(text: str, groups: tuple[str, str] | None) -> None:
    match = syntax.FULL_MAILBOX.match(text)
    assert (match.groups() if match else None) == groups


HOSTILE = ["a" * 20_000, "a-" * 10_000, "-" * 20_000, "a." * 10_000, "\\a" * 10_000, "+" * 20_000]
ADDRESS_HEADS = ["", "<", "a", "<a@", "<a@a", "+41"]


@pytest.mark.parametrize("head", ADDRESS_HEADS)
@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: body[:2])
def test_no_input_takes_more_than_linear_time(head: str, body: str) -> None:
    patterns = [value for value in vars(syntax).values() if isinstance(value, re.Pattern)]
    started = time.process_time()
    for pattern in patterns:
        text = head + body + "\0"
        pattern.fullmatch(text if isinstance(pattern.pattern, str) else text.encode())
    # Takes some milliseconds; twenty thousand steps for each of as many characters take many
    # seconds.
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "domain",
    [
        "example.org",
        "bücher.example",
        "例え.テスト",
        "हिन्दी.भारत",
        "straße.de",
        "l·l",
        "نامه\u200cای",
        "BÜCHER.example",
        "佐々木.example",
        "データ.example",
        "مثال٣.example",
    ],
)
def test_characters_of_u_labels(domain: str) -> None:
    assert syntax.outside_u_label(domain) == -1


@pytest.mark.parametrize(
    "domain,offset",
    [
        ("a。b", 1),  # ideographic full stop: a dot for IDNA of 2003
        ("a．b", 1),  # fullwidth full stop
        ("üｅ", 1),  # fullwidth letter, a compatibility form of "e"
        ("a\u00a0b", 1),
        ("ab\u200b", 2),
        ("☕.example", 0),
        ("x²", 1),
        ("a\u202eb", 1),
    ],
)
def test_characters_that_no_u_label_has(domain: str, offset: int) -> None:
    assert syntax.outside_u_label(domain) == offset


@pytest.mark.parametrize(
    "text",
    [
        "2001:db8:0:0:0:0:0:1",  # IPv6-full
        "2001:DB8::1",  # IPv6-comp
        "::",
        "::1",
        "1::",
        "0:0:0:0:0:ffff:192.0.2.1",  # IPv6v4-full
        "::ffff:192.0.2.1",  # IPv6v4-comp
        "1:2:3:4:5:6::",
        "::3:4:5:6:7:8",
        "1:2:3:4::1.2.3.4",
    ],
)
def test_ipv6_addresses(text: str) -> None:
    assert syntax.ipv6_address(text) == IPv6Address(text)


def test_numbers_with_zeros_before_them_are_decimal() -> None:
    """RFC 5321 section 4.1.3: Snum has 1 to 3 digits."""
    assert syntax.ipv4_address("192.0.02.010") == IPv4Address("192.0.2.10")
    assert syntax.ipv6_address("::ffff:192.0.02.010") == IPv6Address("::ffff:192.0.2.10")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        ":::",
        "1",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1::2::3",
        "12345::",
        "g::",
        "1::2:",
        "fe80::1%eth0",
        "::1.2.3",
        "::256.1.1.1",
        "::1\n",
        " ::1",
        "::١",
        "1.2.3.4",
        "::0001.2.3.4",
        # `::` stands for two groups at least.
        "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8",
        "1:2:3::5:6:7:8",
        "1:2:3:4:5::1.2.3.4",
        "1:2:3:4:5:6:7:1.2.3.4",
        "1.2.3.4::",
        "::1.2.3.4:5",
    ],
)
def test_what_is_no_ipv6_address(text: str) -> None:
    assert syntax.ipv6_address(text) is None


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
    assert encodings.encode_xtext(text) == encoded
    assert encodings.decode_xtext(encoded) == text


def test_xtext_may_encode_what_need_not_be() -> None:
    assert encodings.decode_xtext("+61b+63") == "abc"


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
        encodings.decode_xtext(encoded)
    assert message in str(refusal.value)
    assert (refusal.value.code, refusal.value.enhanced) == (501, "5.5.4")


def test_surrogates_have_no_xtext() -> None:
    with pytest.raises(LocalProtocolError, match="found a surrogate at offset 1"):
        encodings.encode_xtext("a\udc80")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_xtext_comes_back_and_is_an_esmtp_value(text: str) -> None:
    encoded = encodings.encode_xtext(text)
    assert encodings.decode_xtext(encoded) == text
    assert not encoded or syntax.ESMTP_VALUE.fullmatch(encoded)


@given(st.text(st.characters()) | st.from_regex(r"[+0-9A-Fa-f]*", fullmatch=True))
def test_decoding_xtext_raises_one_error_only(text: str) -> None:
    try:
        decoded = encodings.decode_xtext(text)
    except LocalProtocolError:
        return
    assert encodings.decode_xtext(encodings.encode_xtext(decoded)) == decoded


@pytest.mark.parametrize(
    "octets,line",
    [(b"", ""), (b"\0", "AA=="), (b"ab", "YWI="), (b"abc", "YWJj"), (b"\xfb\xff", "+/8=")],
)
def test_base64(octets: bytes, line: str) -> None:
    assert encodings.encode_base64(octets) == line
    assert encodings.decode_base64(line) == octets
    assert encodings.decode_base64(line.encode()) == octets


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
        encodings.decode_base64(line)
    assert (refusal.value.code, refusal.value.enhanced) == (501, "5.5.2")


def test_the_secret_does_not_stand_in_the_error() -> None:
    with pytest.raises(LocalProtocolError) as refusal:
        encodings.decode_base64("c2VjcmV0 secret")
    assert "secret" not in str(refusal.value)
    assert "c2V" not in str(refusal.value)
    assert "ends at octet 8" in str(refusal.value)


@given(st.binary())
def test_base64_comes_back(octets: bytes) -> None:
    assert encodings.encode_base64(octets) == base64.b64encode(octets).decode()
    assert encodings.decode_base64(encodings.encode_base64(octets)) == octets


@given(st.binary() | st.text(st.characters()) | st.from_regex(r"[AQgw+/=]*", fullmatch=True))
def test_octets_have_one_form_in_base64(line: bytes | str) -> None:
    try:
        octets = encodings.decode_base64(line)
    except LocalProtocolError:
        return
    assert encodings.encode_base64(octets) == (line if isinstance(line, str) else line.decode())
