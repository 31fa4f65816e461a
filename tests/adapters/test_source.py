"""The adapters know no SMTP, mirror each other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import smtpproto.asyncio
import smtpproto.sync
import smtpproto.trio

PACKAGE = Path(__file__).parent.parent.parent / "smtpproto"
ADAPTERS = ["asyncio", "sync", "trio"]
VERB = re.compile(
    r"\b(EHLO|HELO|LHLO|MAIL|RCPT|DATA|BDAT|RSET|NOOP|QUIT|VRFY|EXPN|HELP|AUTH|STARTTLS|ETRN|BURL)\b"
    r"|\b(Ehlo|Helo|Lhlo|Mail|Rcpt|Data|Bdat|Rset|Noop|Quit|Vrfy|Expn)\b"
)
CODE = re.compile(r"(?<![\w.])[2-5][0-5][0-9](?![\w.])")
ENHANCED = re.compile(r"\b[245]\.[0-9]{1,3}\.[0-9]{1,3}\b")


def files(adapter: str) -> dict[str, str]:
    """Return the code of an adapter's files, without docstrings and comments."""
    found = {}
    for path in sorted((PACKAGE / adapter).glob("*.py")):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                node.value.value = ""
        found[path.name] = ast.unparse(tree)
    return found


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_no_verb_and_no_code(adapter: str) -> None:
    found = [
        f"{name}:{number}: {line.strip()}"
        for name, text in files(adapter).items()
        for number, line in enumerate(text.splitlines(), 1)
        if VERB.search(line) or CODE.search(line) or ENHANCED.search(line)
    ]
    assert found == []


def test_what_is_looked_for_would_be_found() -> None:
    assert VERB.search("client.send(Noop())")
    assert CODE.search("Reply(250, text)")
    assert ENHANCED.search('"4.3.2"')


def test_they_mirror_each_other() -> None:
    modules = (smtpproto.sync, smtpproto.trio, smtpproto.asyncio)
    one, *others = ({name.removeprefix("Async") for name in each.__all__} for each in modules)
    assert others == [one, one]
    for name in ("Client", "Pool", "Server"):
        one, *others = (
            {method for method in dir(getattr(each, name)) if not method.startswith("_")}
            for each in modules
        )
        assert others == [one, one]
