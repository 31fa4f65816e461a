"""The examples run to their end, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import ROOT, environment

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def test_they_are_there() -> None:
    assert len(EXAMPLES) >= 7


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_it_runs(script: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(),
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_a_third_kind_of_io_is_a_page() -> None:
    lines = (ROOT / "examples" / "asyncio_client.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 60


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_patterns_name_members_with_their_enum(script: Path) -> None:
    """`case NEED_DATA:` would match anything."""
    text = script.read_text(encoding="utf-8")
    assert "NEED_DATA" not in text
    assert "PAUSED" not in text
