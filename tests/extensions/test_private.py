"""The example of a private extension, written outside the package."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "private_extension.py"


def test_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    printed = capsys.readouterr().out
    for line in (
        "S: 250 X-COLOURS red green",
        "S: 250 painted",
        "   both sides remember: Painted() Painted()",
        "   the client will not say it: no blue here",
        "C: MAIL FROM:<author@example.org> X-COLOUR=green",
        "   the server was told: X-COLOUR=green",
    ):
        assert line in printed.splitlines()
