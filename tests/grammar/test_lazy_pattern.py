from __future__ import annotations

import re

import pytest

from smtpproto.grammar.lazy_pattern import lazy_pattern


def test_it_matches_as_the_compiled_pattern_does() -> None:
    pattern = lazy_pattern("(a+)(b?)", re.IGNORECASE)
    assert pattern.pattern == "(a+)(b?)"
    match = pattern.fullmatch("AAb")
    assert match is not None
    assert match.groups() == ("AA", "b")
    assert pattern.match("b") is None
    assert pattern.sub("-", "xaab") == "x-"
    assert lazy_pattern(rb"[0-9]").findall(b"a1b2") == [b"1", b"2"]


def test_a_mistake_shows_at_the_first_use() -> None:
    pattern = lazy_pattern("(")
    with pytest.raises(re.error):
        pattern.fullmatch("")


def test_it_has_no_other_attributes() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = lazy_pattern("a").nonsense  # type: ignore[attr-defined]
