"""Reading the parts of an address from left to right: RFC 5321 sections 4.1.2 and 4.1.3.

Each function reads one part.  It takes the text, an offset and the rules, and returns the part and
the offset behind it, so that an error can say what was expected, and where.
`vocabulary/addresses.py` reads whole mailboxes and paths: the usual ones with one pattern, the
others with these functions.
"""

from __future__ import annotations

from typing import NamedTuple

from ..errors import LocalProtocolError
from ..limits import Limits
from .patterns import (
    DCONTENT,
    DOT_STRING,
    DOT_STRING_UTF8,
    GENERAL_ADDRESS_LITERAL,
    IPV4_ADDRESS,
    MOST_IN_LABEL,
    QCONTENT,
    QCONTENT_UTF8,
    QUOTED_PAIR,
    SUB_DOMAIN,
    SUB_DOMAIN_UTF8,
    ipv6_address,
    is_label_too_long,
    outside_u_label,
)

__all__ = [
    "Rules",
    "expect",
    "expect_end",
    "read_domain",
    "read_literal",
    "read_local_part",
    "skip_source_route",
]


class Rules(NamedTuple):
    """What a reader allows, and what its errors say.

    Arguments:
        what: the RFC's name of the whole; each error message begins with it.
        enhanced: the enhanced status code for wrong syntax.
        utf8: whether the forms of RFC 6531 are allowed.
        limits: the bounds; None: no bounds.
    """

    what: str
    enhanced: str
    utf8: bool
    limits: Limits | None

    def expected(
        self, wanted: str, text: str, at: int, section: str = "4.1.2"
    ) -> LocalProtocolError:
        """Return the error for the text at offset `at`; the message counts octets from 0."""
        found = text[at : at + 1]
        octet = _octets(text[:at])
        if not self.utf8 and not found.isascii():
            return LocalProtocolError(
                f"{self.what}: expected ASCII, found {found!a} at octet {octet}; other characters "
                "need SMTPUTF8 (RFC 6531 section 3.5)",
                code=553,
                enhanced="5.6.7",
            )
        return LocalProtocolError(
            f"{self.what}: expected {wanted} at octet {octet}, found "
            f"{ascii(found) if found else 'the end'} (RFC 5321 section {section})",
            enhanced=self.enhanced,
        )

    def bound(self, name: str, text: str, most: int, section: str) -> None:
        """Refuse a part that is longer than `most` octets."""
        octets = _octets(text)
        if octets > most:
            raise LocalProtocolError(
                f"{self.what}: expected at most {most} octets of {name}, found {octets} "
                f"(RFC 5321 section {section})"
            )


def _octets(text: str) -> int:
    """Return the length of the text in UTF-8, in octets."""
    # Text that is about to be refused may hold surrogates.
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def read_local_part(text: str, at: int, rules: Rules) -> tuple[str, int]:
    """Read the local-part at `at`; return it without quotes and backslashes."""
    if text.startswith('"', at):
        content = (QCONTENT_UTF8 if rules.utf8 else QCONTENT).match(text, at + 1)
        assert content is not None
        end = content.end() + 1
        if not text.startswith('"', end - 1):
            raise rules.expected("a printable character or '\"'", text, end - 1)
        local_part = QUOTED_PAIR.sub(r"\1", content[0])
    else:
        match = (DOT_STRING_UTF8 if rules.utf8 else DOT_STRING).match(text, at)
        if match is None:
            raise rules.expected("a local-part", text, at)
        end = match.end()
        local_part = match[0]
    if rules.limits is not None:
        rules.bound("local-part", text[at:end], rules.limits.local_part, "4.5.3.1.1")
    return local_part, end


def read_domain(text: str, at: int, rules: Rules) -> tuple[str, int]:
    """Read the domain at `at`."""
    sub_domain = SUB_DOMAIN_UTF8 if rules.utf8 else SUB_DOMAIN
    end = at
    while True:
        match = sub_domain.match(text, end)
        if match is None:
            raise rules.expected("a letter or digit", text, end)
        end = match.end()
        if not text.startswith(".", end):
            break
        end += 1
    name = text[at:end]
    outside = outside_u_label(name)
    if outside >= 0:
        raise rules.expected("a letter or digit of a U-label", text, at + outside)
    if rules.limits is not None:
        rules.bound("domain", name, rules.limits.domain, "4.5.3.1.2")
    for label in name.split("."):
        if is_label_too_long(label):
            raise LocalProtocolError(
                f"{rules.what}: expected labels of at most {MOST_IN_LABEL} octets, found "
                f"{label[:MOST_IN_LABEL]!a} and more (RFC 1035 section 2.3.4)",
                enhanced=rules.enhanced,
            )
    return name, end


def read_literal(text: str, at: int, rules: Rules) -> tuple[str, int]:
    """Read the address literal at `at`; return its content without the brackets."""
    start = expect("[", text, at, rules, "4.1.3")
    match = DCONTENT.match(text, start)
    content = match[0] if match else ""
    end = expect("]", text, start + len(content), rules, "4.1.3")
    if content[:5].lower() == "ipv6:":
        if ipv6_address(content[5:]) is None:
            raise rules.expected("an IPv6 address", text, start + 5, "4.1.3")
    elif not (IPV4_ADDRESS.fullmatch(content) or GENERAL_ADDRESS_LITERAL.fullmatch(content)):
        raise rules.expected("an IPv4 address or a tag with ':'", text, start, "4.1.3")
    if rules.limits is not None:
        rules.bound("address literal", text[at:end], rules.limits.domain, "4.5.3.1.2")
    return content, end


def skip_source_route(text: str, at: int, rules: Rules) -> int:
    """Return the offset behind the source route at `at`, if there is one: `@one,@two:`."""
    if not text.startswith("@", at):
        return at
    _, at = read_domain(text, at + 1, rules)
    while text.startswith(",", at):
        at = expect("@", text, at + 1, rules)
        _, at = read_domain(text, at, rules)
    return expect(":", text, at, rules)


def expect(character: str, text: str, at: int, rules: Rules, section: str = "4.1.2") -> int:
    """Return the offset behind a character that is required at `at`."""
    if not text.startswith(character, at):
        raise rules.expected(ascii(character), text, at, section)
    return at + 1


def expect_end(text: str, at: int, rules: Rules) -> None:
    """Refuse text that goes on at `at`."""
    if at != len(text):
        raise rules.expected("the end", text, at)
