"""What is public: told in one place, explained, and defined once."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import get_origin

import pytest

import smtpproto

ROOT = Path(__file__).parent.parent
PACKAGE = "smtpproto"
# Importing these runs a program.
PROGRAMS = {"smtpproto.__main__"}


def modules() -> Iterator[str]:
    yield PACKAGE
    for info in pkgutil.walk_packages(smtpproto.__path__, f"{PACKAGE}."):
        if info.name not in PROGRAMS:
            yield info.name


NAMES = sorted(modules())


def is_class(value: object) -> bool:
    """Whether it is a class; an alias such as `Generator[int]` looks like one on Python 3.10."""
    return inspect.isclass(value) and get_origin(value) is None


def public(module: ModuleType) -> list[str]:
    """What it says is public; the modules of the command line, which is no API, say nothing."""
    if module.__name__.startswith("smtpproto.cli."):
        here = vars(module).items()
        return [
            one for one, value in here if one[0] != "_" and definition(value) == module.__name__
        ]
    names: list[str] = module.__all__
    return names


@pytest.mark.parametrize("name", NAMES)
def test_every_module_says_what_is_public(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, "a module begins by saying what lives in it"
    names = public(module)
    assert len(names) == len(set(names))
    assert [one for one in names if not hasattr(module, one)] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_explained(name: str) -> None:
    module = importlib.import_module(name)
    bare = []
    for one in public(module):
        value = getattr(module, one)
        if is_class(value) or inspect.isfunction(value):
            # A dataclass without a docstring gets its signature for one.
            doc = value.__dict__.get("__doc__") if is_class(value) else value.__doc__
            if not doc or doc.startswith(f"{one}("):
                bare.append(one)
    assert bare == []


def definition(value: object) -> str | None:
    """The module in which a class or function is written."""
    if inspect.isclass(value) or inspect.isfunction(value):
        return value.__module__
    return None


# The adapters mirror each other, and the core, name by name; tests do the same in memory.
MIRRORS = {"smtpproto", "engine", "sync", "trio", "asyncio", "testing"}


def test_no_class_is_defined_twice() -> None:
    """Two things of one name are one word for two things."""
    homes: dict[str, set[str]] = {}
    for name in NAMES:
        module = importlib.import_module(name)
        for one in public(module):
            value = getattr(module, one)
            home = definition(value)
            if inspect.isclass(value) and home is not None and home.startswith(PACKAGE):
                homes.setdefault(one, set()).add(home)
    found = {
        one: sorted(places)
        for one, places in homes.items()
        if len(places) > 1 and not {place.split(".")[1] for place in places} <= MIRRORS
    }
    assert found == {}


DOORS = [
    name
    for name in NAMES
    if name.count(".") < 2 and hasattr(importlib.import_module(name), "__path__")
]


def test_no_name_means_two_things_to_who_imports_it() -> None:
    """What stands at the door of a package, functions too."""
    meanings: dict[str, dict[str, object]] = {}
    for name in DOORS:
        if name.rpartition(".")[2] not in MIRRORS - {"smtpproto"}:
            module = importlib.import_module(name)
            for one in public(module):
                meanings.setdefault(one, {})[name] = getattr(module, one)
    twins = {
        one: sorted(values)
        for one, values in meanings.items()
        if len({id(value) for value in values.values()}) > 1
    }
    assert twins == {}


def test_what_is_reexported_is_public_where_it_is_defined() -> None:
    for one in smtpproto.__all__:
        home = definition(getattr(smtpproto, one))
        if home is not None:
            assert one in public(importlib.import_module(home)), f"{one} of {home}"


def documented() -> dict[str, set[str]]:
    """The names that the pages of documentation use as `smtpproto.Name`."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
    return {
        str(page.relative_to(ROOT)): set(
            re.findall(r"\bsmtpproto\.([A-Z]\w+)", page.read_text(encoding="utf-8"))
        )
        for page in pages
    }


@pytest.mark.parametrize("page, names", documented().items(), ids=documented())
def test_what_the_documentation_names_is_there(page: str, names: set[str]) -> None:
    assert names <= set(smtpproto.__all__), page


def test_the_core_is_offered_whole() -> None:
    """All commands and events of the core can be imported from the package itself."""
    from smtpproto.vocabulary import command_base, commands, events

    bases = {"BASE_COMMANDS", "CountedCommand", "DialogueCommand", "Framing", "Grammar", "Hello"}
    assert {*public(command_base), *public(commands)} - bases <= set(smtpproto.__all__)
    assert set(public(events)) <= set(smtpproto.__all__)


def test_all_is_sorted() -> None:
    """So that two people who add a name do not meet on one line."""
    names = smtpproto.__all__
    shouting = [name for name in names if name.isupper()]
    others = [name for name in names if name not in shouting]
    assert names == [*shouting, *sorted(others, key=key)]


def key(name: str) -> tuple[bool, str]:
    """Classes before functions, as ruff sorts them."""
    return not name[0].isupper(), name
