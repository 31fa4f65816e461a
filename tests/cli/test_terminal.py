"""What a terminal shows, and what a pipe gets."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest

from smtpproto.cli import terminal
from smtpproto.cli.terminal import amount, progress, say, show_table
from tests.programs import environment


def in_a_terminal(code: str, *, columns: int = 80, **more: str) -> str:
    """What a program shows on a terminal."""
    ours, theirs = pty.openpty()
    variables = environment(TERM="xterm-256color", COLUMNS=str(columns), **more)
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=variables,
    ):
        os.close(theirs)
        shown = b""
        try:
            while octets := os.read(ours, 4096):
                shown += octets
        except OSError:
            # The end of a terminal is an error on Linux.
            pass
    os.close(ours)
    return shown.decode()


SAY = (
    "from smtpproto.cli.terminal import *; say('refused', 'bad'); show_table([('a', 'b c ' * 30)])"
)


def test_colour_on_a_terminal() -> None:
    pytest.importorskip("rich", reason="rich is not installed")
    shown = in_a_terminal(SAY)
    assert shown.startswith("\x1b[31mrefused\x1b[0m\r\n")
    assert max(map(len, re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines())) <= 80


@pytest.mark.parametrize("more", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_plain_text_where_it_is_wanted(more: dict[str, str]) -> None:
    code = f"import os; os.environ.update({more!r}); {SAY}"
    assert "\x1b" not in in_a_terminal(code)


def test_plain_text_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    say("refused", "bad")
    show_table([("one", "first"), ("three", "third")])
    assert capsys.readouterr().out == "refused\n  one    first\n  three  third\n"


def test_amounts() -> None:
    assert amount(0) == "0 octets"
    assert amount(1500) == "1.5 kB"
    assert amount(2.5e12) == "2500.0 GB"


PROGRESS = """if True:
    from smtpproto.cli import terminal
    terminal.PATIENCE = 0
    with terminal.progress("big.eml", 3_000_000) as counted:
        for _ in range(3):
            counted.advance(1_000_000)
    print(counted.took_long)
"""


def test_progress_on_a_terminal() -> None:
    pytest.importorskip("rich", reason="rich is not installed")
    shown = in_a_terminal(PROGRESS)
    assert "big.eml" in shown
    assert "3.0" in shown
    assert "True" in shown
    assert "big.eml" not in in_a_terminal(PROGRESS, NO_COLOR="1")


def test_progress_elsewhere_is_counted_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress("big.eml", None) as counted:
        counted.advance(5)
        before = counted.took_long
        monkeypatch.setattr(terminal, "PATIENCE", 0)
        assert (before, counted.took_long) == (False, True)
    assert counted.done == 5
    assert capsys.readouterr() == ("", "")
