"""Strategies for domains, address literals, mailboxes and paths: RFC 5321 sections 4.1.2 and 4.1.3.

With `smtputf8` they have UTF-8 too (RFC 6531 section 3.3).  Everything keeps the minimum bounds of
section 4.5.3.1: 64 octets of local-part, 255 of domain, 256 of path.
"""

from __future__ import annotations

from hypothesis import strategies as st

from ...grammar.patterns import outside_u_label
from ...limits import MINIMUMS
from ...vocabulary.addresses import AddressLiteral, Domain, Mailbox
from ...vocabulary.paths import ForwardPath, ReversePath

__all__ = [
    "address_literals",
    "domains",
    "forward_paths",
    "local_parts",
    "mailboxes",
    "names",
    "reverse_paths",
]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_LABELS = st.builds(
    lambda first, middle, last: first + middle + last,
    st.sampled_from(_LETTERS),
    st.text(_LETTERS + "-", max_size=6),
    st.sampled_from(_LETTERS),
) | st.sampled_from(_LETTERS)
_U_LABELS = st.text(
    st.characters(min_codepoint=0xA1, categories=["Ll", "Lo", "Lm", "Nd"]).filter(
        lambda character: outside_u_label(character) < 0
    ),
    min_size=1,
    max_size=6,
)
_LONGEST_DOMAIN = ".".join(["d" * 63] * 4)
_LONGEST_PATH = Mailbox("l" * 64, Domain(".".join(["d" * 63, "d" * 63, "d" * 61])))


def domains(*, smtputf8: bool = False) -> st.SearchStrategy[Domain]:
    """Domains of one to four labels, and the longest possible one.

    Arguments:
        smtputf8: whether there may be U-labels; A-labels are as likely as any other.
    """
    labels = _LABELS | _U_LABELS if smtputf8 else _LABELS
    usual = st.lists(labels, min_size=1, max_size=4).map(".".join)
    rare = st.sampled_from(
        ["xn--bcher-kva.example", "localhost", "a.b", "1.2.3.4", _LONGEST_DOMAIN]
    )
    return (usual | rare).map(Domain)


def address_literals() -> st.SearchStrategy[AddressLiteral]:
    """Address literals: IPv4, IPv6 in several forms, and those with another tag (section 4.1.3)."""
    ipv6 = st.ip_addresses(v=6).flatmap(
        lambda address: st.sampled_from([str(address), address.exploded, str(address).upper()])
    )
    mapped = st.ip_addresses(v=4).map(lambda address: f"::ffff:{address}")
    return (
        st.ip_addresses(v=4).map(str)
        | (ipv6 | mapped).map(lambda address: f"IPv6:{address}")
        | st.from_regex(r"x-[a-z0-9]{1,5}:[!-Z^-~]{1,20}", fullmatch=True)
    ).map(AddressLiteral)


def names() -> st.SearchStrategy[Domain | AddressLiteral]:
    """Names for EHLO: a domain in ASCII, or an address literal."""
    return domains() | address_literals()


def local_parts(*, smtputf8: bool = False) -> st.SearchStrategy[str]:
    """Local-parts without their quotes: atoms, and texts that need a quoted string, or empty.

    Arguments:
        smtputf8: whether characters outside ASCII are allowed.
    """
    atoms = st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,20}", fullmatch=True)
    printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
    ascii_ = (
        atoms
        | printable
        | st.sampled_from(["l" * 64, "", '"', "\\", " ", "@", "a.b", "postmaster"])
    )
    if not smtputf8:
        return ascii_
    # Four octets at most for each character; only ASCII is escaped.
    return ascii_ | st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=15)


def mailboxes(*, smtputf8: bool = False) -> st.SearchStrategy[Mailbox]:
    """Mailboxes that fit into a path, and the longest one.

    Arguments:
        smtputf8: whether they may need SMTPUTF8.
    """
    any_domain = domains(smtputf8=smtputf8) | address_literals()
    return st.builds(Mailbox, local_parts(smtputf8=smtputf8), any_domain).filter(
        _fits_a_path
    ) | st.just(_LONGEST_PATH)


def _fits_a_path(mailbox: Mailbox) -> bool:
    return len(f"<{mailbox}>".encode()) <= MINIMUMS["path"]


def reverse_paths(*, smtputf8: bool = False) -> st.SearchStrategy[ReversePath]:
    """Reverse-paths, the null one among them.

    Arguments:
        smtputf8: as for `mailboxes`.
    """
    return st.builds(ReversePath, st.none() | mailboxes(smtputf8=smtputf8))


def forward_paths(*, smtputf8: bool = False) -> st.SearchStrategy[ForwardPath]:
    """Forward-paths, `<postmaster>` among them.

    Arguments:
        smtputf8: as for `mailboxes`.
    """
    return st.builds(ForwardPath, st.none() | mailboxes(smtputf8=smtputf8))
