"""The page of extensions, made from the extensions."""

from __future__ import annotations

import runpy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from smtpproto.extensions import Extension
from smtpproto.extensions.known import KNOWN

SCRIPT: dict[str, Any] = runpy.run_path(
    str(Path(__file__).parents[2] / "docs" / "make_extensions.py")
)
main, row = SCRIPT["main"], SCRIPT["row"]


def test_a_page_that_is_as_it_should_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "extensions.md"
    assert main([], page) == 0
    assert main(["--check"], page) == 0
    assert capsys.readouterr().out == ""
    made = page.read_text("utf-8")
    assert all(f"| `{kind.keyword}` | " in made for kind in KNOWN)


def test_a_page_that_is_stale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "extensions.md"
    main([], page)
    made = page.read_text("utf-8")
    page.write_text(made.replace("`MT-PRIORITY`", "`PRIORITY`"), "utf-8")
    stale = page.read_text("utf-8")
    assert main(["--check"], page) == 1
    assert page.read_text("utf-8") == stale
    printed = capsys.readouterr().out
    assert "\n-| `PRIORITY` " in printed
    assert "\n+| `MT-PRIORITY` " in printed
    assert main([], page) == 0
    assert page.read_text("utf-8") == made


def test_a_page_that_is_missing(tmp_path: Path) -> None:
    assert main(["--check"], tmp_path / "extensions.md") == 1


@dataclass(frozen=True, slots=True)
class Undescribed(Extension):
    """Something."""

    keyword = "X-SOMETHING"


def test_docstrings_are_uniform() -> None:
    assert [row(kind)[0] for kind in KNOWN] == [f"`{kind.keyword}`" for kind in KNOWN]
    with pytest.raises(ValueError, match=r"Undescribed: expected 'What it is \(RFC 1234\)\.'"):
        row(Undescribed)
