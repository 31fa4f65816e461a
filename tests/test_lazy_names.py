"""Packages that load their files late: what type checkers see is what is there at run time."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import smtpproto

ROOT = Path(smtpproto.__file__).parent
PACKAGES = [
    "adapters",
    "asyncio",
    "conversations",
    "extensions",
    "sync",
    "testing",
    "trio",
]

DSN_OFFERED = r"""
from smtpproto import Client, Domain, Ehlo
client = Client()
client.receive_data(b"220 mx.example\r\n")
client.next_event()
client.send(Ehlo(Domain("client.example")))
client.data_to_send()
client.receive_data(b"250-mx.example\r\n250 DSN\r\n")
client.next_event()
assert [each.keyword for each in client.offered] == ["DSN"]
"""


def seen_by_type_checkers(package: str) -> dict[str, str]:
    """The names that a package imports under `TYPE_CHECKING`, with the module each comes from."""
    tree = ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8"))
    [block] = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    found = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        home = f"{'.' * node.level}{node.module}"
        names = [alias.name for alias in node.names]
        if names == ["*"]:
            names = importlib.import_module(home, f"smtpproto.{package}").__all__
        found.update(dict.fromkeys(names, home))
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_type_checkers_see_what_is_there(package: str) -> None:
    module = importlib.import_module(f"smtpproto.{package}")
    seen = seen_by_type_checkers(package)
    assert sorted(seen) == sorted(module.__all__)
    for name, home in seen.items():
        place = importlib.import_module(home, module.__name__)
        assert getattr(module, name) is getattr(place, name)
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize("package", PACKAGES)
def test_a_name_that_is_not_there(package: str) -> None:
    name = f"smtpproto.{package}"
    module = importlib.import_module(name)
    with pytest.raises(AttributeError, match=f"'{name}' has no attribute 'nonsense'"):
        _ = module.nonsense


@pytest.mark.parametrize(
    "code, not_loaded",
    [
        (
            "import smtpproto",
            ["smtpproto.extensions.burl", "smtpproto.sasl", "ipaddress", "email"],
        ),
        ("from smtpproto import Client", ["smtpproto.engine.server"]),
        ("from smtpproto import Server", ["smtpproto.engine.client"]),
        ("import smtpproto.sync", ["smtpproto.trio", "smtpproto.sync.server", "logging", "email"]),
        (
            "from smtpproto.sync import connect, ConnectionSettings; ConnectionSettings()",
            ["smtpproto.sync.server", "smtpproto.engine.server", "smtpproto.sasl", "email", "ssl"],
        ),
        (DSN_OFFERED, ["smtpproto.extensions.burl"]),
        (
            "from smtpproto.sync import serve; serve(type('H', (), {'message': print})()).stop()",
            ["smtpproto.sync.client", "smtpproto.conversations.client", "smtpproto.sasl"],
        ),
        ("from smtpproto.extensions import Size", ["smtpproto.extensions.burl"]),
        ("from smtpproto.testing import sink", ["smtpproto.testing.pair", "hypothesis", "trustme"]),
    ],
)
def test_other_files_are_not_loaded(code: str, not_loaded: list[str]) -> None:
    # Without site packages: what measures coverage would load files of its own.
    path = f"import sys; sys.path.insert(0, {str(ROOT.parent)!r})"
    program = f"{path}\n{code}\nprint(*(set({not_loaded}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == []
