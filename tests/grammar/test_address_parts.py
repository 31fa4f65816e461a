"""The readers of addresses: where each part ends, and what a refusal says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from smtpproto.errors import LocalProtocolError
from smtpproto.grammar.address_parts import (
    Rules,
    expect,
    expect_end,
    read_domain,
    read_literal,
    read_local_part,
    skip_source_route,
)
from smtpproto.limits import Limits

STRICT = Rules("test", "5.1.3", utf8=False, limits=Limits())
UTF8 = Rules("test", "5.1.3", utf8=True, limits=Limits())
UNBOUND = Rules("test", "5.1.3", utf8=True, limits=None)

Reader = Callable[[str, int, Rules], tuple[str, int]]


@pytest.mark.parametrize(
    "read,text,part,rest",
    [
        (read_local_part, "user@example.org", "user", "@example.org"),
        (read_local_part, "a..b", "a", "..b"),
        (read_local_part, '""@', "", "@"),
        (read_local_part, r'"a \"b\\"c', 'a "b\\', "c"),
        (read_local_part, r'"\u"', "u", ""),
        (read_domain, "example.org>", "example.org", ">"),
        (read_domain, "a-.b", "a", "-.b"),
        (read_literal, "[192.0.2.1]>", "192.0.2.1", ">"),
        (read_literal, "[ipv6:::1]", "ipv6:::1", ""),
        (read_literal, "[x400:c=us]x", "x400:c=us", "x"),
    ],
)
@pytest.mark.parametrize("rules", [STRICT, UTF8, UNBOUND], ids=["strict", "utf8", "unbound"])
def test_a_part_and_the_offset_behind_it(
    read: Reader, text: str, part: str, rest: str, rules: Rules
) -> None:
    assert read(f"<{text}", 1, rules) == (part, 1 + len(text) - len(rest))


@pytest.mark.parametrize(
    "read,text,part,rest",
    [
        (read_local_part, "jürgen@", "jürgen", "@"),
        (read_local_part, '"ü \\" ü"@', 'ü " ü', "@"),
        (read_domain, "bücher.example>", "bücher.example", ">"),
    ],
)
def test_parts_in_utf8(read: Reader, text: str, part: str, rest: str) -> None:
    assert read(text, 0, UTF8) == (part, len(text) - len(rest))


def test_what_needs_smtputf8_is_refused_with_the_codes_of_rfc_6531() -> None:
    assert read_domain("bücher", 0, STRICT) == ("b", 1)
    with pytest.raises(LocalProtocolError, match=r"'\\xfc' at octet 1; .* SMTPUTF8") as refusal:
        expect(">", "bücher", 1, STRICT)
    assert (refusal.value.code, refusal.value.enhanced) == (553, "5.6.7")


@pytest.mark.parametrize(
    "text,rest",
    [("user", "user"), ("@a:user", "user"), ("@a,@b.example:user", "user"), ("", "")],
)
def test_a_source_route_is_skipped(text: str, rest: str) -> None:
    assert skip_source_route(text, 0, STRICT) == len(text) - len(rest)


@pytest.mark.parametrize(
    "read,text,message",
    [
        (read_local_part, "", "expected a local-part at octet 0, found the end"),
        (read_local_part, ".a", "expected a local-part at octet 0, found '.'"),
        (read_local_part, '"a', "expected a printable character or '\"' at octet 2, found the end"),
        (read_local_part, '"a\n"', r"at octet 2, found '\n'"),
        (read_local_part, '"a\\', r"at octet 2, found '\\'"),
        (read_domain, "", "expected a letter or digit at octet 0, found the end"),
        (read_domain, "a..b", "expected a letter or digit at octet 2, found '.'"),
        (read_domain, "a.", "expected a letter or digit at octet 2, found the end"),
        (read_domain, "-a", "expected a letter or digit at octet 0, found '-'"),
        (read_domain, "ü。", r"expected a letter or digit of a U-label at octet 2, found '\u3002'"),
        (read_literal, "1.2.3.4", "expected '[' at octet 0, found '1'"),
        (read_literal, "[1.2.3.4", "expected ']' at octet 8, found the end"),
        (read_literal, "[1.2.3.4 ]", "expected ']' at octet 8, found ' '"),
        (read_literal, "[]", "expected an IPv4 address or a tag with ':' at octet 1, found ']'"),
        (read_literal, "[1.2.3.256]", "expected an IPv4 address"),
        (read_literal, "[IPv6:1.2.3.4]", "expected an IPv6 address at octet 6, found '1'"),
        (read_literal, "[IPv6:fe80::1%1]", "expected an IPv6 address"),
        (skip_source_route, "@a,b:", "expected '@' at octet 3, found 'b'"),
        (skip_source_route, "@a", "expected ':' at octet 2, found the end"),
        (skip_source_route, "@:", "expected a letter or digit at octet 1, found ':'"),
    ],
)
def test_what_a_refusal_says(read: Reader, text: str, message: str) -> None:
    with pytest.raises(LocalProtocolError) as refusal:
        read(text, 0, UTF8)
    assert str(refusal.value).startswith("test: expected")
    assert message in str(refusal.value)
    assert "RFC 5321 section 4.1." in str(refusal.value)
    assert (refusal.value.code, refusal.value.enhanced) == (501, "5.1.3")


@pytest.mark.parametrize("rules", [STRICT, UTF8, UNBOUND])
@pytest.mark.parametrize("text", ["{}", "{}.example", "mail.{}.example", "a.{}"])
def test_a_label_has_at_most_63_octets(rules: Rules, text: str) -> None:
    allowed = text.format("a" * 63)
    assert read_domain(allowed, 0, rules) == (allowed, len(allowed))
    with pytest.raises(LocalProtocolError, match="labels of at most 63 octets") as refusal:
        read_domain(text.format("a" * 64), 0, rules)
    assert (refusal.value.code, refusal.value.enhanced) == (501, rules.enhanced)
    with pytest.raises(LocalProtocolError, match="labels of at most 63 octets"):
        skip_source_route(f"@{text.format('a' * 64)}:", 0, rules)


def test_a_u_label_counts_as_its_a_label() -> None:
    allowed = "ü" * 57  # 114 octets of UTF-8, and an A-label of 63
    assert read_domain(allowed, 0, UTF8) == (allowed, len(allowed))
    for longer in ("ü" * 58, "ü" * 64, "a" * 57 + "ü"):
        with pytest.raises(LocalProtocolError, match="labels of at most 63 octets"):
            read_domain(longer, 0, UTF8)


def test_octets_of_utf8_are_counted_not_characters() -> None:
    with pytest.raises(LocalProtocolError, match="at octet 4, found 'x'"):
        expect("@", "üüx", 2, UTF8)
    with pytest.raises(LocalProtocolError, match="at octet 3, found 'x'"):
        expect("@", "\udc80x", 1, UTF8)


def test_characters_and_ends() -> None:
    assert expect("@", "a@", 1, STRICT) == 2
    expect_end("a", 1, STRICT)
    with pytest.raises(LocalProtocolError, match="expected the end at octet 1, found 'b'"):
        expect_end("ab", 1, STRICT)


@pytest.mark.parametrize(
    "read,allowed,message",
    [
        (read_local_part, "a" * 64, "at most 64 octets of local-part, found 65"),
        (read_local_part, '"' + "a" * 62 + '"', "at most 64 octets of local-part, found 65"),
        (read_local_part, "ü" * 32, "at most 64 octets of local-part, found 65"),
        (read_domain, "a." * 127 + "a", "at most 255 octets of domain, found 256"),
        (read_literal, "[x:" + "a" * 251 + "]", "at most 255 octets of address literal, found 256"),
    ],
)
def test_bounds(read: Reader, allowed: str, message: str) -> None:
    assert read(allowed, 0, UTF8)[1] == len(allowed)
    # One octet more, before a closing quote or bracket.
    longer = allowed[:-1] + "a" + allowed[-1]
    with pytest.raises(LocalProtocolError, match=message) as refusal:
        read(longer, 0, UTF8)
    assert (refusal.value.code, refusal.value.enhanced) == (501, "5.5.4")
    assert read(longer, 0, UNBOUND)[1] == len(longer)
