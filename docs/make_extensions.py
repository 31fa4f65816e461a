"""Writes docs/extensions.md from the extensions themselves; `--check` only compares.

Run it as `python docs/make_extensions.py`.  What an extension is comes from the first line of its
docstring, "What it is (RFC 1234).", everything else from its class.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from docs.generated import write_or_check
from smtpproto import Mail, Rcpt
from smtpproto.extensions import Extension
from smtpproto.extensions.known import KNOWN, standard

PAGE = Path(__file__).parent / "extensions.md"
# What it is (RFC 1234).   or   What it is (RFC 1234 section 5).   or   What it is (Postfix).
FIRST_LINE = re.compile(r"(?P<what>[^()]+) \((?:RFC (?P<rfc>[0-9]+)|(?P<other>[A-Z]\w+))[^()]*\)\.")
TICK, NOTHING = "\u2713", "\u2013"
COLUMNS = ("keyword", "what it is", "class", "RFC", "MAIL", "RCPT", "others", "verbs", "standard")

HEAD = """\
# Service extensions

Each extension is one file in `smtpproto/extensions/`, and both roles use the same class.
A server gets an instance, as in `Server("mx.example", [Size(1_000_000)])`.
A client finds the instance that the server announced in `client.offered`.
A client understands all extensions unless you give it fewer.
The column "standard" marks what `standard()` gives a server.
The columns MAIL, RCPT and others name the parameters that an extension adds to these commands.

"""
FOOT = """
To write your own, see [how to write an extension](howto/extension.md).

Two reply codes of RFC 7504, for hosts and domains that accept no mail, need no extension.
They are in `smtpproto/vocabulary/replies.py`.
"""


def main(arguments: list[str], page: Path = PAGE) -> int:
    new = HEAD + table(KNOWN) + FOOT
    return write_or_check(arguments, page, new, "docs/make_extensions.py")


def table(kinds: tuple[type[Extension], ...]) -> str:
    """One row for each extension, in the order of their keywords."""
    rows = [row(kind) for kind in sorted(kinds, key=lambda kind: kind.keyword)]
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def row(kind: type[Extension]) -> tuple[str, ...]:
    what, source = described(kind)
    others = {
        f"{command.verb} {parameter.keyword}"
        for command, parameters in kind.parameters.items()
        if command not in {Mail, Rcpt}
        for parameter in parameters
    }
    return (
        f"`{kind.keyword}`",
        what,
        f"`{kind.__name__}`",
        source,
        names(parameter.keyword for parameter in kind.parameters.get(Mail, ())),
        names(parameter.keyword for parameter in kind.parameters.get(Rcpt, ())),
        names(sorted(others)),
        names(command.verb for command in kind.commands),
        TICK if kind in map(type, standard()) else NOTHING,
    )


def described(kind: type[Extension]) -> tuple[str, str]:
    """What an extension is, and where that is defined, as Markdown.

    Raises:
        ValueError: the first line of its docstring is not uniform with the others.
    """
    line = (kind.__doc__ or "").partition("\n")[0]
    match = FIRST_LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"{kind.__name__}: expected 'What it is (RFC 1234).', found {line!r}")
    rfc = match["rfc"]
    source = f"[{rfc}](https://www.rfc-editor.org/rfc/rfc{rfc})" if rfc else match["other"]
    return match["what"], source


def names(found: Iterable[str]) -> str:
    """Names in a cell of the table."""
    return ", ".join(f"`{name}`" for name in found) or NOTHING


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
