"""What the scripts that make pages and other files share: writing a file, or comparing it."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path


def write_or_check(
    arguments: Sequence[str], path: Path, new: str, script: str, name: str = ""
) -> int:
    """Write a file if it is not what it shall be; with `--check` only show how it differs.

    Arguments:
        arguments: of the command line.
        path: where the file is, or shall be.
        new: what it shall hold.
        script: what makes it, as the difference names it.
        name: that of the file there, if the last part of its path does not tell.

    Returns:
        The exit status: 1 if `--check` found a difference.
    """
    old = path.read_text("utf-8") if path.exists() else ""
    if old == new:
        return 0
    if "--check" not in arguments:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(new, "utf-8")
        return 0
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    sys.stdout.writelines(difflib.unified_diff(before, after, name or path.name, script))
    return 1
