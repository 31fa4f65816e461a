"""A-labels for U-labels and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import Domain, ForwardPath, LocalProtocolError, ReversePath
from smtpproto.idn import ascii_alternative, to_ascii, to_unicode

BOTH = [
    ("пример.example", "xn--e1afmkfd.example"),
    ("bücher.example", "xn--bcher-kva.example"),
    ("straße.example", "xn--strae-oqa.example"),
    ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
    ("mx.example", "mx.example"),
]


@pytest.mark.parametrize("u_labels, a_labels", BOTH)
def test_both_forms(u_labels: str, a_labels: str) -> None:
    assert to_ascii(u_labels).name == a_labels
    assert to_ascii(Domain(u_labels)).name == a_labels
    assert to_unicode(Domain(a_labels)).name == u_labels


def test_what_people_type() -> None:
    assert to_ascii("BÜCHER.Example").name == "xn--bcher-kva.example"


def test_ascii_is_kept_as_it_is() -> None:
    """Letter case too, and names that IDNA would not register."""
    for name in ("MX.Example", "xn--E1AFMKFD.example", "a--b.example"):
        assert to_ascii(name).name == name


@pytest.mark.parametrize("name", ["", "a..b", "é..example", "é" * 64, "a b", "\u2044.example"])
def test_what_is_no_domain(name: str) -> None:
    with pytest.raises(LocalProtocolError):
        to_ascii(name)


@pytest.mark.parametrize("name", ["xn--a.example", "xn--99999999.example"])
def test_what_is_no_a_label(name: str) -> None:
    with pytest.raises(LocalProtocolError, match="no other form under IDNA"):
        to_unicode(Domain(name))


@given(st.text(max_size=40))
def test_nothing_else_escapes(name: str) -> None:
    try:
        domain = to_ascii(name)
    except LocalProtocolError:
        return
    assert domain.ascii


@pytest.mark.parametrize(
    "address, alternative",
    [
        ("jo@bücher.example", "jo@xn--bcher-kva.example"),
        ("jo@mx.example", "jo@mx.example"),
        ("jo@[192.0.2.1]", "jo@[192.0.2.1]"),
    ],
)
def test_alternatives(address: str, alternative: str) -> None:
    assert ascii_alternative(ForwardPath.of(address)) == ForwardPath.of(alternative)
    assert ascii_alternative(ReversePath.of(address)) == ReversePath.of(alternative)


@pytest.mark.parametrize("address", ["josé@mx.example", "josé@bücher.example", "é@[192.0.2.1]"])
def test_a_local_part_has_none(address: str) -> None:
    assert ascii_alternative(ForwardPath.of(address)) is None


def test_paths_without_a_mailbox() -> None:
    assert ascii_alternative(ReversePath(None)) == ReversePath(None)
    assert ascii_alternative(ForwardPath(None)) == ForwardPath(None)
