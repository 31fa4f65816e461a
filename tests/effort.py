"""How much the tests try: enough by default, more in the long form (`make test-thorough`)."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import settings

T = TypeVar("T")

THOROUGH = settings.get_current_profile_name() == "thorough"


def effort(quick: T, thorough: T) -> T:
    """One of the two: how many examples, how large an input."""
    return thorough if THOROUGH else quick
