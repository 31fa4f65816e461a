"""The page of the command line shows what the parser takes, and what the verbs do."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from smtpproto.cli import VERBS, make_parser
from tests.programs import serve, smtpproto

PAGE = (Path(__file__).parents[2] / "docs/howto/command-line.md").read_text(encoding="utf-8")
COMMANDS = [
    part.strip()
    for line in re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)
    for part in re.split(r"\||&&", line)
    if part.strip().startswith("smtpproto ")
]
RULES = re.findall(r"--(?:fail|delay) '[^']*'", PAGE)


def test_the_commands_are_found() -> None:
    assert len(COMMANDS) >= 10
    assert len(RULES) == 5
    assert all(f"| `{verb}` |" in PAGE for verb in VERBS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_is_one(command: str) -> None:
    options = make_parser("smtpproto").parse_args(shlex.split(command)[1:])
    assert options.verb in VERBS


def test_each_option_in_the_text_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in VERBS:
        with pytest.raises(SystemExit):
            make_parser("smtpproto").parse_args([verb, "--help"])
    page = capsys.readouterr().out
    found = set(re.findall(r"--[a-z][a-z-]+", PAGE))
    assert len(found) > 20
    assert [option for option in found if option not in page] == []


def test_the_script_passes() -> None:
    script = re.search(r"^\$ cat refused\.txt\n(.*?)^\$", PAGE, re.MULTILINE | re.DOTALL)
    assert script is not None
    with serve("--fail", "rcpt nobody@*: 550 5.1.1 no such user") as server:
        done = smtpproto("talk", server.server, "--script", "-", stdin=script[1].encode())
    assert (done.returncode, done.stderr) == (0, "")


def test_the_inbox_and_the_sender(tmp_path: Path) -> None:
    send = next(command for command in COMMANDS if "Lunch" in command)
    output = PAGE.partition(send)[2].split("\n$", 1)[0].strip("\n")
    with serve() as server:
        words = shlex.split(send)[1:]
        words[words.index("--server") + 1] = server.server
        done = smtpproto(*words)
        assert done.stdout == f"{output}\n"
        assert server.stop() == 0
        assert "  Lunch  " in server.stdout
