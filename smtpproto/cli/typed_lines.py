"""The lines that a person types, with history and completion."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGINNINGS = (
    *("EHLO ", "HELO ", "LHLO ", "MAIL FROM:<", "RCPT TO:<", "DATA", "RSET", "NOOP", "QUIT"),
    *("VRFY ", "EXPN ", "HELP", "STARTTLS", "AUTH", "AUTH PLAIN ", "AUTH LOGIN", "BDAT "),
    *("ETRN ", "XCLIENT ", "XFORWARD "),
)
PROMPT = "C: "
KEPT = 1000


def lines_of_people() -> Iterator[str]:
    """Return the lines that a person types; the history is kept, without secrets."""
    with _history() as remember:
        while True:
            try:
                line = input(PROMPT)
            except EOFError:
                sys.stdout.write("\n")
                return
            remember(line)
            yield line


def _history_file() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state, "smtpproto", "talk-history")


@contextlib.contextmanager
def _history() -> Iterator[Any]:
    """Give `input` a history and completion during a block, where the system has readline."""
    try:
        import readline
    except ImportError:
        yield lambda _: None
        return
    path = _history_file()
    with contextlib.suppress(OSError):
        readline.read_history_file(path)
    readline.set_history_length(KEPT)
    # A response within AUTH looks like any other line, so only known verbs are remembered.
    readline.set_auto_history(False)
    readline.set_completer_delims("")
    readline.set_completer(_complete)
    readline.parse_and_bind("tab: complete")
    verbs = {beginning.split()[0].partition(":")[0] for beginning in BEGINNINGS}

    def remember(line: str) -> None:
        words = line.split()
        if words and words[0].upper() in verbs and not (words[0].upper() == "AUTH" and words[2:]):
            readline.add_history(line)

    try:
        yield remember
    finally:
        readline.set_completer(None)
        readline.set_auto_history(True)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(path)
        readline.clear_history()


def _complete(text: str, state: int) -> str | None:
    """Return a beginning of a command that fits what was typed: what readline asks for."""
    found = [each for each in BEGINNINGS if each.startswith(text.upper())]
    return found[state] if state < len(found) else None
