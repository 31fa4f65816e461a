"""Packages that load a file when one of its names is asked for, so that an import costs little."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["lazy_names"]


def lazy_names(
    package: str, files: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return the functions `__getattr__` and `__dir__` of a package (PEP 562).

    Type checkers must not see them, as they would take any name then: the package imports the same
    names under `TYPE_CHECKING`, and a test compares the two lists.

    Arguments:
        package: its `__name__`.
        files: by relative module, such as ".size", the names that it defines, with spaces between.
    """
    homes = {name: file for file, names in files.items() for name in names.split()}

    def get(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found: object = getattr(import_module(homes[name], package), name)
        # Python does not ask again.
        setattr(import_module(package), name, found)
        return found

    def names() -> list[str]:
        return sorted({*vars(import_module(package)), *homes})

    return get, names
