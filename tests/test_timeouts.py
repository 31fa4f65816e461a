"""The time limits of RFC 5321 section 4.5.3.2, and that they stand in one file."""

from __future__ import annotations

import ast
from pathlib import Path

import smtpproto
from smtpproto import timeouts

PACKAGE = Path(smtpproto.__file__).parent

# The least that RFC 5321 section 4.5.3.2 asks for, in minutes.
MINIMUMS = {
    "GREETING_TIMEOUT": 5,
    "COMMAND_TIMEOUT": 5,
    "DATA_TIMEOUT": 2,
    "CONTENT_CHUNK_TIMEOUT": 3,
    "END_OF_CONTENT_TIMEOUT": 10,
    "NEXT_COMMAND_TIMEOUT": 5,
}


def test_the_least_that_the_rfc_asks_for() -> None:
    found = {name: getattr(timeouts, name) for name in MINIMUMS}
    assert found == {name: minutes * 60 for name, minutes in MINIMUMS.items()}


def test_all_are_seconds_and_are_called_timeouts() -> None:
    for name in timeouts.__all__:
        assert name.endswith("_TIMEOUT")
        assert 0 < getattr(timeouts, name) <= 600


def seconds_in(tree: ast.AST) -> list[int]:
    """The lines where a number is given to a name that is a time limit."""
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            names = [ast.unparse(target) for target in node.targets]
        elif isinstance(node, ast.AnnAssign):
            names = [ast.unparse(node.target)]
        else:
            continue
        number = isinstance(node.value, ast.Constant) and isinstance(node.value.value, float)
        if number and any("timeout" in name.lower() for name in names):
            lines.append(node.lineno)
    return lines


def test_no_other_file_says_how_long() -> None:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.name != "timeouts.py":
            lines = seconds_in(ast.parse(path.read_text(encoding="utf-8")))
            if lines:
                found[str(path.relative_to(PACKAGE))] = lines
    assert found == {}
