"""docs/make_reference.py: pages that are current, and say what is in the source."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "docs" / "make_reference.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_reference", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_check_finds_what_is_stale(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "reference"
    assert script.main([], folder) == 0
    assert script.main(["--check"], folder) == 0
    page = folder / "smtpproto.md"
    page.write_text(page.read_text("utf-8") + "more\n", "utf-8")
    (folder / "smtpproto.gone.md").write_text("", "utf-8")
    assert script.main(["--check"], folder) == 1
    out = capsys.readouterr().out
    assert "docs/reference/smtpproto.gone.md is not what" in out
    assert "docs/reference/smtpproto.md is not what" in out
    assert script.main([], folder) == 0
    assert script.main(["--check"], folder) == 0


def test_a_page(script: ModuleType) -> None:
    page = script.pages()["smtpproto.md"]
    assert "## `Rejected`\n\n```text\nRejected(reply: Reply, reason: str" in page
    assert "- `reason`: what was expected, what was found." in page
    # What the hidden base of both connections has stands with each of them.
    assert "### `Server.receive_data`" in page
    assert "### `Client.receive_data`" in page
    # What has a page of its own is linked.
    assert "Base: [`Command`](#command)" in page


@pytest.mark.parametrize("text", ["0x7f", " at 0x", "<factory>"])
def test_nothing_depends_on_the_run(script: ModuleType, text: str) -> None:
    assert [name for name, page in script.pages().items() if text in page] == []


def test_markdown(script: ModuleType) -> None:
    doc = "What <it> is, `a*b`.\n\n"
    doc += "Arguments:\n    a: one\n        more.\n    b, c: two.\n\n"
    doc += "    >>> 1\n    1"
    assert script.markdown(doc) == (
        "What \\<it> is, `a*b`.\n\n**Arguments:**\n\n- `a`: one more.\n- `b, c`: two.\n\n"
        "```pycon\n>>> 1\n1\n```"
    )
