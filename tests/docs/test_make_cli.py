"""The manual page and the completions, made from the parser."""

from __future__ import annotations

import os
import re
import runpy
import select
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from smtpproto.cli import VERBS
from tests.interop.peers import program, require
from tests.programs import start_on_a_terminal

pytest.importorskip("shtab", reason="shtab is not installed")
pytest.importorskip("argparse_manpage", reason="argparse-manpage is not installed")

SCRIPT: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "make_cli.py"))
main = SCRIPT["main"]


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("share")
    assert main([], folder) == 0
    return folder


def test_the_manual_page_has_every_verb_and_its_status(share: Path) -> None:
    page = (share / "man/man1/smtpproto.1").read_text("utf-8")
    for name, module in VERBS.items():
        assert f"'smtpproto {name}'" in page
        assert f".B {name}\n{module.STATUS}.\n" in page


def test_troff_takes_no_text_for_a_request(share: Path) -> None:
    page = share / "man/man1/smtpproto.1"
    for line in page.read_text("utf-8").splitlines():
        assert re.match(r"\.(?:TH|SH|TP|B)\b|[^.']|$", line), line


def test_bash_completes(share: Path) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    file = share / "bash-completion/completions/smtpproto"

    def completions(*words: str) -> list[str]:
        code = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
        code += '_shtab_smtpproto; printf "%s\\n" "${COMPREPLY[@]}"'
        command = [bash or "", "-c", code, "bash", str(file), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    assert completions("smtpproto", "pro") == ["probe", "proxy"]
    assert completions("smtpproto", "send", "--re") == ["--repeat"]
    assert completions("smtpproto", "probe", "--fail-on", "w") == ["warning"]


def test_zsh_completes(share: Path, tmp_path: Path) -> None:
    require(["zsh"])
    # With -f it reads no file of the user or the system.
    pid, terminal = start_on_a_terminal(program("zsh"), "-f", "-i", TERM="dumb")
    shown = ""

    def typed(keys: str, expected: str) -> None:
        nonlocal shown
        os.write(terminal, keys.encode())
        while expected not in shown:
            assert select.select([terminal], [], [], 20)[0], shown
            shown += os.read(terminal, 4096).decode()
        shown = ""

    try:
        typed(f"fpath=({share}/zsh/site-functions $fpath) PS1='re''ady '\n", "ready ")
        typed(
            f"autoload -Uz compinit && compinit -D -u -d {tmp_path}/dump && echo lo''aded\n",
            "loaded",
        )
        typed("smtpproto send --rep\t", "--repeat ")
        typed("\x15smtpproto probe --fail-on w\t", "--fail-on warning ")
        typed("\x15smtpproto pro\t", "Sit between")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def test_what_is_stale_is_found(share: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"], share) == 0
    page = share / "man/man1/smtpproto.1"
    text = page.read_text("utf-8")
    page.write_text(text.replace("explain", "explian"), "utf-8")
    assert main(["--check"], share) == 1
    assert "+.B explain" in capsys.readouterr().out
    page.write_text(text, "utf-8")
