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
from .made_once import made_once

__all__ = [
    "address_literals",
    "domains",
    "forward_paths",
    "local_parts",
    "mailboxes",
    "names",
    "reverse_paths",
]

# The strings of each choice are in the order in which hypothesis shrinks: towards the first choice
# and towards few choices.  So the usual value comes first, and takes no further choice.
_SIMPLEST = Domain("example.com")
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_LABELS = (
    st.text(_LETTERS, min_size=1, max_size=8)
    | st.builds(
        "{}-{}".format,
        st.text(_LETTERS, min_size=1, max_size=3),
        st.text(_LETTERS, min_size=1, max_size=3),
    )
    | st.sampled_from(["a--b", "x---9"])
)
_U_LABELS = st.text(
    st.characters(min_codepoint=0xA1, categories=["Ll", "Lo", "Lm", "Nd"]).filter(
        lambda character: outside_u_label(character) < 0
    ),
    min_size=1,
    max_size=6,
)
_LONGEST_DOMAIN = ".".join(["d" * 63] * 4)
_LONGEST_PATH = Mailbox("l" * 64, Domain(".".join(["d" * 63, "d" * 63, "d" * 61])))


@made_once
def domains(*, smtputf8: bool = False) -> st.SearchStrategy[Domain]:
    """Domains of one to four labels, and the longest possible one; the simplest is `example.com`.

    Arguments:
        smtputf8: whether there may be U-labels; A-labels are as likely as any other.
    """
    labels = _LABELS | _U_LABELS if smtputf8 else _LABELS
    usual = st.lists(labels, min_size=1, max_size=4).map(".".join)
    rare = st.sampled_from(
        ["a.b", "localhost", "1.2.3.4", "xn--bcher-kva.example", _LONGEST_DOMAIN]
    )
    return st.just(_SIMPLEST) | (usual | rare).map(Domain)


@made_once
def address_literals() -> st.SearchStrategy[AddressLiteral]:
    """Address literals: IPv4, IPv6 in several forms, and those with another tag (section 4.1.3)."""
    ipv6 = st.builds(
        lambda address, form: form(address),
        st.ip_addresses(v=6),
        st.sampled_from(
            [str, lambda address: address.exploded, lambda address: str(address).upper()]
        ),
    )
    mapped = st.ip_addresses(v=4).map(lambda address: f"::ffff:{address}")
    return (
        st.just("192.0.2.1")
        | st.ip_addresses(v=4).map(str)
        | (ipv6 | mapped).map(lambda address: f"IPv6:{address}")
        | st.from_regex(r"x-[a-z0-9]{1,5}:[!-Z^-~]{1,20}", fullmatch=True)
    ).map(AddressLiteral)


@made_once
def names() -> st.SearchStrategy[Domain | AddressLiteral]:
    """Names for EHLO: a domain in ASCII, or an address literal."""
    return domains() | address_literals()


@made_once
def local_parts(*, smtputf8: bool = False) -> st.SearchStrategy[str]:
    """Local-parts without their quotes: atoms, and texts that need a quoted string, or empty.

    The simplest is `a`.

    Arguments:
        smtputf8: whether characters outside ASCII are allowed.
    """
    atoms = st.text(_LETTERS + "!#$%&'*+/=?^_`{|}~.-", min_size=1, max_size=20)
    printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
    # Four octets at most for each character; only ASCII is escaped.
    unicode = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=15)
    special = st.sampled_from(["a.b", "postmaster", "@", " ", "\\", '"', "", "l" * 64])
    return st.one_of(st.just("a"), atoms, printable, *([unicode] if smtputf8 else []), special)


@made_once
def mailboxes(*, smtputf8: bool = False) -> st.SearchStrategy[Mailbox]:
    """Mailboxes that fit into a path, and the longest one; the simplest is `a@example.com`.

    Arguments:
        smtputf8: whether they may need SMTPUTF8.
    """
    any_domain = domains(smtputf8=smtputf8) | address_literals()
    usual = st.builds(Mailbox, local_parts(smtputf8=smtputf8), any_domain).filter(_fits_a_path)
    return st.just(Mailbox("a", _SIMPLEST)) | usual | st.just(_LONGEST_PATH)


def _fits_a_path(mailbox: Mailbox) -> bool:
    return len(f"<{mailbox}>".encode()) <= MINIMUMS["path"]


@made_once
def reverse_paths(*, smtputf8: bool = False) -> st.SearchStrategy[ReversePath]:
    """Reverse-paths, the null one among them.

    Arguments:
        smtputf8: as for `mailboxes`.
    """
    return st.builds(ReversePath, mailboxes(smtputf8=smtputf8) | st.none())


@made_once
def forward_paths(*, smtputf8: bool = False) -> st.SearchStrategy[ForwardPath]:
    """Forward-paths, `<postmaster>` among them.

    Arguments:
        smtputf8: as for `mailboxes`.
    """
    return st.builds(ForwardPath, mailboxes(smtputf8=smtputf8) | st.none())
