"""Pages as code hosts show them become pages of the site.

The order of the pages is told here, so that no page has a directive that only Sphinx reads.  A link
to a file outside docs/ leads to a page with its text.
"""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent

# Files outside docs/ that are pages of the site.
PAGES = {
    "index": "README.md",
    "site/postfix": "examples/postfix/README.md",
    "site/dovecot": "examples/dovecot/README.md",
    "site/scale": "examples/scale/README.md",
    "site/changes": "CHANGELOG.md",
    "site/benchmark": "benchmarks/RESULTS.md",
    "site/contributing": "CONTRIBUTING.md",
    "site/vulnerabilities": "SECURITY.md",
}
# The trees of pages, by the page above them, with a caption each; "*" is all others of the folder.
TREES = {
    "index": {
        "Learn": ["tutorial", "course/index", "faq"],
        "How to": [
            *("howto/handler", "howto/tls-and-auth", "howto/moving"),
            *("howto/testing-an-application", "howto/testing", "howto/fuzzing"),
            *("howto/command-line", "howto/deployment", "howto/logging", "howto/*"),
        ],
        "Examples": ["site/postfix", "site/dovecot", "site/scale"],
        "Look up": ["reference/index", "errors", "extensions", "states", "lenient", "*"],
        "Understand": ["architecture", "security", "interop", "Benchmark <site/benchmark>"],
        "The project": ["site/changes", "site/contributing", "site/vulnerabilities"],
    },
    "course/index": {
        "The course": [
            *("where-smtp-stands", "conversation", "commands-and-replies", "codes"),
            *("service-extensions", "security", "ports", "exercises", "*"),
        ]
    },
    "reference/index": {
        "Packages": [
            *("smtpproto", "conversations", "extensions", "sasl", "sync", "asyncio", "trio"),
            *(
                "adapters",
                "mailboxes",
                "idn",
                "testing",
                "testing.strategies",
                "testing.stateful",
                "*",
            ),
        ]
    },
}
LANGUAGES = {
    ".py": "python",
    ".sh": "bash",
    ".md": "markdown",
    ".toml": "toml",
    ".conf": "text",
    ".cfg": "ini",
    ".ini": "ini",
    ".socket": "ini",
    ".service": "ini",
}
LINK = re.compile(r"(!?\[[^\]]*\])\((?!\w+:)([^)#\s]+)(#[^)]*)?\)")

# The files that pages of this build link to.
shown: set[Path] = set()


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", read)
    app.connect("html-collect-pages", source_pages)
    return {"parallel_read_safe": True}


def read(app: Sphinx, page: str, source: list[str]) -> None:
    """Take the text of a file outside docs/, mend links, and add the pages below this one."""
    path = DOCS / f"{page}.md"
    if page in PAGES:
        path = ROOT / PAGES[page]
        source[0] = path.read_text("utf-8")
        app.env.note_dependency(str(path))

    def mended(found: re.Match[str]) -> str:
        target = link(app, page, (path.parent / found[2]).resolve(), found[2])
        return f"{found[1]}({target}{found[3] or ''})"

    source[0] = LINK.sub(mended, source[0]) + "".join(trees(page))


def trees(page: str) -> Iterator[str]:
    """The directives for the pages below a page, which show nothing on the page itself."""
    folder = (DOCS / page).parent
    sections = TREES.get(page, {})
    named = {"index", *(name for names in sections.values() for name in names)}
    for caption, names in sections.items():
        lines = []
        for name in names:
            if name.endswith("*"):
                found = sorted(path.relative_to(folder) for path in folder.glob(f"{name}.md"))
                others = [path.with_suffix("").as_posix() for path in found]
                lines += [other for other in others if other not in named]
            else:
                lines.append(name)
        yield "\n".join(
            ["", "", "```{toctree}", ":hidden:", f":caption: {caption}", "", *lines, "```", ""]
        )


def link(app: Sphinx, page: str, target: Path, written: str) -> str:
    """The target of a link or picture on a page."""
    if not target.is_relative_to(ROOT) or not target.exists():
        return written  # Sphinx warns of it
    name = target.relative_to(ROOT).as_posix()
    for included, file in PAGES.items():
        if file == name:
            target = DOCS / f"{included}.md"
    if target.is_relative_to(DOCS) or target.suffix == ".svg":
        return os.path.relpath(target, (DOCS / page).parent)
    shown.add(target)
    return f"source:{app.builder.get_relative_uri(page, f'source/{name}')}"


def source_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """A page for each file that a page links to; a folder is the list of its files."""
    assert isinstance(app.builder, StandaloneHTMLBuilder)
    for folder in [path for path in shown if path.is_dir()]:
        shown.update(files(folder))
    for path in sorted(shown):
        name = path.relative_to(ROOT).as_posix()
        page = f"source/{name}"
        if path.is_dir():
            lines = [
                f'<li><a href="{app.builder.get_relative_uri(page, f"source/{name}/{inside}")}">'
                f"<code>{html.escape(inside)}</code></a></li>"
                for inside in sorted(file.relative_to(path).as_posix() for file in files(path))
            ]
            body = "<ul>\n" + "\n".join(lines) + "\n</ul>"
        else:
            language = LANGUAGES.get(path.suffix, "text")
            text = path.read_text("utf-8")
            body = app.builder.highlighter.highlight_block(text, language)
        title = f"<code>{html.escape(name)}</code>"
        context = {"title": name, "body": f"<h1>{title}</h1>\n{body}", "toctree": no_tree}
        yield page, context, "page.html"


def no_tree(**_: object) -> str:
    """These are many pages, and the tree of pages takes a quarter of a second for each."""
    return ""


def files(folder: Path) -> list[Path]:
    """What git keeps of a folder, as far as it is text that people read."""
    return [path for path in folder.rglob("*") if path.suffix in LANGUAGES and path.is_file()]
