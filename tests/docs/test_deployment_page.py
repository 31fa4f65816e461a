"""What the page on deployment starts can be started, and stops in time."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from smtpproto.cli import make_parser
from smtpproto.sync import Envelope, connect
from tests.cli.test_serve import MANAGER
from tests.programs import serve, smtpproto

PAGE = (Path(__file__).parents[2] / "docs/howto/deployment.md").read_text(encoding="utf-8")


def code(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def units() -> list[configparser.ConfigParser]:
    found = []
    for text in code("ini"):
        unit = configparser.ConfigParser(interpolation=None)
        unit.optionxform = str  # type: ignore[assignment,method-assign]
        unit.read_string(text)
        found.append(unit)
    return found


def test_the_unit_of_the_service() -> None:
    sockets, service = units()
    program, *words = shlex.split(service["Service"]["ExecStart"])
    assert (Path(program).name, words[:2]) == ("python3", ["-m", "smtpproto"])
    options = make_parser("smtpproto").parse_args(words[2:])
    # The sockets come from systemd, and a message must not be cut off while it has its grace.
    assert (options.verb, options.listen) == ("serve", None)
    assert options.grace < int(service["Service"]["TimeoutStopSec"])
    state = f"/var/lib/{service['Service']['StateDirectory']}"
    assert Path(options.maildir).is_relative_to(state)
    assert sockets["Socket"]["ListenStream"] == "25"
    assert service["Unit"]["Requires"] == "mail.socket"


def test_the_container(tmp_path: Path) -> None:
    (dockerfile,) = code("dockerfile")
    check, command = (json.loads(words) for words in re.findall(r"CMD (\[.*\])", dockerfile))
    assert check[:3] == command[:3] == ["python3", "-m", "smtpproto"]
    options = make_parser("smtpproto").parse_args(command[3:])
    assert options.grace < 10
    # The same on a free port of loopback, and with a folder of the test.
    words = [str(tmp_path / "mail") if word == "mail" else word for word in command[4:]]
    where = words.index("--listen")
    del words[where : where + 2]
    with serve(*words) as server:
        done = smtpproto(*check[3:-1], server.server)
        assert done.returncode == 0
        assert server.stop(signal.SIGTERM) == 0


PROGRAM = """if True:
    import sys
    class Inbox:
        def message(self, session, envelope, content):
            pass
    server = start(Inbox())
    print(server.port, flush=True)
    sys.stdin.read()
    server.stop()
"""


def test_a_program_takes_the_sockets_that_are_passed() -> None:
    (source,) = code("python")
    program = [sys.executable, "-W", "error", "-c", source + PROGRAM]
    with subprocess.Popen(
        [sys.executable, "-c", MANAGER, *program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = int(process.stdout.readline())
        assert port != 8025
        with connect("127.0.0.1", port) as client:
            assert client.send(Envelope.of("eve@a.example", ["ann@b.example"]), b"\r\n").complete
        process.stdin.close()
        assert process.wait(20) == 0


@pytest.mark.parametrize("command", re.findall(r"`python3 -m smtpproto ([^`]*)`", PAGE))
def test_each_command_is_one(command: str) -> None:
    assert make_parser("smtpproto").parse_args(shlex.split(command)).verb in command
