"""The examples run to their end, each in a process of its own."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import smtpproto
from tests.programs import ROOT, environment

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
# Folders that run as they are; examples/relay is a program with tests of its own.
PACKAGES_THAT_RUN = ["examples.mail_authentication"]


def test_they_are_there() -> None:
    assert len(EXAMPLES) >= 7


@pytest.mark.parametrize(
    "program", [*map(str, EXAMPLES), *PACKAGES_THAT_RUN], ids=lambda each: Path(each).stem
)
def test_it_runs(program: str, tmp_path: Path) -> None:
    how = ["-m"] if program in PACKAGES_THAT_RUN else []
    done = subprocess.run(
        [sys.executable, "-W", "error", *how, program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(),
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize("project", ["django", "flask"])
def test_the_tests_of_an_application_pass(project: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(PYTHONDONTWRITEBYTECODE="1"),
        cwd=ROOT / "examples" / project,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^=+ [45] passed in ", done.stdout, re.MULTILINE)


PACKAGES = [
    "smtpproto",
    "smtpproto.conversations",
    "smtpproto.extensions",
    "smtpproto.mailboxes",
    "smtpproto.asyncio",
    "smtpproto.sync",
    "smtpproto.trio",
]
NOT_SHOWN = {
    # What annotations are made of: unions of events.
    "ClientEvent",
    "Event",
    "ServerEvent",
    # What annotations are made of, not values.
    "Content",
    "AsyncContentHandler",
    "AsyncContentAnswer",
    "AsyncHandler",
    "AsyncMessageHandler",
    "ContentHandler",
    "ContentAnswer",
    "MessageHandler",
    # What stands behind `SessionFactory` and `Client`; nobody makes one.
    "serve_session",
    "Catalogue",
    "UnknownExtension",
    # Facts and events of what is told in docs/extensions.md.
    "ClientOverride",
    "ForwardedClient",
    "Usage",
    # The part of ConnectionSettings that does no I/O; shown in docs/howto/adapter.md.
    "ClientSettings",
    # The same as `serve`, with settings that are made already.
    "serve_with",
    "ListeningSettings",
    # Told in docs/howto/haproxy.md.
    "TrustedNetworks",
    # The same as MaildirStore, with another name.
    "MboxStore",
    "__version__",
    # For what stands behind a proxy, or is one: docs/howto/haproxy.md.
    "ProxyHeader",
    # A base class for parameters without a value.
    "Flag",
}


def shown() -> set[str]:
    """The words of all code that the tests run for its own sake."""
    blocks = [path.read_text(encoding="utf-8") for path in EXAMPLES]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks += re.findall(r"^```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    finder = doctest.DocTestFinder(exclude_empty=True)
    modules = pkgutil.walk_packages(smtpproto.__path__, "smtpproto.")
    for name in [each.name for each in modules if each.name != "smtpproto.__main__"]:
        tests = finder.find(importlib.import_module(name))
        blocks += [example.source for test in tests for example in test.examples]
    return set(re.findall(r"\w+", "\n".join(blocks)))


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_is_shown(name: str) -> None:
    names = set(importlib.import_module(name).__all__)
    assert sorted(names - shown() - NOT_SHOWN) == []
