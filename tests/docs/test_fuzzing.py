"""The tests on the page about fuzzing find the fault that the page shows, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

PAGE = (Path(__file__).parents[2] / "docs/howto/fuzzing.md").read_text(encoding="utf-8")
HANDLER, TESTS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[:2]
SHOWN = re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
QUICK = """
from hypothesis import Phase, settings
settings.register_profile(
    "quick", max_examples=100, derandomize=True, deadline=None,
    phases=[Phase.generate, Phase.shrink],
)
settings.load_profile("quick")
"""


def test_the_fault_is_found_and_printed_as_shown(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(QUICK)
    pytester.makepyfile(f"{HANDLER}\n\n{TESTS}")
    result = pytester.runpytest_subprocess("-W", "error", "-q")
    outcomes = result.parseoutcomes()
    assert (outcomes["failed"], set(outcomes)) == (1, {"failed", "passed"})
    printed = [re.sub(r"^E +", "", line).strip() for line in result.stdout.lines]
    for line in map(str.strip, SHOWN[0].splitlines()):
        assert line in printed
        del printed[: printed.index(line) + 1]


def test_it_takes_20_lines() -> None:
    assert len([line for line in TESTS.splitlines() if line]) <= 20
