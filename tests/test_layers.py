"""Imports point down only, and what lies below the adapters knows no I/O, clock or randomness.

Modules are parsed, not imported: an import in a function or under TYPE_CHECKING counts as well.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "smtpproto"

# One rank for each folder, from the top to the bottom.  A file imports from its own folder and from
# folders with a lower number; folders with the same number do not know each other.
RANKS = {
    "__main__": 11,
    "cli": 10,
    "testing": 9,
    "sync": 8,
    "trio": 8,
    "asyncio": 8,
    "mailboxes": 8,
    "adapters": 7,
    "idn": 7,
    "conversations/client": 6,
    "conversations/server": 6,
    "conversations": 5,
    "engine": 3,
    "extensions": 2,
    "sasl": 2,
    "vocabulary": 1,
    "grammar": 0,
    "wire": 0,
}
# Every file may import these, which import nothing but each other.
FOUNDATIONS = frozenset({"errors", "field_types", "lazy_names", "limits", "timeouts"})
# The two `__init__.py` that hand on names from folders above their own rank.
FACADES = {"": 4, "conversations/__init__": 6}
ADAPTERS = 7

# Modules that move bytes, tell the time, roll dice or look at the machine: for adapters only.
IMPURE = frozenset(
    {"_random", "_socket", "_ssl", "_thread", "asyncio", "concurrent", "fcntl", "getpass", "glob"}
    | {"http", "logging", "mailbox", "multiprocessing", "os", "pathlib", "platform", "queue"}
    | {"random", "sched", "secrets", "select", "selectors", "shutil", "signal", "smtplib", "socket"}
    | {"socketserver", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib"}
    | {"uuid"}
)

# Which folders import an event loop, or what is outside the standard library.
OUTSIDERS = {
    "trio": ("trio/", "cli/"),
    "asyncio": ("asyncio/", "cli/"),
    "hypothesis": ("testing/",),
    "pytest": ("testing/",),
    "idna": ("idn",),
    "trustme": ("cli/", "testing/"),
    "rich": ("cli/",),
    "cryptography": ("cli/",),
    "dns": ("cli/",),
    "typing_extensions": ("",),
}


def place(path: str) -> str:
    """The entry of RANKS for a file such as "wire/lines"; "" if there is none."""
    parts = path.split("/")
    for length in (2, 1):
        folder = "/".join(parts[:length])
        if folder in RANKS and (len(parts) > length or len(parts) == 1):
            return folder
    return ""


def rank(path: str) -> int | None:
    if path in FACADES:
        return FACADES[path]
    if path in FOUNDATIONS:
        return -1
    folder = place(path)
    return RANKS[folder] if folder else None


def imports(path: str, tree: ast.AST, files: frozenset[str]) -> Iterator[tuple[int, str, str]]:
    """Line, module and name of each import; a module of the package is a path such as "wire/lines".

    Other modules are given as their top-level name with a leading ":".
    """
    package = [PACKAGE, *path.split("/")[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            found = [(module, alias.name) for alias in node.names]
        else:
            continue
        for module, name in found:
            top, *inner = module.split(".")
            if top != PACKAGE:
                yield node.lineno, ":" + top, name
                continue
            target = "/".join(inner)
            deeper = f"{target}/{name}".lstrip("/")
            if deeper in files:
                yield node.lineno, deeper, ""
            elif f"{deeper}/__init__" in files:
                yield node.lineno, f"{deeper}/__init__", ""
            else:
                yield node.lineno, target if target in files | {""} else f"{target}/__init__", name


def at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker reads."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            for other in child.orelse:
                yield from at_run_time(other)
        else:
            yield from at_run_time(child)


def violations(sources: dict[str, str]) -> list[str]:
    """What each file does that its place forbids; keys are paths, "wire/lines", "" for the top."""
    found = []
    files = frozenset(sources)
    for path, source in sources.items():
        here = rank(path)
        if here is None:
            found.append(f"{path}: its folder has no rank")
            continue
        tree = ast.parse(source)
        found += [
            f"{path}:{line}: {reason}"
            for line, target, name in imports(path, tree, files)
            if (reason := forbidden(path, here, target, name))
        ]
        found += [
            f"{path}:{node.lineno}: typing_extensions is for type checkers only"
            for node in at_run_time(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "typing_extensions"
        ]
        if here < ADAPTERS:
            found += [
                f"{path}:{node.lineno}: .{node.attr} reads a clock"
                for node in ast.walk(tree)
                if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}
            ]
    return found


def forbidden(path: str, here: int, target: str, name: str) -> str:
    """Why a file must not import this; "" if it may."""
    if target.startswith(":"):
        return outsider(path, here, target[1:])
    if name.startswith("_") and name != "__version__":
        return f"{name} is private to {target}"
    there = rank(target)
    if there is None:
        return f"{target}: its folder has no rank"
    same = place(target) == place(path) and path not in FACADES
    if (same and target not in FACADES) or there < here:
        return ""
    if path in FACADES and there == here and target not in FACADES:
        return ""
    return f"{target or PACKAGE} does not stand lower"


def outsider(path: str, here: int, top: str) -> str:
    if top in OUTSIDERS:
        homes = OUTSIDERS[top]
        allowed = any(path.startswith(home) for home in homes)
        return "" if allowed else f"{top} belongs to {homes[0].rstrip('/')} alone"
    if top not in sys.stdlib_module_names:
        return f"{top} is not in the standard library"
    if here < ADAPTERS and top in IMPURE:
        return f"{top} is for adapters"
    return ""


def read_package() -> dict[str, str]:
    folder = ROOT / PACKAGE
    sources = {}
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).with_suffix("").as_posix()
        sources["" if name == "__init__" else name] = path.read_text(encoding="utf-8")
    return sources


def test_every_import_points_down() -> None:
    sources = read_package()
    assert "errors" in sources
    assert violations(sources) == []


def test_every_rank_is_in_use() -> None:
    sources = read_package()
    assert {place(path) for path in sources} >= set(RANKS)


# A made-up package: what the files of the second column do is what the third complains about.
CLEAN = {
    "": "from .engine.client import Client\n",
    "errors": "from __future__ import annotations\nimport re\n",
    "wire/__init__": "",
    "wire/lines": "from ..errors import E\nfrom . import dots\n",
    "wire/dots": "import smtpproto.errors\n",
    "vocabulary/commands": (
        "if TYPE_CHECKING:\n    from typing_extensions import Self\nelse:\n    import re\n"
    ),
    "engine/client": "from ..wire.lines import LineReader\nfrom smtpproto import errors\n",
    "conversations/__init__": "from .client.pool import P\nfrom .steps import Steps\n",
    "conversations/steps": "",
    "conversations/client/pool": "from ..steps import Steps\nfrom ... import Client\n",
    "conversations/server/handler": "",
    "adapters/tls": "import ssl\nfrom ..engine.client import Client\n",
    "sync/__init__": "import socket\nfrom ..conversations import P\n",
    "sync/loop": "from ..adapters import tls_contexts\n",
    "trio/loop": "import trio\nfrom datetime import datetime\ndatetime.now()\n",
}


def test_the_checker_accepts_what_is_right() -> None:
    assert violations(CLEAN) == []


@pytest.mark.parametrize(
    "path, source, complaint",
    [
        ("wire/lines", "from ..engine.client import C", ":1: engine/client does not stand"),
        ("wire/lines", "from ..engine import client", ":1: engine/client does not stand"),
        ("wire/__init__", "from .lines import x\nfrom ..errors import y\nimport os", ":3: os is"),
        ("wire/lines", "from .dots import _find", ":1: _find is private to wire/dots"),
        ("errors", "import smtpproto.engine.client", ":1: engine/client does not stand"),
        ("errors", "import smtpproto", ":1: smtpproto does not stand lower"),
        ("errors", "from smtpproto import Client", ":1: smtpproto does not stand lower"),
        ("engine/client", "from .. import Client", ":1: smtpproto does not stand lower"),
        ("engine/client", "from ..sync import loop", ":1: sync/loop does not stand lower"),
        ("", "import smtpproto.trio.loop", ":1: trio/loop does not stand"),
        ("sync/loop", "from ..trio import loop", ":1: trio/loop does not stand"),
        (
            "conversations/client/pool",
            "from ..server.handler import H",
            ":1: conversations/server/handler does not stand",
        ),
        (
            "conversations/steps",
            "from .client.pool import P",
            ":1: conversations/client/pool does not stand",
        ),
        (
            "conversations/client/pool",
            "from .. import Steps",
            ":1: conversations/__init__ does not stand",
        ),
        ("errors", "def f():\n    import socket", ":2: socket is for adapters"),
        ("errors", "if TYPE_CHECKING:\n    import ssl", ":2: ssl is for adapters"),
        ("errors", "from os.path import join", ":1: os is for adapters"),
        ("conversations/steps", "import ssl", ":1: ssl is for adapters"),
        ("adapters/tls", "from ..sync import loop", ":1: sync/loop does not stand lower"),
        ("adapters/tls", "import trio", ":1: trio belongs to trio alone"),
        ("engine/client", "from asyncio import streams", ":1: asyncio belongs to asyncio alone"),
        ("engine/client", "import attrs", ":1: attrs is not in the standard library"),
        ("sync/__init__", "import trio", ":1: trio belongs to trio alone"),
        ("novel/file", "import re", ": its folder has no rank"),
        ("trio/loop", "from hypothesis import given", ":1: hypothesis belongs to testing"),
        ("engine/client", "import datetime as d\nd.datetime.now()", ":2: .now reads a clock"),
        (
            "engine/client",
            "from typing_extensions import Self",
            ":1: typing_extensions is for type checkers only",
        ),
    ],
)
def test_the_checker_finds_what_is_wrong(path: str, source: str, complaint: str) -> None:
    found = violations({**CLEAN, path: source})
    assert len(found) == 1
    assert found[0].startswith(path + complaint)


def test_importing_the_package_imports_no_adapter() -> None:
    """What `import smtpproto` loads, seen by a fresh interpreter."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import smtpproto; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], check=True, capture_output=True, text=True
    )
    loaded = set(done.stdout.split())
    assert PACKAGE in loaded
    assert loaded.isdisjoint({"asyncio", "socket", "ssl", "threading", "trio"})
    above = (
        "conversations",
        "adapters",
        "sync",
        "trio",
        "asyncio",
        "testing",
        "cli",
        "mailboxes",
        "idn",
    )
    assert not [name for name in loaded if name.startswith(tuple(f"{PACKAGE}.{a}" for a in above))]
