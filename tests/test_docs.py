"""The Python in docs/ runs, page by page, and prints what the pages say that it prints.

The blocks of a page share one namespace, from top to bottom.  A `text` block right behind a
`python` block is what the latter prints.  What docs/make_*.py write is theirs to test; the README
has tests/test_readme.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from smtpproto.sync.server import Server

DOCS = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?:\n?```text\n(?P<output>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
PAGES = sorted(
    path.relative_to(DOCS).as_posix()
    for path in DOCS.rglob("*.md")
    if path.parent.name != "reference"
)


def blocks(path: Path) -> Iterator[tuple[str, str | None]]:
    text = path.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        # Line numbers of errors are those of the page.
        above = "\n" * text.count("\n", 0, found.start("code"))
        yield above + found["code"], found["output"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    namespace: dict[str, object] = {"__name__": "page"}
    try:
        for source, output in blocks(DOCS / page):
            capsys.readouterr()
            code = compile(source, page, "exec", dont_inherit=True)
            exec(code, namespace)  # noqa: S102  # what the pages show
            if output is not None:
                # What is SMTP on a page has the line ends of the page.
                assert capsys.readouterr().out.replace("\r\n", "\n") == output
    finally:
        # The thread of a server would keep the interpreter from ending where a page fails.
        for value in namespace.values():
            if isinstance(value, Server):
                value.stop(0)


def test_the_pages_are_found() -> None:
    """What runs nothing is to have nothing to run."""
    text = "".join((DOCS / page).read_text(encoding="utf-8") for page in PAGES)
    assert text.count("```python\n") == sum(1 for page in PAGES for _ in blocks(DOCS / page))
    assert "tutorial.md" in PAGES


LINK = re.compile(r"\]\((?!https?://)([^)#]*)(#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    path = DOCS / page
    targets = [found[1] for found in LINK.finditer(path.read_text(encoding="utf-8"))]
    assert [t for t in targets if t and not (path.parent / t).exists()] == []


NAMED_TEST = re.compile(r"\[(test_\w+)\]\(([^)]+)\)")


def test_the_tests_that_show_what_is_promised_are_there() -> None:
    found = NAMED_TEST.findall((DOCS / "security.md").read_text(encoding="utf-8"))
    assert len(found) > 30
    gone = [
        f"{file}::{name}"
        for name, file in found
        if f"def {name}(" not in (DOCS / file).read_text(encoding="utf-8")
    ]
    assert gone == []


def test_each_promise_names_its_test() -> None:
    page = (
        (DOCS / "security.md")
        .read_text(encoding="utf-8")
        .partition("## What smtpproto does not")[0]
    )
    promises = re.findall(r"^- (.*\n(?:  .*\n)*)", page, re.MULTILINE)
    assert len(promises) > 30
    assert [promise for promise in promises if NAMED_TEST.search(promise) is None] == []
