"""`made_once`: a strategy is made at the first call and kept.

Making and validating a strategy takes longer than drawing from it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar, cast

F = TypeVar("F", bound=Callable[..., object])

__all__ = ["made_once"]


def made_once(function: F) -> F:
    """Decorate a function that returns a strategy: the same arguments give the same strategy."""
    return cast("F", functools.cache(function))
