"""Which version a peer has."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
import subprocess
from collections.abc import Callable

from tests.interop.peers import NODE_MODULES, program

NUMBER = re.compile(r"\d+[\d.]*\d(?:p\d+)?")


def number(text: str) -> str:
    """The first number in a text that looks like a version."""
    found = NUMBER.search(text)
    assert found is not None, f"no version in {text!r}"
    return found[0]


def of(name: str, *options: str) -> Callable[[], str]:
    """Of a program; some say it on standard error, or fail after it."""

    def ask() -> str:
        command = [program(name), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return number(done.stdout + done.stderr)

    return ask


def python_package(name: str) -> Callable[[], str]:
    return lambda: importlib.metadata.version(name)


def node_package(name: str) -> Callable[[], str]:
    return lambda: str(json.loads((NODE_MODULES / name / "package.json").read_text())["version"])


def perl_module(name: str) -> Callable[[], str]:
    return of("perl", f"-M{name}", "-e", f"print ${name}::VERSION")


def python() -> str:
    return f"Python {platform.python_version()}"


postfix = of("postconf", "-dh", "mail_version")
exim = of("exim4", "--version")
opensmtpd = of("opensmtpd", "-h")
