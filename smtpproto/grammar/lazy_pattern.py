"""Patterns that are compiled at their first use: to compile all of them would slow every import."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, AnyStr

__all__ = ["lazy_pattern"]

_METHODS = ("match", "fullmatch", "search", "finditer", "findall", "split", "sub", "subn")


class _LazyPattern:
    """Has the methods of `re.Pattern`.  The first call of one compiles the pattern.

    After that the methods of the compiled pattern are attributes of this object, so that a call
    costs no more than with `re.compile`.
    """

    def __init__(self, pattern: str | bytes, flags: int) -> None:
        self.pattern = pattern
        self.flags = flags

    def __getattr__(self, name: str) -> Callable[..., Any]:
        # Python asks here only for attributes that are not there yet.
        if name not in _METHODS:
            raise AttributeError(name)
        compiled = re.compile(self.pattern, self.flags)
        self.__dict__.update({method: getattr(compiled, method) for method in _METHODS})
        found: Callable[..., Any] = self.__dict__[name]
        return found


def lazy_pattern(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return a pattern, as `re.compile` does, that is compiled at its first use.

    A mistake in the pattern shows then, too, as `re.error`.

    Arguments:
        pattern: as `re.compile` takes it.
        flags: the same.
    """
    return cast("re.Pattern[AnyStr]", _LazyPattern(pattern, flags))
