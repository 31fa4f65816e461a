"""The page of errors, made from the docstrings."""

from __future__ import annotations

import importlib
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

import smtpproto.conversations
import smtpproto.sasl

SCRIPT: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "make_errors.py"))
main, entries = SCRIPT["main"], SCRIPT["entries"]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "errors.md"
    assert main([], path) == 0
    return path


def test_every_public_error_is_explained(page: Path) -> None:
    text = page.read_text("utf-8")
    for package in (smtpproto, smtpproto.conversations, smtpproto.sasl):
        for name in package.__all__:
            value = getattr(package, name)
            if isinstance(value, type) and issubclass(value, Exception):
                assert f"| `{name}` | `{package.__name__}` | " in text


def rows(page: Path) -> list[tuple[str, str, str, str]]:
    """What the page says is raised: package, call, error, when."""
    _, *sections = re.split(r"^### `(.*)`$", page.read_text("utf-8"), flags=re.MULTILINE)
    return [
        (package, *row)
        for package, text in zip(sections[::2], sections[1::2], strict=True)
        for row in re.findall(r"^\| `([\w.]+)` \| `(\w+)` \| (.+) \|$", text, re.MULTILINE)
    ]


def test_it_says_what_is_raised_and_when(page: Path) -> None:
    found = {row[:3] for row in rows(page)}
    assert ("smtpproto", "Client.next_event", "RemoteProtocolError") in found
    # Inherited from a class that is not public, and the same in each adapter.
    for adapter, error in (("sync", "ValueError"), ("asyncio", "Exception"), ("trio", "Exception")):
        assert (f"smtpproto.{adapter}", "Client.send_message", error) in found


def test_a_method_that_overrides_another(page: Path) -> None:
    """It raises what its docstring names, or else what the docstring of the other does."""
    for called, error, when in (
        ("MemorySink.fail_tls", "ValueError", "there is no such fault, or the server has"),
        ("AuthCommand.parse_response", "LocalProtocolError", "501: the line is no"),
    ):
        (row,) = [row for row in rows(page) if row[1] == called]
        assert row[2] == error
        assert row[3].startswith(when)


def test_what_it_names_is_there(page: Path) -> None:
    for package, called, *_ in rows(page):
        value: object = importlib.import_module(package)
        for word in called.split("."):
            value = getattr(value, word)


def documented() -> None:
    """Do something.

    Raises:
        OSError: the file is missing, or it
            cannot be read.
        TypeError, ValueError: an argument is wrong.
    """


def test_sections_are_read_to_their_end() -> None:
    assert list(entries(documented)) == [
        ("OSError", "the file is missing, or it cannot be read."),
        ("TypeError", "an argument is wrong."),
        ("ValueError", "an argument is wrong."),
    ]


def test_what_is_stale_is_found(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"], page) == 0
    page.write_text(page.read_text("utf-8").replace("`Mismatch`", "`Missmatch`"), "utf-8")
    assert main(["--check"], page) == 1
    assert "+| `Mismatch`" in capsys.readouterr().out
