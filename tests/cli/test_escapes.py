"""Octets as text, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto.cli.escapes import from_text, to_text


@given(st.binary())
def test_text_stands_for_its_octets(octets: bytes) -> None:
    text = to_text(octets)
    assert text.isprintable()
    assert from_text(text) == octets


def test_what_people_write() -> None:
    assert from_text(r"a\r\n.\n\0\x41\\ü") == b"a\r\n.\n\0A\\\xc3\xbc"
    assert to_text(b"gr\xc3\xbc\xc3\x9fe\x1b[0m\xff\r\n") == r"grüße\x1b[0m\xff\r\n"


@pytest.mark.parametrize("text", [r"\q", r"\x4", r"\xgg"])
def test_what_is_no_escape(text: str) -> None:
    with pytest.raises(ValueError, match="found"):
        from_text(text)
