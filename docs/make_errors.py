"""Writes docs/errors.md from the docstrings of what is public; `--check` only compares.

Run it as `python docs/make_errors.py`.  What an error means is the first paragraph of its
docstring; what raises it, and when, stands in the sections "Raises:" of all public docstrings.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from docs.generated import write_or_check

PAGE = Path(__file__).parent / "errors.md"
# A name that several packages offer is listed with the first of them.
PACKAGES = [
    "smtpproto",
    *(
        f"smtpproto.{name}"
        for name in (
            *("conversations", "extensions", "sasl", "adapters", "sync", "asyncio", "trio"),
            *("mailboxes", "testing", "testing.strategies", "testing.stateful", "idn"),
        )
    ),
]
RAISES = re.compile(r"^Raises:\n((?:    .*\n|\n)+)", re.MULTILINE)
ENTRY = re.compile(r"^    (?! )([\w., ]+): (.*(?:\n     +.*)*)", re.MULTILINE)

HEAD = """\
# Errors

An error says what was expected, what was found, where, and which section of which RFC asks for it.
Below the line of an error are those that inherit from it.

"""
WHEN = """

## What raises them

A reply that is negative is no error while some recipients may be accepted:
`send` returns a `Delivery` with one outcome for each recipient.
"""


def main(arguments: list[str], page: Path = PAGE) -> int:
    new = HEAD + "\n".join([*tree(), "", "## What they mean", "", *meanings()]) + WHEN
    new += "\n".join([*raised(), ""])
    return write_or_check(arguments, page, new, "docs/make_errors.py")


@functools.cache
def public() -> dict[int, tuple[str, str, object]]:
    """What is public: package, name and thing, once each."""
    found: dict[int, tuple[str, str, object]] = {}
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in module.__all__:
            found.setdefault(id(getattr(module, name)), (package, name, getattr(module, name)))
    return found


def errors() -> list[type[BaseException]]:
    """The public errors: each one above those that inherit from it."""
    found: list[type[BaseException]] = []

    def add(error: type[BaseException]) -> None:
        if error not in found:
            found.append(error)
            for below in all_of_them:
                if error in below.__bases__:
                    add(below)

    all_of_them = [
        thing
        for _, _, thing in public().values()
        if inspect.isclass(thing) and issubclass(thing, BaseException)
    ]
    for error in all_of_them:
        if not set(error.__bases__) & set(all_of_them):
            add(error)
    return found


def tree() -> Iterator[str]:
    yield "```text"
    shown = errors()
    for error in shown:
        depth = sum(above in shown for above in error.__mro__) - 1
        others = [base.__name__ for base in error.__bases__ if base not in {*shown, Exception}]
        also = f", also {' and '.join(others)}" if others else ""
        yield f"{'    ' * depth}{error.__name__}{also}"
    yield "```"


def meanings() -> Iterator[str]:
    yield "| error | import it from | it means |"
    yield "|---|---|---|"
    for error in errors():
        package, name, _ = public()[id(error)]
        text = " ".join(inspect.cleandoc(error.__doc__ or "").partition("\n\n")[0].split())
        yield f"| `{name}` | `{package}` | {text} |"


def raised() -> Iterator[str]:
    """A table for each package: what is called, what it raises and when."""
    head: list[str] = []
    before = ""
    for package, name, thing in public().values():
        if package != before:
            head = ["", f"### `{package}`", "", "| call | raises | when |", "|---|---|---|"]
            before = package
        # One that overrides another method and names no errors raises what that one does.
        told: dict[str, list[tuple[str, str]]] = {}
        for called, value in [(name, thing), *methods(name, thing)]:
            if named := list(entries(value)):
                told[called] = named
        for called, named in told.items():
            yield from head
            head = []
            for error, when in named:
                yield f"| `{called}` | `{error}` | {when} |"


def methods(name: str, thing: object) -> Iterator[tuple[str, object]]:
    """The methods of a class; those that it inherits, too, from classes that are not public."""
    for kind in reversed(inspect.getmro(thing)) if inspect.isclass(thing) else ():
        if kind is thing or (kind.__module__.startswith("smtpproto") and id(kind) not in public()):
            for method, value in vars(kind).items():
                # Any other value has the docstring of its class.
                if not method.startswith("_") and (
                    inspect.isroutine(value) or isinstance(value, property)
                ):
                    yield f"{name}.{method}", value


def entries(thing: object) -> Iterator[tuple[str, str]]:
    """The errors that a docstring names, and when they are raised."""
    if not callable(thing) and not isinstance(thing, (property, classmethod, staticmethod)):
        return
    section = RAISES.search(inspect.cleandoc(getattr(thing, "__doc__", None) or "") + "\n")
    if section is not None:
        for error, when in ENTRY.findall(section[1]):
            for each in error.split(", "):
                yield each, " ".join(when.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
