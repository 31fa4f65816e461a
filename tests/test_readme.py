"""The Python of the README runs, from top to bottom, in one namespace."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = README.read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    assert len(blocks) >= 4
    namespace: dict[str, object] = {"__name__": "readme"}
    for block in blocks:
        # Line numbers of errors are those of the README.
        above = text.count("\n", 0, block.start(1))
        code = compile("\n" * above + block[1], str(README), "exec")
        exec(code, namespace)  # noqa: S102  what the README shows
    out = capsys.readouterr().out
    # What the comments in it promise.
    assert "220 mx.example.com ESMTP" in out
    assert "no such mailbox here" in out
    assert out.endswith("250 OK\n")
    assert "from <eve@example.org>" in out
    assert bytes(namespace["content"]) == (  # type: ignore[call-overload]
        b"Subject: hello\r\n\r\n.\r\nThe dot ends nothing.\r\n"
    )
