"""The tests on the page about testing applications pass, or fail as the page shows."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from smtpproto.testing import MemorySink

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/howto/testing-an-application.md").read_text(encoding="utf-8")
OWN, _, REST = PAGE.partition("## Django")
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def code(part: str, kind: str = "python") -> list[str]:
    return [text for language, text in BLOCK.findall(part) if language == kind]


def test_the_tests_pass_and_one_fails_as_shown(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("\n".join(code(OWN)))
    result = pytester.runpytest_subprocess("-W", "error")
    result.assert_outcomes(passed=6, failed=1)
    *_, report = code(OWN, "console")
    result.stdout.fnmatch_lines([pattern(line) for line in report.splitlines()])


def pattern(line: str) -> str:
    """A line of the report; names of hosts, ports and sizes differ."""
    line = re.sub(r"^-+ smtp_server -+$", "*- smtp_server -*", line)
    return re.sub(r":\d+$|SIZE=\d+|(?<=EHLO )\S+|^E +", "*", line).replace("[", "[[]")


@pytest.mark.parametrize(
    "heading, files",
    [
        ("Django", ["django/conftest.py", "django/test_invitations.py"]),
        ("Flask", ["flask/orders/test_orders.py"]),
    ],
)
def test_what_is_shown_of_the_examples_is_there(heading: str, files: list[str]) -> None:
    part = re.split(r"^## ", PAGE.partition(f"## {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)
    there = "".join(plain((ROOT / "examples" / file).read_text(encoding="utf-8")) for file in files)
    shown = code(part[0])
    assert shown
    for block in shown:
        for piece in plain(block).split("\n\n\n"):
            assert piece.strip() in there


def plain(source: str) -> str:
    """Without annotations, and imports on one line each."""
    source = re.sub(r"(\w+): (?:SinkServer|FlaskClient|object)\b", r"\1", source)
    return re.sub(r"\) -> [^:\n]+:\n", "):\n", source).replace(
        "from django.test import Client\n", ""
    )


FAULTS = OWN.partition("## What if")[2].partition("\n## ")[0]


@pytest.mark.parametrize("call", re.findall(r"\| `(server\.\w+\([^`]*\))`", FAULTS))
def test_every_way_to_say_a_fault_is_one(call: str) -> None:
    server = MemorySink(tls="starttls")
    eval(call, {"server": server, "math": math})  # noqa: S307  # what the page shows
    assert server.messages == []
