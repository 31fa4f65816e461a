"""Imports point down only, and what lies below the adapters knows no I/O, clock or randomness.

Modules are parsed, not imported: what hides in functions or under TYPE_CHECKING counts as well.
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

# The longest prefix of a module's name says where it stands.  Whoever stands lower is imported by
# whoever stands higher, never the other way round and never at equal height: the steps inside a
# layer keep its files free of cycles.  The files of one folder are one place and free among
# themselves.
LAYERS: dict[str, float] = {
    "smtpproto.errors": 0.0,
    "smtpproto.limits": 0.0,
    "smtpproto.syntax": 0.1,
    "smtpproto.address_list": 0.2,
    "smtpproto.address_reader": 0.2,
    "smtpproto.wire": 0.1,
    "smtpproto.addresses": 1.0,
    "smtpproto.parameters": 1.0,
    "smtpproto.commands": 1.1,
    "smtpproto.lenient": 1.2,
    "smtpproto.replies": 1.2,
    "smtpproto.codes": 1.1,
    "smtpproto.events": 1.3,
    "smtpproto.states": 1.4,
    "smtpproto.session": 1.4,
    "smtpproto.extensions": 1.5,
    "smtpproto.sasl": 1.5,
    "smtpproto._connection": 2.0,
    "smtpproto.client": 2.1,
    "smtpproto.server": 2.1,
    "smtpproto": 2.2,  # its __init__ alone: a folder below it needs a line of its own
    "smtpproto.conversations": 3.0,
    "smtpproto.tls": 3.5,
    "smtpproto.host": 3.5,
    "smtpproto.channel": 3.6,
    "smtpproto.options": 3.6,
    "smtpproto.sync": 4.0,
    "smtpproto.trio": 4.0,
    "smtpproto.stores": 4.0,
    "smtpproto.idn": 4.0,
    "smtpproto.testing": 4.0,
    "smtpproto.cli": 5.0,
    "smtpproto.__main__": 5.1,
}

# From here up: the adapters, and what they share.
ADAPTERS = 3.5

# Whatever moves bytes, tells the time, rolls dice or looks at the machine: adapters only.
IMPURE = frozenset(
    {"_random", "_socket", "_ssl", "_thread", "asyncio", "concurrent", "fcntl", "getpass", "glob"}
    | {"http", "logging", "mailbox", "multiprocessing", "os", "pathlib", "platform", "queue"}
    | {"random", "sched", "secrets", "select", "selectors", "shutil", "signal", "smtplib", "socket"}
    | {"socketserver", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib"}
    | {"uuid"}
)

# Who is allowed what from outside the standard library.
OUTSIDERS = {
    # Of the command line, what `--io trio` alone imports.
    "trio": ("smtpproto.trio", "smtpproto.cli.sending_trio", "smtpproto.cli.serving_trio"),
    "hypothesis": ("smtpproto.testing",),
    "idna": ("smtpproto.idn",),
    "trustme": ("smtpproto.cli",),
    "typing_extensions": ("smtpproto",),
}


def place(module: str) -> str:
    """The entry of LAYERS that speaks for a module; "" if none does."""
    name = module
    while name not in LAYERS and "." in name:
        name = name.rpartition(".")[0]
    # The package itself is an entry, but only its own __init__ stands there.
    return "" if name == PACKAGE != module or name not in LAYERS else name


def under(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(prefix + ".")


def imports(file: str, tree: ast.AST, modules: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Line and absolute name of all that a file imports, wherever in it the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            folder = file.split(".")[: -node.level] if node.level else []
            base = ".".join([*folder, *filter(None, [node.module])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield node.lineno, full if full in modules else base


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
    """What each file does that its place forbids; keys are dotted, "smtpproto.wire.__init__"."""
    found = []
    modules = frozenset(file.removesuffix(".__init__") for file in sources)
    for file, source in sources.items():
        module = file.removesuffix(".__init__")
        here = place(module)
        if not here:
            found.append(f"{module}: has no place in LAYERS")
            continue
        tree = ast.parse(source)
        found += [
            f"{module}:{line}: {reason}"
            for line, target in imports(file, tree, modules)
            if (reason := forbidden(module, here, target))
        ]
        found += [
            f"{module}:{node.lineno}: typing_extensions is for type checkers only"
            for node in at_run_time(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "typing_extensions"
        ]
        if LAYERS[here] < ADAPTERS:
            found += [
                f"{module}:{node.lineno}: .{node.attr} reads a clock"
                for node in ast.walk(tree)
                if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}
            ]
    return found


def forbidden(module: str, here: str, target: str) -> str:
    top = target.partition(".")[0]
    if top == PACKAGE:
        there = place(target)
        if not there:
            return f"{target} has no place in LAYERS"
        if there != here and LAYERS[there] >= LAYERS[here]:
            return f"{target} does not stand lower"
        return ""
    if top in OUTSIDERS:
        homes = OUTSIDERS[top]
        allowed = any(under(module, home) for home in homes)
        return "" if allowed else f"{top} belongs to {homes[0]} alone"
    if top not in sys.stdlib_module_names:
        return f"{top} is not in the standard library"
    if LAYERS[here] < ADAPTERS and top in IMPURE:
        return f"{top} is for adapters"
    return ""


def read_package() -> dict[str, str]:
    sources = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        sources[".".join(parts)] = path.read_text(encoding="utf-8")
    return sources


def test_every_import_points_down() -> None:
    sources = read_package()
    assert "smtpproto.errors" in sources
    assert violations(sources) == []


# A made-up package: what the modules of the second column do is what the third complains about.
CLEAN = {
    "smtpproto.__init__": "from .client import Client\n",
    "smtpproto.errors": "from __future__ import annotations\nimport re\n",
    "smtpproto.wire.__init__": "",
    "smtpproto.wire.lines": "from ..errors import E\nfrom . import dots\n",
    "smtpproto.wire.dots": "import smtpproto.errors\n",
    "smtpproto.commands": (
        "if TYPE_CHECKING:\n    from typing_extensions import Self\nelse:\n    import re\n"
    ),
    "smtpproto.client": "from .wire.lines import LineReader\nfrom smtpproto import errors\n",
    "smtpproto.tls": "import ssl\nfrom .client import Client\n",
    "smtpproto.sync.__init__": "import socket\nfrom ..client import Client\n",
    "smtpproto.sync._run": "from .. import tls\n",
    "smtpproto.trio.__init__": "",
    "smtpproto.trio._run": "import trio\nfrom datetime import datetime\ndatetime.now()\n",
}


def test_the_checker_accepts_what_is_right() -> None:
    assert violations(CLEAN) == []


@pytest.mark.parametrize(
    "module, source, complaint",
    [
        ("smtpproto.wire.lines", "from ..client import C", ":1: smtpproto.client does not stand"),
        ("smtpproto.wire.lines", "from .. import client", ":1: smtpproto.client does not stand"),
        ("smtpproto.wire.__init__", "from .. import client", ":1: smtpproto.client does not stand"),
        (
            "smtpproto.wire.__init__",
            "from .lines import x\nfrom ..errors import y\nimport os",
            ":3: os is",
        ),
        ("smtpproto.errors", "import smtpproto.client", ":1: smtpproto.client does not stand"),
        ("smtpproto.errors", "import smtpproto", ":1: smtpproto does not stand lower"),
        ("smtpproto.errors", "from smtpproto import Client", ":1: smtpproto does not stand lower"),
        ("smtpproto.client", "from . import sync", ":1: smtpproto.sync does not stand lower"),
        (
            "smtpproto.__init__",
            "import smtpproto.trio._run",
            ":1: smtpproto.trio._run does not stand",
        ),
        (
            "smtpproto.sync.__init__",
            "from ..trio import _run",
            ":1: smtpproto.trio._run does not stand",
        ),
        ("smtpproto.errors", "def f():\n    import socket", ":2: socket is for adapters"),
        ("smtpproto.errors", "if TYPE_CHECKING:\n    import ssl", ":2: ssl is for adapters"),
        ("smtpproto.errors", "from os.path import join", ":1: os is for adapters"),
        ("smtpproto.conversations.x", "import ssl", ":1: ssl is for adapters"),
        ("smtpproto.tls", "from .sync import _run", ":1: smtpproto.sync._run does not stand lower"),
        ("smtpproto.tls", "import trio", ":1: trio belongs to smtpproto.trio alone"),
        ("smtpproto.client", "from asyncio import streams", ":1: asyncio is for adapters"),
        ("smtpproto.client", "import attrs", ":1: attrs is not in the standard library"),
        ("smtpproto.sync.__init__", "import attrs", ":1: attrs is not in the standard library"),
        ("smtpproto.sync.__init__", "import trio", ":1: trio belongs to smtpproto.trio alone"),
        ("smtpproto.trionaut", "import re", ": has no place in LAYERS"),
        ("smtpproto.trio.__init__", "from hypothesis import given", ":1: hypothesis belongs to"),
        ("smtpproto.client", "from .novel import x", ":1: smtpproto.novel has no place"),
        ("smtpproto.client", "import datetime as d\nd.datetime.now()", ":2: .now reads a clock"),
        (
            "smtpproto.client",
            "from typing_extensions import Self",
            ":1: typing_extensions is for type checkers only",
        ),
    ],
)
def test_the_checker_finds_what_is_wrong(module: str, source: str, complaint: str) -> None:
    found = violations({**CLEAN, "smtpproto.novel": "", module: source})
    found = [line for line in found if not line.startswith("smtpproto.novel")]
    assert len(found) == 1
    assert found[0].startswith(module.removesuffix(".__init__") + complaint)


def test_the_public_door_imports_no_adapter() -> None:
    """What `import smtpproto` loads, seen by a fresh interpreter."""
    code = "import sys, smtpproto; print(*sorted(sys.modules))"
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = set(done.stdout.split())
    assert PACKAGE in loaded
    assert loaded.isdisjoint({"asyncio", "socket", "ssl", "threading", "trio"})
    assert not [name for name in loaded if place(name) and LAYERS[place(name)] >= 3]
