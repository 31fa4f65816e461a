"""SASLprep (RFC 4013) and the trace profile (RFC 4505 section 3)."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto.sasl.errors import SASLError
from smtpproto.sasl.saslprep import check_trace, prepare
from tests.sasl.driver import texts


@pytest.mark.parametrize(
    "text, prepared",
    [
        ("I\u00adX", "IX"),  # the examples of RFC 4013 section 3
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b\u3000c", "a b c"),  # spaces of all kinds are one kind
        ("e\u0301", "é"),
        ("ｐａｓｓ", "pass"),
        ("אבג", "אבג"),
        ("א1ב", "א1ב"),
        ("\u1806x", "x"),
    ],
)
def test_prepared(text: str, prepared: str) -> None:
    assert prepare(text) == prepared
    assert prepare(text, stored=True) == prepared


@pytest.mark.parametrize(
    "text, why",
    [
        ("\u0007", "prohibited character stands at index 0"),  # RFC 4013 section 3
        ("\u0627\u0031", "directions"),
        ("אa", "directions"),
        ("1אב", "directions"),
        ("tab\there", "index 3"),
        ("\ue000", "index 0"),
        ("\ufffe", "index 0"),
        ("\ud800", "index 0"),
        ("\u2ff0", "index 0"),
        ("\u202e", "index 0"),
        ("\U000e0001", "index 0"),
        ("\u00ad", "nothing is left"),
        ("", "nothing is left"),
    ],
)
def test_refused(text: str, why: str) -> None:
    with pytest.raises(SASLError, match=why):
        prepare(text)


def test_what_unicode_3_2_does_not_know_is_for_queries_only() -> None:
    assert prepare("\U0001f511") == "\U0001f511"
    with pytest.raises(SASLError, match=r"RFC 4013 section 2\.5"):
        prepare("\U0001f511", stored=True)


@given(texts)
def test_what_is_prepared_stays_as_it_is(text: str) -> None:
    prepared = prepare(text)
    assert prepare(prepared, stored=True) == prepared


@given(st.text(max_size=40))
def test_nothing_but_the_documented_error_escapes(text: str) -> None:
    for function in (prepare, check_trace):
        with suppress(SASLError):
            function(text)


@pytest.mark.parametrize("text", ["", "sirhc", "me@example.org", "a\u00a0b", "\U0001f511"])
def test_trace_information(text: str) -> None:
    check_trace(text)


@pytest.mark.parametrize("text", ["\r\n", "\u0085", "\ue000", "\ufdd0", "\ufff9", "\u200e", "אa"])
def test_no_trace_information(text: str) -> None:
    with pytest.raises(SASLError):
        check_trace(text)
