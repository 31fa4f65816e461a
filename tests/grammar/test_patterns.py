"""The patterns against the productions of RFC 5321 sections 4.1.2 and 4.1.3."""

from __future__ import annotations

import re
import time
from ipaddress import IPv4Address, IPv6Address

import pytest

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
