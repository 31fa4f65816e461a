from __future__ import annotations

from dataclasses import fields

import pytest

from smtpproto.limits import MINIMUMS, Limits

NAMES = [field.name for field in fields(Limits)]


@pytest.mark.parametrize(
    "name, least",
    [
        # RFC 5321 section 4.5.3.1
        ("local_part", 64),
        ("domain", 255),
        ("path", 256),
        ("command_line", 512),
        ("reply_line", 512),
        ("recipients", 100),
    ],
)
def test_the_minimums_of_the_rfc(name: str, least: int) -> None:
    assert MINIMUMS[name] == least
    assert getattr(Limits(**{name: least}), name) == least
    with pytest.raises(ValueError, match=f"{name}: expected {least} or more, found {least - 1}"):
        Limits(**{name: least - 1})


@pytest.mark.parametrize("name", NAMES)
def test_every_bound_can_be_set_and_none_is_nothing(name: str) -> None:
    assert getattr(Limits(**{name: 123_456}), name) == 123_456
    with pytest.raises(ValueError, match=f"{name}: expected .* found 0"):
        Limits(**{name: 0})


@pytest.mark.parametrize("name", NAMES)
def test_every_bound_is_explained(name: str) -> None:
    assert f"    {name}: " in (Limits.__doc__ or "")


def test_limits_are_a_value() -> None:
    assert Limits() == Limits()
    assert hash(Limits(errors=5)) == hash(Limits(errors=5))
    assert set(MINIMUMS) <= set(NAMES)
