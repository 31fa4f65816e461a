"""The page on the architecture shows the package as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.test_layers import RANKS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
TREE = re.compile(r"```text\nsmtpproto/ (.*?)```", re.DOTALL)
LINE = re.compile(r"( *)([\w.]+/?) +(\S.*)")
WAY = re.compile(r"^## The way of a message (\w+)$(.*?)(?=^## )", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"`([\w/]+\.py)`")


def listed(page: str) -> Iterator[str]:
    """The files in the tree of the page; a folder stands for its `__init__.py`."""
    found = TREE.search(page)
    assert found is not None
    folders: list[str] = []
    for line in ("smtpproto/ " + found[1]).splitlines():
        match = LINE.fullmatch(line)
        assert match is not None, f"expected a name and what it is, found {line!r}"
        depth = len(match[1]) // 2
        path = "".join([*folders[:depth], match[2]])
        if path.endswith("/"):
            folders[depth:] = [match[2]]
            path += "__init__.py"
        yield path


def test_the_tree_shows_every_file_once_and_nothing_else() -> None:
    package = ROOT / "smtpproto"
    files = [
        path.relative_to(ROOT).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    # A new file needs a line in the tree of docs/architecture.md.
    assert sorted(listed(PAGE)) == sorted(files)


def test_a_tree_is_read_as_it_is_drawn() -> None:
    page = "```text\nsmtpproto/  all\n  a/  one\n    b/  two\n      c.py  three\n  d.py  four\n```"
    assert list(listed(page)) == [
        "smtpproto/__init__.py",
        "smtpproto/a/__init__.py",
        "smtpproto/a/b/__init__.py",
        "smtpproto/a/b/c.py",
        "smtpproto/d.py",
    ]


def test_the_ranks_are_those_of_the_test_of_layers() -> None:
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", PAGE, re.MULTILINE)
    shown = {name: int(rank) for rank, names in rows for name in re.findall(r"`([^`]+)`", names)}
    assert shown == RANKS


def test_a_message_takes_ten_files_at_most_and_comes_back_to_none() -> None:
    ways = {
        way: re.findall(r"^(\d+)\. (.*)", steps, re.MULTILINE) for way, steps in WAY.findall(PAGE)
    }
    assert set(ways) == {"out", "in"}
    for steps in ways.values():
        assert len(steps) <= 10
        files = [file for _, step in steps for file in FILE.findall(step)]
        assert len(files) == len(set(files))


def test_every_file_that_the_page_names_is_there() -> None:
    named = set(FILE.findall(PAGE)) - {"__init__.py"}
    bases = (ROOT, ROOT / "smtpproto")
    gone = [name for name in named if not any((base / name).exists() for base in bases)]
    assert gone == []
