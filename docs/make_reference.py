"""Writes docs/reference/ from docstrings and signatures; `--check` only compares.

Run it as `python docs/make_reference.py`.  One page for each public module; a name that several of
them export is described on the first of these pages, and the others link to it.  What is written
depends on the source alone, not on the version of Python.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_origin

FOLDER = Path(__file__).parent / "reference"
PACKAGE = "smtpproto"
MODULES = (
    PACKAGE,
    "smtpproto.extensions",
    "smtpproto.sasl",
    "smtpproto.conversations",
    "smtpproto.conversations.requests",
    "smtpproto.conversations.submit",
    "smtpproto.sync",
    "smtpproto.trio",
    "smtpproto.options",
    "smtpproto.tls",
    "smtpproto.stores",
    "smtpproto.idn",
    "smtpproto.testing",
    "smtpproto.testing.strategies",
    "smtpproto.testing.machine",
    "smtpproto.wire",
    "smtpproto.states",
    "smtpproto.commands",
    "smtpproto.events",
    "smtpproto.replies",
    "smtpproto.syntax",
)
SECTION = re.compile(r"(Arguments|Attributes|Raises|Returns|Yields):")
ITEM = re.compile(r"([A-Za-z_][\w., *]*): +(.*)")

HEAD = """\
# Reference

One page for each module, made from the docstrings by `docs/make_reference.py`.

| module | |
|---|---|
"""


def main(arguments: list[str], folder: Path = FOLDER) -> int:
    new = pages()
    old = {path.name: path.read_text("utf-8") for path in folder.glob("*.md")}
    stale = sorted(name for name in {*new, *old} if new.get(name) != old.get(name))
    if "--check" in arguments:
        for name in stale:
            print(f"docs/reference/{name} is not what docs/make_reference.py makes")
        return 1 if stale else 0
    folder.mkdir(exist_ok=True)
    for name in stale:
        if name in new:
            (folder / name).write_text(new[name], "utf-8")
        else:
            (folder / name).unlink()
    return 0


def pages() -> dict[str, str]:
    """All pages by file name."""
    modules = {name: importlib.import_module(name) for name in MODULES}
    homes: dict[int, str] = {}
    for name, module in modules.items():
        for one in module.__all__:
            value = getattr(module, one)
            if is_class(value) or inspect.isfunction(value):
                homes.setdefault(id(value), name)
    made = {f"{name}.md": Page(name, module, homes).text() for name, module in modules.items()}
    rows = [
        f"| [`{name}`]({name}.md) | {plain(first_line(module))} |\n"
        for name, module in modules.items()
    ]
    return {"README.md": HEAD + "".join(rows), **made}


def first_line(value: object) -> str:
    return (inspect.cleandoc(value.__doc__ or "")).partition("\n")[0]


class Page:
    """One module."""

    def __init__(self, name: str, module: ModuleType, homes: dict[int, str]) -> None:
        self.name = name
        self.module = module
        self.homes = homes

    def text(self) -> str:
        parts = [f"# `{self.name}`", markdown(inspect.cleandoc(self.module.__doc__ or ""))]
        names = sorted(self.module.__all__, key=str.lower)
        elsewhere = []
        for one in names:
            value = getattr(self.module, one)
            home = self.homes.get(id(value), self.name)
            if home != self.name:
                elsewhere.append(f"- [`{one}`]({home}.md#{anchor(one)})")
            elif is_class(value):
                parts += self.of_class(one, value)
            elif inspect.isfunction(value):
                parts += [f"## `{one}`", signature(one, value), described(value)]
            else:
                parts += [f"## `{one}`", constant(one, value)]
        if elsewhere:
            parts += ["## Described elsewhere", "\n".join(elsewhere)]
        return "\n\n".join(filter(None, parts)) + "\n"

    def of_class(self, name: str, kind: type) -> list[str]:
        parts = [f"## `{name}`"]
        bases = [base for base in kind.__mro__[1:] if id(base) in self.homes]
        if issubclass(kind, enum.Enum):
            parts.append(code(f"class {name}(enum.Enum)"))
        elif is_built(kind):
            parts.append(signature(name, kind))
        else:
            # What `inspect` makes of such a class depends on the version of Python.
            parts.append(code(f"class {name}"))
        if bases:
            base = bases[0]
            place = self.homes[id(base)]
            page = "" if place == self.name else f"{place}.md"
            parts.append(f"Base: [`{base.__name__}`]({page}#{anchor(base.__name__)})")
        parts.append(described(kind, name))
        if issubclass(kind, enum.Enum):
            members = [f"- `{each.name}`: {plain(str(each.value))}" for each in kind]
            parts.append("\n".join(members))
        for member, value in self.members(kind):
            parts += self.of_member(name, member, value)
        return parts

    def members(self, kind: type) -> Iterator[tuple[str, Any]]:
        """What a user can call or read: its own, and that of bases which have no entry."""
        seen: set[str] = set()
        for base in kind.__mro__:
            if not base.__module__.startswith(PACKAGE):
                continue
            if base is not kind and id(base) in self.homes:
                # Its entry describes them.
                seen.update(vars(base))
                continue
            for member, value in vars(base).items():
                if member.startswith("_") or member in seen:
                    continue
                seen.add(member)
                kinds = (property, classmethod, staticmethod)
                if isinstance(value, kinds) or inspect.isfunction(value):
                    yield member, value

    @staticmethod
    def of_member(name: str, member: str, value: Any) -> list[str]:
        if isinstance(value, property):
            annotation = value.fget.__annotations__.get("return", "") if value.fget else ""
            parts = [f"### `{name}.{member}`", code(f"{member}: {unquoted(annotation)}")]
        else:
            function = getattr(value, "__func__", value)
            bound = not isinstance(value, staticmethod)
            parts = [f"### `{name}.{member}`", signature(member, function, bound=bound)]
        return [*parts, described(value)]


def is_class(value: object) -> bool:
    """Whether it is a class; an alias such as `dict[str, int]` looks like one on Python 3.10."""
    return inspect.isclass(value) and get_origin(value) is None


def is_built(kind: type) -> bool:
    """Whether a user builds it with arguments that the source names."""
    if hasattr(kind, "_fields"):
        return True
    start = inspect.getattr_static(kind, "__init__")
    return inspect.isfunction(start) and start.__module__.startswith(PACKAGE)


# --- Signatures ---------------------------------------------------------------------------------


def code(text: str) -> str:
    return f"```text\n{text}\n```"


def signature(name: str, function: Any, *, bound: bool = False) -> str:
    """How something is called, with annotations as they are written."""
    try:
        found = inspect.signature(function)
    except (TypeError, ValueError):
        return code(name)
    parameters = list(found.parameters.values())[1 if bound else 0 :]
    shown = []
    only_by_name = False
    for parameter in parameters:
        kind = parameter.kind
        if kind is parameter.VAR_POSITIONAL:
            only_by_name = True
        elif kind is parameter.KEYWORD_ONLY and not only_by_name:
            only_by_name = True
            shown.append("*")
        shown.append(one_parameter(parameter))
    before = "async def " if inspect.iscoroutinefunction(function) else ""
    result = unquoted(found.return_annotation)
    after = f" -> {result}" if result and not inspect.isclass(function) else ""
    line = f"{before}{name}({', '.join(shown)}){after}"
    if len(line) > 88:
        line = f"{before}{name}(\n    " + ",\n    ".join(shown) + f",\n){after}"
    return code(line)


def one_parameter(parameter: inspect.Parameter) -> str:
    stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
    stars = "**" if parameter.kind is parameter.VAR_KEYWORD else stars
    annotation = unquoted(parameter.annotation)
    text = f"{stars}{parameter.name}" + (f": {annotation}" if annotation else "")
    if parameter.default is parameter.empty:
        return text
    equals = " = " if annotation else "="
    return f"{text}{equals}{default(parameter.default)}"


def unquoted(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return ""
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")


def default(value: Any) -> str:
    """A default value; what has no written form of its own is shown as `...`."""
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.name}"
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return repr(value)
    if isinstance(value, tuple) and all(isinstance(each, str) for each in value):
        return repr(value)
    if inspect.isfunction(value) and not value.__name__.startswith("_"):
        return value.__name__
    return "..."


def constant(name: str, value: Any) -> str:
    if isinstance(value, (enum.Enum, str, int, bytes)):
        return code(f"{name} = {default(value)}")
    return code(name)


# --- Docstrings to Markdown ---------------------------------------------------------------------


def described(value: Any, name: str = "") -> str:
    """What the docstring says, but not what a dataclass makes up for one."""
    if is_class(value):
        doc = vars(value).get("__doc__") or ""
        doc = "" if doc.startswith(f"{name}(") else doc
    else:
        doc = (value.fget if isinstance(value, property) else value).__doc__ or ""
    return markdown(inspect.cleandoc(doc))


def markdown(doc: str) -> str:
    parts: list[str] = []
    for block in re.split(r"\n\s*\n", doc):
        lines = block.splitlines()
        if not lines:
            continue
        if SECTION.fullmatch(lines[0]):
            parts.append(f"**{lines[0]}**\n\n{items(lines[1:])}")
        elif all(line.startswith("    ") or not line for line in lines):
            text = inspect.cleandoc("\n".join(lines))
            kind = "pycon" if text.startswith(">>>") else "text"
            parts.append(f"```{kind}\n{text}\n```")
        else:
            parts.append("\n".join(plain(line) for line in lines))
    return "\n\n".join(parts)


def items(lines: list[str]) -> str:
    """The entries of a section: `name: text`, indented once, and twice where the text goes on."""
    found: list[str] = []
    for line in lines:
        match = ITEM.fullmatch(line.strip())
        if match is not None and not line.startswith("     "):
            found.append(f"- `{match[1]}`: {plain(match[2])}")
        elif found and line.startswith("     "):
            found[-1] += " " + plain(line.strip())
        else:
            found.append(plain(line.strip()))
    return "\n".join(found)


def plain(text: str) -> str:
    """Text in which nothing but backticks means anything."""
    spans = text.split("`")
    spans[::2] = [re.sub(r"([<*\[\]|])", r"\\\1", span) for span in spans[::2]]
    return "`".join(spans)


def anchor(name: str) -> str:
    return name.lower()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
