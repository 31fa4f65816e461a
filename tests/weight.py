"""What a value holds in memory, with all that it refers to."""

from __future__ import annotations

import sys
from enum import Enum
from types import FunctionType, MethodType, ModuleType
from typing import Any

# What all values share.
COMMON = (type, ModuleType, FunctionType, MethodType, Enum, int, str, type(None))


def weight(thing: Any, seen: set[int] | None = None) -> int:
    """The octets of a value; text and numbers count nothing.

    Arguments:
        thing: the value.
        seen: ids of what is not counted; what was counted is added.
    """
    seen = set() if seen is None else seen
    if id(thing) in seen or isinstance(thing, COMMON):
        return 0
    seen.add(id(thing))
    slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    parts = [getattr(thing, name, None) for name in slots]
    parts += getattr(thing, "__dict__", {}).values()
    if isinstance(thing, dict):
        parts += [*thing.keys(), *thing.values()]
    elif not isinstance(thing, (bytes, bytearray, memoryview)) and hasattr(thing, "__iter__"):
        parts += list(thing) if hasattr(thing, "__len__") else []
    return sys.getsizeof(thing) + sum(weight(part, seen) for part in parts)
