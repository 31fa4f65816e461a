"""Fields, saslnames and base64 of SASL messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto.sasl.errors import SASLError, SASLRefused
from smtpproto.sasl.message_text import (
    FIELD,
    decode,
    from_base64,
    presented,
    quote,
    unquote,
)


def test_a_field_is_bounded_utf_8() -> None:
    assert decode("é".encode() * (FIELD // 2), "name") == "é" * (FIELD // 2)
    with pytest.raises(SASLError, match="name: expected at most 1024 octets, found 1025"):
        decode(b"x" * (FIELD + 1), "name")
    with pytest.raises(SASLError, match="expected UTF-8, found something else at octet 2") as found:
        decode(b"ab\xff\xfesecret", "name")
    # The error of the standard library would carry the octets.
    assert found.value.__context__ is None


def test_what_cannot_be_prepared_is_refused() -> None:
    assert presented("\u2168") == "IX"
    with pytest.raises(SASLRefused) as found:
        presented("\x07")
    assert (found.value.code, found.value.enhanced) == (535, "5.7.8")


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=50))
def test_quoting_comes_back(name: str) -> None:
    quoted = quote(name)
    assert "," not in quoted
    assert unquote(quoted) == name


@pytest.mark.parametrize("saslname", ["", "a,b", "a=b", "a=2c", "a=", "a\0", "=", "=2", "=3d"])
def test_no_saslname(saslname: str) -> None:
    with pytest.raises(SASLError, match="expected a saslname"):
        unquote(saslname)
    with pytest.raises(SASLError, match="at most 1024"):
        unquote("x" * 1025)


@pytest.mark.parametrize(
    "text", ["", "=", "QQ", "QR==", "QQ==\n", " QQ==", "QQ==QQ==", "é", "Q-=="]
)
def test_no_canonical_base64(text: str) -> None:
    with pytest.raises(SASLError, match="salt: expected base64"):
        from_base64(text, "salt")
