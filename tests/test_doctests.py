"""The examples in docstrings say what happens."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import smtpproto

NAMES = [
    "smtpproto",
    *(
        info.name
        for info in pkgutil.walk_packages(smtpproto.__path__, "smtpproto.")
        # Importing it runs a program.
        if info.name != "smtpproto.__main__"
    ),
]


def examples(name: str) -> list[doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    return [test for test in finder.find(importlib.import_module(name)) if test.examples]


@pytest.mark.parametrize("name", [name for name in NAMES if examples(name)])
def test_the_docstrings_of(name: str) -> None:
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    reports: list[str] = []
    for test in examples(name):
        runner.run(test, out=reports.append)
    assert not runner.failures, "".join(reports)
    assert runner.tries


def test_there_are_some() -> None:
    assert sum(len(examples(name)) for name in NAMES) >= 5
