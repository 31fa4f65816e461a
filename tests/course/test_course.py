"""The course: its commands print what the pages show, and the solutions do what they promise.

tests/test_docs.py runs the Python on the pages.  tests/interop/test_course.py does the exercises
with Postfix.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import shlex
import smtplib
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from examples.course.basic_client import CONTENT, BasicClient, Refused
from examples.course.explore import explore
from examples.course.handle_codes import Action, decide, deliver
from examples.course.provoke_codes import CASES, Case, provoke
from examples.course.server import Mailboxes, serve
from examples.course.show_conversation import Conversation, Tap
from smtpproto import sync
from smtpproto.extensions import Chunking
from smtpproto.extensions.known import standard
from tests.programs import HOST, ROOT, signals_as_usual, until

COURSE = ROOT / "docs" / "course"
PAGES = sorted(COURSE.glob("*.md"))
LINES = 150
BLOCK = re.compile(
    r"^```sh\n(?P<command>.*?)^```\n(?:\n?```text\n(?P<output>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
# The ports on the pages, each of which becomes a free one.
PORTS = re.compile(r"\b(8025|8026|8027)\b")


# --- the pages ---------------------------------------------------------------------------------


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Callable[[str], str | None]]:
    """Run the command of a block as in a checkout; the output, or None if it is a server's."""
    programs = tmp_path / "bin"
    programs.mkdir()
    python = programs / "python3"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -W error "$@"\n')
    python.chmod(0o755)
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
    ports: dict[str, str] = {}
    number = iter(range(100))

    def run(command: str) -> str | None:
        command = PORTS.sub(lambda found: port(found[0]), command)
        with signals_as_usual():
            if re.search(r"course\.server|show_conversation|smtpproto serve", command):
                start(command)
                return None
            done = subprocess.run(
                ["bash", "-ec", command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=60,
                check=False,
                cwd=ROOT,
                env=environment,
            )
        assert done.returncode == 0, done.stdout
        output = done.stdout
        for name, free in ports.items():
            output = output.replace(free, name)
        return output

    def port(name: str) -> str:
        if name not in ports:
            with socket.create_server((HOST, 0)) as listener:
                ports[name] = str(listener.getsockname()[1])
        return ports[name]

    def start(command: str) -> None:
        log = tmp_path / f"server{next(number)}"
        with log.open("wb") as output:
            process = servers.enter_context(
                subprocess.Popen(
                    shlex.split(command),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=ROOT,
                    env=environment,
                )
            )
        servers.callback(process.terminate)
        until(lambda: "listening on" in log.read_text(), 20, "a server")

    with contextlib.ExitStack() as servers:
        yield run


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_the_commands_of_a_page_run(page: Path, shell: Callable[[str], str | None]) -> None:
    for found in BLOCK.finditer(page.read_text(encoding="utf-8")):
        command, expected = found["command"], found["output"]
        if "sudo " in command:
            # tests/interop/ runs these.
            for path in re.findall(r"\S+\.sh", command):
                assert (ROOT / path).exists(), path
            continue
        output = shell(command)
        if expected is not None:
            assert output == expected, command


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_a_page_is_short(page: Path) -> None:
    assert len(page.read_text(encoding="utf-8").splitlines()) <= LINES


def test_each_page_is_on_the_way() -> None:
    """The first page lists the others, and each leads on to the next one."""
    index = (COURSE / "index.md").read_text(encoding="utf-8")
    names = re.findall(r"^[0-9]+\. \[.*\]\((.*\.md)\)", index, re.MULTILINE)
    assert sorted([*names, "index.md"]) == [path.name for path in PAGES]
    for name, following in itertools.pairwise(names):
        last = (COURSE / name).read_text(encoding="utf-8").rstrip().rpartition("\n")[2]
        assert f"]({following})" in last, name


# --- exercise 1: a basic client ----------------------------------------------------------------


@pytest.mark.parametrize("program", ["basic_client", "explore", "provoke_codes", "handle_codes"])
def test_a_solution_runs_by_itself(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", f"examples.course.{program}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def quiet(_: str) -> None:
    """Show nothing."""


def test_the_basic_client_sends_content_as_it_is() -> None:
    handler = Mailboxes()
    # A line ends with CR LF alone, not where str.splitlines sees an end.
    content = "Subject: dots\n\n.\n..\n.a\n\na\vb\fc\x1cd\u2028e\nthe end\n"
    with (
        sync.serve(handler, received=False) as server,
        BasicClient(HOST, server.port, quiet) as client,
    ):
        client.hello("client.example.org")
        for _ in range(2):
            answer = client.send("eve@example.org", "alice@example.com", content)
            assert answer.code == 250
        client.quit()
    assert [octets for _, octets in handler.messages] == [
        content.replace("\n", "\r\n").encode()
    ] * 2


def test_the_basic_client_says_what_was_refused() -> None:
    with serve() as server, BasicClient(HOST, server.port, quiet) as client:
        client.hello("client.example.org")
        with pytest.raises(Refused, match=r"RCPT TO:<bob@example\.com>: 550 "):
            client.send("eve@example.org", "bob@example.com", CONTENT)
        client.quit()


def test_an_address_does_not_become_a_command() -> None:
    with serve() as server, BasicClient(HOST, server.port, quiet) as client:
        client.hello("client.example.org")
        with pytest.raises(ValueError, match="a command is one line"):
            client.send("eve@example.org>\r\nRSET\r\nMAIL FROM:<x@example.org", "a@b.example", "")
        client.quit()


def test_the_basic_client_heeds_the_greeting() -> None:
    with (
        serve(sessions=1) as server,
        BasicClient(HOST, server.port, quiet),
        pytest.raises(Refused, match="the greeting: 421 "),
    ):
        BasicClient(HOST, server.port, quiet)


# --- exercise 2: a server's extensions ---------------------------------------------------------


def test_exploring_finds_what_the_client_of_the_library_finds() -> None:
    with serve() as server:
        found = explore(HOST, server.port)
        with sync.connect(HOST, server.port) as client:
            lines = [extension.line().partition(" ") for extension in client.offered]
    assert found.greeting == "mx.example.com ESMTP"
    assert found.offered == {keyword: arguments for keyword, _, arguments in lines}
    assert found.within_tls is None


AUTHORITY = trustme.CA()
CERTIFICATE = AUTHORITY.issue_cert("mx.example.com")


def serve_with_tls() -> sync.Server:
    """A server that lets Alice log in, within TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CERTIFICATE.configure_cert(context)
    users = sync.Users({"alice": "wonderland"}, secret=b"sixteen octets..", iterations=4096)
    return sync.serve(Mailboxes(), tls_context=context, users=users)


def test_exploring_looks_into_tls() -> None:
    with serve_with_tls() as server:
        found = explore(HOST, server.port)
    assert "STARTTLS" in found.offered
    # A server asks for a password in plain text within TLS only.
    assert "PLAIN" not in found.offered["AUTH"].split()
    assert found.within_tls is not None
    assert "PLAIN" in found.within_tls["AUTH"].split()
    assert "STARTTLS" not in found.within_tls


# --- exercise 3: the codes ---------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.code))
def test_a_code_is_provoked(case: Case) -> None:
    with serve() as server:
        assert provoke(HOST, server.port, case).code == case.code


DECISIONS = {
    250: Action.DONE,
    421: Action.RECONNECT,
    450: Action.RETRY,
    501: Action.MEND,
    550: Action.TELL,
    553: Action.ASK,
}


def test_each_code_is_handled() -> None:
    with serve() as server:
        found = {case.code: decide(provoke(HOST, server.port, case)) for case in CASES}
    assert found == DECISIONS


def test_a_busy_mailbox_gets_its_message_in_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    with serve(busy=2) as server:
        action = deliver(HOST, server.port, "eve@example.org", "busy@example.com", lambda: None)
    assert action is Action.DONE
    assert capsys.readouterr().out.count(": 450 ") == 2


def test_the_author_hears_when_nothing_helps(capsys: pytest.CaptureFixture[str]) -> None:
    with serve(busy=100) as server:
        port = server.port
        action = deliver(HOST, port, "eve@example.org", "busy@example.com", lambda: None)
    assert action is Action.TELL
    # Nor is a server that is gone a reason to lose the message at once.
    action = deliver(HOST, port, "eve@example.org", "alice@example.com", lambda: None)
    assert action is Action.TELL
    assert capsys.readouterr().out.count("no success after 3 attempts") == 2


# --- exercise 5: the whole conversation --------------------------------------------------------


class Tapped:
    """A tap before a server, and the lines that it has shown."""

    def __init__(self, port: int) -> None:
        self.lines: list[str] = []
        self.tap = Tap((HOST, port), write=self.lines.append)
        self.port = self.tap.port
        self._thread = threading.Thread(target=self.tap.serve)
        self._thread.start()

    def conversation(self, number: int = 1) -> list[str]:
        """The lines of a session that is over."""

        def closed() -> list[str] | None:
            mine = [line[2:] for line in self.lines if line.startswith(f"{number} ")]
            return mine if sum(line.endswith(" closed") for line in mine) == 2 else None

        return until(closed, 20, "the end of the session")

    def close(self) -> None:
        self.tap.close()
        self._thread.join(20)


@pytest.fixture
def tapped() -> Iterator[Callable[[int], Tapped]]:
    """Called with the port of a server."""
    with contextlib.ExitStack() as stack:

        def start(port: int) -> Tapped:
            found = Tapped(port)
            stack.callback(found.close)
            return found

        yield start


def test_the_whole_conversation_of_smtplib(tapped: Callable[[int], Tapped]) -> None:
    with serve() as server:
        tap = tapped(server.port)
        with smtplib.SMTP(HOST, tap.port, "client.test") as client:
            client.sendmail("eve@example.org", ["alice@example.com"], b"Subject: x\r\n\r\n.\r\n")
        said = tap.conversation()
    assert said[:2] == ["S: 220 mx.example.com ESMTP", "C: ehlo client.test"]
    begin = said.index("C: data")
    assert said[begin + 1].startswith("S: 354 ")
    assert said[begin + 2 : begin + 7] == [
        "C: Subject: x",
        "C: ",
        "C: ..",
        "C: .",
        "S: 250 2.0.0 OK",
    ]
    assert said[begin + 7 : begin + 9] == ["C: QUIT", "S: 221 2.0.0 Bye"]
    assert sorted(said[-2:]) == ["#  the client closed", "#  the server closed"]


def test_two_clients_at_once_have_their_numbers(tapped: Callable[[int], Tapped]) -> None:
    with serve() as server:
        tap = tapped(server.port)
        with (
            sync.connect(HOST, tap.port, name="one.test") as one,
            sync.connect(HOST, tap.port, name="two.test"),
        ):
            one.noop()
        first, second = tap.conversation(1), tap.conversation(2)
    assert "C: EHLO one.test" in first
    assert "C: NOOP" in first
    assert "C: EHLO two.test" in second


def test_chunks_are_shown_as_content(tapped: Callable[[int], Tapped]) -> None:
    """What looks like a command in a chunk is none, and a chunk may end within a line."""
    with sync.serve(Mailboxes(), extensions=(*standard(), Chunking())) as server:
        tap = tapped(server.port)
        with (
            socket.create_connection((HOST, tap.port)) as link,
            link.makefile("rb") as answers,
        ):
            link.sendall(
                b"EHLO client.test\r\nMAIL FROM:<eve@example.org>\r\n"
                b"RCPT TO:<alice@example.com>\r\n"
                b"BDAT 14\r\nAUTH PLAIN\r\nxyBDAT 7 LAST\r\nSTART\r\n"
                b"NOOP\r\nQUIT\r\n"
            )
            assert b"221 " in answers.read()
        said = [line for line in tap.conversation() if line.startswith("C: ")]
    assert said[3:] == [
        "C: BDAT 14",
        "C: AUTH PLAIN",
        "C: xy",
        "C: BDAT 7 LAST",
        "C: START",
        "C: NOOP",
        "C: QUIT",
    ]


def test_tls_hides_what_follows(tapped: Callable[[int], Tapped]) -> None:
    context = sync.client_context()
    AUTHORITY.configure_trust(context)
    with serve_with_tls() as server:
        tap = tapped(server.port)
        with sync.connect(
            HOST,
            tap.port,
            credentials=sync.Credentials(username="alice", password="wonderland"),
            tls_context=context,
            server_hostname="mx.example.com",
        ) as client:
            assert client.noop().positive
        *_, starttls, ready, hidden, one, other = tap.conversation()
    assert starttls == "C: STARTTLS"
    assert ready.startswith("S: 220 ")
    assert hidden == "#  TLS begins: only the client and the server can read on"
    assert {one, other} == {"#  the client closed", "#  the server closed"}


AUTHENTICATION = [
    ("C", b"AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n", "AUTH PLAIN (not shown)"),
    ("S", b"235 2.7.0 welcome\r\n", "235 2.7.0 welcome"),
    ("C", b"auth login\r\n", "auth login"),
    ("S", b"334 VXNlcm5hbWU6\r\n", "334 VXNlcm5hbWU6"),
    ("C", b"YWxpY2U=\r\n", "(not shown)"),
    ("S", b"334 UGFzc3dvcmQ6\r\n", "334 UGFzc3dvcmQ6"),
    ("C", b"c2VjcmV0\r\n", "(not shown)"),
    ("S", b"535 5.7.8 no\r\n", "535 5.7.8 no"),
    ("C", b"NOOP\r\n", "NOOP"),
]


@pytest.mark.parametrize("size", [1, 3, 100])
def test_what_is_said_in_an_exchange_is_hidden(size: int) -> None:
    """Also where a client logs in without TLS; in any pieces."""
    lines: list[str] = []
    conversation = Conversation(lines.append)
    for sender, octets, _ in AUTHENTICATION:
        for i in range(0, len(octets), size):
            conversation.passed(sender, octets[i : i + size])
    assert lines == [f"{sender}: {shown}" for sender, _, shown in AUTHENTICATION]


def test_a_server_that_is_not_there(tapped: Callable[[int], Tapped]) -> None:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
    tap = tapped(port)
    with socket.create_connection((HOST, tap.port)) as link:
        assert link.recv(1) == b""
    (line,) = until(lambda: list(tap.lines), 20, "a line")
    assert line.startswith("1 #  no connection to the server")
