"""The site: each public name stands on one page, and links of the pages lead to pages."""

from __future__ import annotations

import importlib
import os
import re
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="sphinx is not installed")

from docs._sphinx.docstrings import described, described_as, homes
from docs._sphinx.pages import PAGES, TREES, read, shown, trees
from docs.make_errors import PACKAGES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_each_package_has_a_page() -> None:
    for package in PACKAGES:
        page = DOCS / "reference" / f"{package.removeprefix('smtpproto.')}.md"
        assert f".. automodule:: {package}\n" in page.read_text("utf-8")
        assert any(described(package, name) for name in importlib.import_module(package).__all__)


def test_each_public_thing_is_described_once() -> None:
    for name, packages in homes().items():
        values = [getattr(importlib.import_module(package), name) for package in packages]
        by = [
            value
            for package, value in zip(packages, values, strict=True)
            if described(package, name)
        ]
        assert len(by) == len({id(value) for value in values})


@pytest.mark.parametrize(
    "target, near, found",
    [
        ("Reply", "smtpproto.trio", "smtpproto.Reply"),
        ("Delivery.complete", "smtpproto", "smtpproto.conversations.Delivery.complete"),
        ("Envelope", "smtpproto.trio", "smtpproto.conversations.Envelope"),
        ("Client", "smtpproto.trio", "smtpproto.trio.Client"),
        ("Client", "smtpproto", "smtpproto.Client"),
        ("smtpproto.sync.client.Client", "smtpproto", "smtpproto.sync.Client"),
        ("bytes", "smtpproto", None),
        ("names", "smtpproto.testing.strategies", "smtpproto.testing.strategies.names"),
        ("names", "smtpproto.extensions", None),
    ],
)
def test_names_are_found(target: str, near: str, found: str | None) -> None:
    assert described_as(target, near) == found


class Builder:
    def get_relative_uri(self, here: str, there: str) -> str:
        return f"{there}.html from {here}"


class App:
    builder = Builder()
    env = type("Env", (), {"note_dependency": staticmethod(lambda path: None)})


@pytest.mark.parametrize(
    "page, written, found",
    [
        ("pages", "[a](tutorial.md)", "[a](tutorial.md)"),
        ("howto/handler", "[a](../faq.md#sending)", "[a](../faq.md#sending)"),
        ("howto/handler", "[a](../../CHANGELOG.md)", "[a](../site/changes.md)"),
        ("pages", "[a](https://example.com/)", "[a](https://example.com/)"),
        ("pages", "[a](#examples)", "[a](#examples)"),
        ("tutorial", "[a](nowhere.md)", "[a](nowhere.md)"),
        (
            "howto/handler",
            "[a](../../examples/blocking.py)",
            "[a](source:source/examples/blocking.py.html from howto/handler)",
        ),
    ],
)
def test_links(page: str, written: str, found: str) -> None:
    source = [written]
    read(App(), page, source)  # type: ignore[arg-type]
    assert source[0].partition("\n")[0] == found
    assert ("blocking" in written) == (ROOT / "examples/blocking.py" in shown)
    shown.clear()


def test_every_page_is_in_one_tree() -> None:
    listed = []
    for page in TREES:
        for tree in trees(page):
            names = [line for line in tree.splitlines() if line and line[0] not in "`:"]
            paths = [re.sub(r".*<(.*)>", r"\1", name) for name in names]
            listed += [Path(page).parent.joinpath(path).as_posix() for path in paths]
    files = [path for path in DOCS.rglob("*.md") if path.parent.name != "changes"]
    pages = [path.relative_to(DOCS).with_suffix("").as_posix() for path in files]
    assert sorted([*listed, "index"]) == sorted(pages)


@pytest.mark.parametrize("page", PAGES)
def test_a_file_outside_the_folder_is_a_page(page: str) -> None:
    source = [(DOCS / f"{page}.md").read_text("utf-8")]
    assert f"]({os.path.relpath(ROOT / PAGES[page], (DOCS / page).parent)})" in source[0]
    read(App(), page, source)  # type: ignore[arg-type]
    shown.clear()
    title = (ROOT / PAGES[page]).read_text("utf-8").partition("\n")[0]
    assert source[0].startswith(title)
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", source[0]):
        assert (DOCS / page).parent.joinpath(picture).exists()
