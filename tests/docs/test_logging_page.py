"""The page on logs lists what the package logs."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/howto/logging.md").read_text(encoding="utf-8")
CALL = re.compile(r"\blog\(\)\.(\w+)\(\s*\"([^\"]+)\"")
# The text of an error, which says it all.
BARE = "%s"


def logged() -> set[tuple[str, str]]:
    """Level and message, up to what differs."""
    calls = [
        found
        for path in (ROOT / "smtpproto").rglob("*.py")
        for found in CALL.findall(path.read_text(encoding="utf-8"))
    ]
    return {
        ("error" if level == "exception" else level, text.partition(":")[0])
        for level, text in calls
        if text != BARE
    }


def test_each_message_is_on_the_page_and_no_other() -> None:
    rows = re.findall(r"^\| (error|warning) \| (.*?) \|", PAGE, re.MULTILINE)
    listed = {(level, text) for level, texts in rows for text in re.findall(r"`(.*?)`", texts)}

    assert listed == logged()
