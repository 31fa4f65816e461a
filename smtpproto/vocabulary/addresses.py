"""Domains, address literals and mailboxes: RFC 5321 sections 4.1.2 and 4.1.3.

UTF-8 is allowed as in RFC 6531 section 3.3.  Every value can be written: a constructor refuses
text that the grammar has no form for.  Values keep their letter case.  Domains are compared without
it, local-parts with it (RFC 5321 section 2.4).

The functions of `grammar/address_parts.py` read the parts from left to right.

Errors have the code 501: with 5.1.3 for the syntax of a forward-path, 5.1.7 for that of a
reverse-path, 5.5.4 for other syntax and for text that is too long (RFC 5321 section 4.5.3.1.9).
They have 553 with 5.6.7 for text outside ASCII where RFC 6531 is not in use (its section 3.5).
The bounds count octets as written, with quotes and source routes.  They apply to reading only: RFC
5321 section 4.5.3.1 limits what a server has to accept, not what is an address.  A label has at
most 63 octets in any case (RFC 1035 section 2.3.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..grammar.address_parts import (
    Rules,
    expect,
    expect_end,
    read_domain,
    read_literal,
    read_local_part,
)
from ..grammar.patterns import DOMAIN, DOT_STRING_UTF8, ipv4_address, ipv6_address
from ..limits import Limits

if TYPE_CHECKING:
    import ipaddress


__all__ = [
    "AddressLiteral",
    "Domain",
    "Mailbox",
    "read_mailbox",
    "require",
    "trusted_domain",
    "trusted_mailbox",
]


@dataclass(frozen=True, slots=True, eq=False)
class Domain:
    """A domain name (RFC 5321 section 4.1.2; with U-labels, RFC 6531 section 3.3).

    Two domains that differ only in letter case are equal (section 2.4).  An A-label and its U-label
    are not equal: to compare them one needs IDNA.

    Arguments:
        name: labels with dots between them, none at the end.

    Raises:
        LocalProtocolError: it is no domain.
    """

    name: str

    def __post_init__(self) -> None:
        require(self.name, (str,), "a domain as text")
        if DOMAIN.fullmatch(self.name) is None:
            expect_end(self.name, read_domain(self.name, 0, _UNBOUND)[1], _UNBOUND)

    @classmethod
    def parse(cls, text: str, *, utf8: bool = False, limits: Limits = Limits()) -> Domain:
        """Read a domain.

        Arguments:
            text: the domain and nothing else.
            utf8: whether U-labels are allowed.
            limits: `domain` bounds its octets.

        Raises:
            LocalProtocolError: 501, 5.5.4: no domain, or too long; 553, 5.6.7: not ASCII.
        """
        if len(text) <= limits.domain and DOMAIN.fullmatch(text) is not None:
            return trusted_domain(text)
        rules = Rules("domain", "5.5.4", utf8, limits)
        name, end = read_domain(text, 0, rules)
        expect_end(text, end, rules)
        return trusted_domain(name)

    @property
    def ascii(self) -> bool:
        """Whether it can be sent without SMTPUTF8."""
        return self.name.isascii()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Domain):
            return NotImplemented
        return self.name == other.name or self.name.lower() == other.name.lower()

    def __hash__(self) -> int:
        return hash(self.name.lower())

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, eq=False)
class AddressLiteral:
    """An address in brackets where a domain would stand (RFC 5321 section 4.1.3).

    Two literals that differ only in letter case are equal.

    Arguments:
        content: what stands between the brackets: `192.0.2.1`, `IPv6:2001:db8::1` or `tag:text`.

    Raises:
        LocalProtocolError: it is none of the three.
    """

    content: str

    def __post_init__(self) -> None:
        require(self.content, (str,), "the content of an address literal as text")
        text = str(self)
        expect_end(text, read_literal(text, 0, _UNBOUND)[1], _UNBOUND)

    @classmethod
    def parse(cls, text: str, *, utf8: bool = False, limits: Limits = Limits()) -> AddressLiteral:
        """Read an address literal.

        Arguments:
            text: the literal with its brackets, and nothing else.
            utf8: ignored; a literal is ASCII.
            limits: `domain` bounds its octets.

        Raises:
            LocalProtocolError: 501, 5.5.4: no address literal, or too long; 553, 5.6.7: not ASCII.
        """
        rules = Rules("address literal", "5.5.4", utf8, limits)
        content, end = read_literal(text, 0, rules)
        expect_end(text, end, rules)
        return cls(content)

    @classmethod
    def of(cls, address: str) -> AddressLiteral:
        """Return the address literal of an IP address.

        It writes a mapped IPv4 address (`::ffff:192.0.2.1`), which sockets for both versions
        report, as IPv4.  It drops a zone identifier.

        Arguments:
            address: the address as a socket reports it.

        Raises:
            ValueError: it is no IP address.
        """
        import ipaddress  # noqa: PLC0415  few sessions have address literals

        ip = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(ip, ipaddress.IPv4Address):
            return cls(str(ip))
        return cls(str(ip.ipv4_mapped) if ip.ipv4_mapped else f"IPv6:{ip}")

    @property
    def ascii(self) -> bool:
        """Whether it can be sent without SMTPUTF8: always."""
        return True

    @property
    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The IP address; None for an address of another kind."""
        if self.content[:5].lower() == "ipv6:":
            return ipv6_address(self.content[5:])
        return ipv4_address(self.content)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AddressLiteral):
            return NotImplemented
        return self.content.lower() == other.content.lower()

    def __hash__(self) -> int:
        return hash(self.content.lower())

    def __str__(self) -> str:
        return f"[{self.content}]"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox: `local-part@domain` (RFC 5321 section 4.1.2).

    Arguments:
        local_part: the local-part without quotes and backslashes: `a b` for `"a b"@example.org`.
            Quotes are written only where it needs them, so each local-part has one form.
        domain: the domain or address literal.

    Raises:
        LocalProtocolError: the local-part has control characters, which no form allows.
        TypeError: the domain is neither a `Domain` nor an `AddressLiteral`.
    """

    local_part: str
    domain: Domain | AddressLiteral

    def __post_init__(self) -> None:
        require(self.local_part, (str,), "a local-part as text")
        require(self.domain, (Domain, AddressLiteral), "a Domain or an AddressLiteral")
        text = _format_local_part(self.local_part)
        expect_end(text, read_local_part(text, 0, _UNBOUND)[1], _UNBOUND)

    @classmethod
    def parse(cls, text: str, *, utf8: bool = False, limits: Limits = Limits()) -> Mailbox:
        """Read a mailbox.

        Arguments:
            text: the mailbox without angle brackets, and nothing else.
            utf8: whether the local-part may hold UTF-8 and the domain U-labels.
            limits: `local_part` and `domain` bound its parts.

        Raises:
            LocalProtocolError: 501, 5.5.4: no mailbox, or too long; 553, 5.6.7: not ASCII.
        """
        rules = Rules("mailbox", "5.5.4", utf8, limits)
        mailbox, end = read_mailbox(text, 0, rules)
        expect_end(text, end, rules)
        return mailbox

    @property
    def ascii(self) -> bool:
        """Whether it can be sent without SMTPUTF8."""
        return self.local_part.isascii() and self.domain.ascii

    def __str__(self) -> str:
        return f"{_format_local_part(self.local_part)}@{self.domain}"


def read_mailbox(text: str, at: int, rules: Rules) -> tuple[Mailbox, int]:
    """Read the mailbox that begins at an offset; return it and the offset behind it."""
    local_part, at = read_local_part(text, at, rules)
    at = expect("@", text, at, rules)
    if text.startswith("[", at):
        content, at = read_literal(text, at, rules)
        return trusted_mailbox(local_part, AddressLiteral(content)), at
    name, at = read_domain(text, at, rules)
    return trusted_mailbox(local_part, trusted_domain(name)), at


def require(value: object, kinds: tuple[type, ...], wanted: str) -> None:
    """Raise `TypeError` for a value of another type."""
    if not isinstance(value, kinds):
        raise TypeError(f"expected {wanted}, found {value!a}")


def _format_local_part(local_part: str) -> str:
    if DOT_STRING_UTF8.fullmatch(local_part):
        return local_part
    escaped = local_part.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


# --- Values without checks, because a pattern has read their text ---------------------------------

# Their constructors would check again, which takes longer than reading.


def trusted_domain(name: str) -> Domain:
    """Return the domain whose name a pattern has read."""
    domain = _new(Domain)
    _set(domain, "name", name)
    return domain


def trusted_mailbox(local_part: str, domain: Domain | AddressLiteral) -> Mailbox:
    """Return the mailbox whose parts a pattern has read."""
    mailbox = _new(Mailbox)
    _set(mailbox, "local_part", local_part)
    _set(mailbox, "domain", domain)
    return mailbox


_new = object.__new__
_set = object.__setattr__  # the classes are frozen: their own method refuses

_UNBOUND = Rules("address", "5.5.4", utf8=True, limits=None)
