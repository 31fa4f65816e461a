"""Docstrings in the reference: names in backticks are links or code, each thing has one home."""

from __future__ import annotations

import functools
import importlib
import re
import sys
from types import MemberDescriptorType
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from docs.make_errors import PACKAGES

SECTION = re.compile(r"(Arguments|Raises|Returns|Yields):")
NAME = re.compile(r"[A-Za-z_][\w.]*(\(\))?")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_role("name", Name())
    app.connect("autodoc-skip-member", skip)
    app.connect("doctree-read", qualify)
    app.connect("autodoc-process-docstring", keep, priority=100)
    app.connect("autodoc-process-docstring", restore, priority=900)
    return {"parallel_read_safe": True}


@functools.cache
def homes() -> dict[str, list[str]]:
    """The packages that offer a name, the one that describes it first."""
    found: dict[str, list[str]] = {}
    for package in PACKAGES:
        for name in importlib.import_module(package).__all__:
            found.setdefault(name, []).append(package)
    return found


def described(package: str, name: str) -> bool:
    """Whether a package describes a name, and no other package before it describes that thing."""
    value = getattr(importlib.import_module(package), name)
    first = next(
        home for home in homes()[name] if getattr(importlib.import_module(home), name) is value
    )
    return first == package


def skip(
    app: Sphinx,
    what: str,
    name: str,
    obj: object,
    skipped: bool,
    options: Any,
) -> bool | None:
    if isinstance(obj, MemberDescriptorType):  # an argument, which the class describes
        return True
    package = str(app.env.temp_data.get("autodoc:module"))
    if what == "module" and package in homes().get(name, ()):
        return not described(package, name) or skipped
    return None


class Name(SphinxRole):
    """What stands in single backticks: code, and a link if it is the name of something public."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        text = self.rawtext.strip("`")
        code = nodes.literal(self.rawtext, text, classes=["py", "py-obj"])
        if not NAME.fullmatch(text):
            return [code], []
        link = pending_xref(
            self.rawtext,
            code,
            refdomain="py",
            reftype="obj",
            reftarget=text.removesuffix("()"),
            refexplicit=False,
            refdoc=self.env.docname,
            **{
                "py:module": self.env.ref_context.get("py:module"),
                "py:class": self.env.ref_context.get("py:class"),
            },
        )
        return [link], []


def qualify(app: Sphinx, doctree: nodes.document) -> None:
    """Give each name the place where it is described: annotations have the module it is in."""
    for link in doctree.findall(pending_xref):
        if link.get("refdomain") == "py":
            target = described_as(link["reftarget"], link.get("py:module"))
            if target is not None:
                link["reftarget"] = target
                link["refspecific"] = False


def described_as(target: str, near: str | None) -> str | None:
    """The name under which the reference describes what has this name, seen from a package."""
    path, _, name = target.rpartition(".")
    if path in sys.modules:
        near, target = path, name
    name, _, member = target.partition(".")
    # A word such as `names` is a function of another package only by chance.
    if name not in homes() or (name.islower() and near not in homes()[name]):
        return None
    value = getattr(sys.modules.get(near or ""), name, None)
    found = [home for home in homes()[name] if described(home, name)]
    same = [home for home in found if getattr(sys.modules[home], name) is value]
    return ".".join(filter(None, [(same or found)[0], name, member]))


def keep(app: Sphinx, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:
    """Remember the docstring of a property: napoleon takes what is before a colon for its type."""
    if what in {"attribute", "property"}:
        app.env.temp_data[name] = list(lines)


def restore(app: Sphinx, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:
    kept = app.env.temp_data.pop(name, None)
    if kept is not None and not any(SECTION.fullmatch(line) for line in kept):
        lines[:] = kept
