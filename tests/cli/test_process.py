"""How processes of the command line end: by Ctrl-C, and where nobody reads their output."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.message import EmailMessage
from io import FileIO
from pathlib import Path

import pytest

from smtpproto import sync
from smtpproto.cli.common import IO
from tests.cli.inboxes import Forgetting, Inbox
from tests.programs import HOST, environment, signals_as_usual, until

FULL = b"python -m smtpproto: No space left on device\n"
INTERRUPTED, UNREAD = -signal.SIGINT, -signal.SIGPIPE
KINDS = pytest.mark.parametrize("io", IO)


@pytest.fixture
def server() -> Iterator[str]:
    with sync.serve(Forgetting(), hostname="mx.example") as running:
        yield f"{HOST}:{running.port}"


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Accepts and says nothing."""
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(20)
        yield listener


def at(listener: socket.socket) -> str:
    return f"{HOST}:{listener.getsockname()[1]}"


@contextmanager
def running(
    *arguments: str,
    stdin: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    program: Sequence[str] = ("-m", "smtpproto"),
) -> Iterator[subprocess.Popen[bytes]]:
    with signals_as_usual():
        started = subprocess.Popen(
            [sys.executable, "-W", "error", *program, *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environment(),
        )
    with started as process:
        try:
            yield process
        finally:
            process.kill()


def end_of(process: subprocess.Popen[bytes]) -> tuple[int, bytes]:
    """Exit status, and what stands on standard error."""
    assert process.stderr is not None
    errors = process.stderr.read()
    return process.wait(20), errors


def unread(*arguments: str, lines: int = 0, stdin: bytes = b"") -> tuple[int, bytes]:
    """Run a verb whose output is closed after some lines, as by `head`."""
    with running(*arguments) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(stdin)
        process.stdin.flush()
        for _ in range(lines):
            assert process.stdout.readline()
        process.stdout.close()
        return end_of(process)


# --- nobody reads -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, lines",
    [
        (["demo"], 5),
        (["demo"], 0),
        (["demo", "--tls"], 3),
        (["--help"], 0),
        (["send", "--help"], 0),
        (["--version"], 0),
        (["explain", "550"], 0),
        (["explain"], 0),
    ],
)
def test_a_closed_pipe(arguments: list[str], lines: int) -> None:
    assert unread(*arguments, lines=lines) == (UNREAD, b"")


def test_a_closed_pipe_of_probe(server: str) -> None:
    assert unread("probe", server) == (UNREAD, b"")


def test_a_closed_pipe_of_talk(server: str) -> None:
    assert unread("talk", server, lines=1, stdin=b"NOOP\n" * 9) == (UNREAD, b"")


@KINDS
def test_a_closed_pipe_of_a_transcript(server: str, message_file: str, io: str) -> None:
    reading, writing = os.pipe()
    arguments = ["send", message_file, "--server", server, "--transcript", "--io", io]
    with running(*arguments, stderr=writing) as process:
        os.close(writing)
        os.close(reading)
        assert process.wait(20) == UNREAD


def deliver(port: int) -> None:
    message = EmailMessage()
    message["From"], message["To"] = "eve@example.org", "alice@example.com"
    message.set_content("hello")
    with sync.connect(HOST, port) as client:
        (outcome,) = client.send_message(message).outcomes
        assert outcome.reply is not None
        assert outcome.reply.code == 451, outcome


def port_of(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline().rpartition(b":")[2])


@pytest.mark.parametrize("more", [[], ["--io", "trio"], ["--io", "asyncio"], ["--workers", "2"]])
def test_a_server_that_prints_for_nobody_stops(more: list[str]) -> None:
    """The message is not accepted, since nobody has seen it."""
    with running("serve", "--listen", f"{HOST}:0", *more) as process:
        port = port_of(process)
        assert process.stdout is not None
        process.stdout.close()
        deliver(port)
        assert end_of(process) == (UNREAD, b"")


@KINDS
def test_a_server_whose_transcript_is_read_no_more_stops(io: str) -> None:
    reading, writing = os.pipe()
    with running(
        "serve", "--listen", f"{HOST}:0", "--io", io, "--discard", "--transcript", stderr=writing
    ) as process:
        os.close(writing)
        port = port_of(process)
        os.close(reading)
        with socket.create_connection((HOST, port), 20) as client:
            assert client.recv(3) == b"220"
        assert process.wait(20) == UNREAD


@pytest.mark.parametrize("more", [[], ["--io", "trio"], ["--io", "asyncio"], ["--workers", "2"]])
def test_a_server_whose_first_line_nobody_reads_stops(more: list[str]) -> None:
    assert unread("serve", "--listen", f"{HOST}:0", *more) == (UNREAD, b"")


# --- streams that are not there ---------------------------------------------------------------


@pytest.mark.parametrize(
    "redirection, arguments, expected",
    [
        (">&-", "explain 550", (0, b"")),
        (">&- 2>&-", "explain nonsense", (2, b"")),
        (">/dev/full", "explain 550", (2, b"smtpproto: No space left on device\n")),
        (">/dev/full", "--help", (2, b"smtpproto: No space left on device\n")),
        (">/dev/full", "demo", (2, b"smtpproto: No space left on device\n")),
        (">/dev/full 2>&1", "demo", (2, b"")),
        (">/dev/full 2>&1", "--version", (2, b"")),
        ("2>/dev/full", "explain nonsense", (2, b"")),
        ("2>/dev/full", "unknown", (2, b"")),
        ("2>/dev/full", "send no-such-file", (2, b"")),
        ("2>/dev/full", "probe 127.0.0.1:1", (2, b"")),
        ("2>/dev/full", "talk 127.0.0.1:1", (2, b"")),
        ("<&-", "explain -", (2, b"found ''")),
        ("<&-", "send -", (2, b"not sent: the message has no Sender or From field")),
        ("<&-", "talk 127.0.0.1:1", (2, b"Connection refused")),
    ],
)
def test_a_stream_that_is_closed_or_full(
    redirection: str, arguments: str, expected: tuple[int, bytes]
) -> None:
    command = f'exec "$0" -W error -m smtpproto {arguments} {redirection}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable], capture_output=True, check=False, env=environment()
    )
    status, text = expected
    assert done.returncode == status, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"Warning" not in done.stderr
    assert text in done.stderr


def on_a_full_disk(*arguments: str) -> tuple[int, bytes]:
    """Run a verb whose standard output cannot be written."""
    with Path("/dev/full").open("wb") as full, signals_as_usual():
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "smtpproto", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(),
            check=False,
        )
    return done.returncode, done.stderr


@pytest.mark.parametrize("verb", [["talk"], ["talk", "--json"], ["probe"]])
def test_a_full_disk_is_no_fault_of_the_session(server: str, verb: list[str]) -> None:
    assert on_a_full_disk(*verb, server) == (2, FULL)


@KINDS
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_message_is_sent_but_cannot_be_reported(
    sink: str, mails: Inbox, message_file: str, io: str, form: list[str]
) -> None:
    done = on_a_full_disk("send", message_file, "--server", sink, "--io", io, *form)
    assert done == (2, FULL)
    assert len(mails.mails) == 1


@pytest.mark.parametrize("more", [[], ["--io", "trio"], ["--io", "asyncio"], ["--workers", "2"]])
def test_a_server_cannot_print_where_it_listens(more: list[str]) -> None:
    done = on_a_full_disk("serve", "--listen", f"{HOST}:0", *more)
    assert done == (2, FULL)


@KINDS
def test_a_server_cannot_write_its_transcript(io: str) -> None:
    with (
        Path("/dev/full").open("wb") as full,
        running(
            "serve", "--listen", f"{HOST}:0", "--io", io, "--transcript", stderr=full.fileno()
        ) as process,
    ):
        with socket.create_connection((HOST, port_of(process)), 20) as client:
            assert client.recv(3) == b"220"
        assert process.wait(20) == 2


# --- Ctrl-C -------------------------------------------------------------------------------------


def interrupted(process: subprocess.Popen[bytes]) -> tuple[int, bytes]:
    process.send_signal(signal.SIGINT)
    return end_of(process)


@pytest.mark.parametrize(
    "arguments",
    [*(["send", "--to", "a@b.example", "-", "--io", io] for io in IO), ["explain", "-"]],
)
def test_ctrl_c_while_input_is_awaited(arguments: list[str]) -> None:
    with running(*arguments) as process:
        assert process.stdin is not None
        wait_until_it_sleeps_in_read(process.pid)
        assert interrupted(process) == (INTERRUPTED, b"")


@pytest.mark.parametrize(
    "arguments", [["-"], ["--from", "a@b.example", "--to", "c@d.example", "--body", "-"]]
)
def test_input_is_read_to_its_end_if_the_pipe_does_not_block(
    sink: str, mails: Inbox, arguments: list[str]
) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with (
        FileIO(reading) as pipe,
        FileIO(writing, "w") as sender,
        running("send", "--server", sink, *arguments, stdin=pipe.fileno()) as process,
    ):
        sender.write(b"From: a@b.example\nTo: c@d.example\n\nThe first half\n")
        # Its other end is the same pipe.
        until(lambda: os.get_blocking(reading), 20, "a process that waits for its input")
        sender.write(b"The second half\n")
        sender.close()
        assert end_of(process) == (0, b"")
    assert mails.contents[0].endswith(b"The first half\r\nThe second half\r\n")


def wait_until_it_sleeps_in_read(pid: int) -> None:
    """Until the process waits for its standard input, which is a pipe."""
    waits = ("pipe_read", "pipe_wait", "anon_pipe_read")

    def reading() -> bool:
        where = Path(f"/proc/{pid}/wchan").read_text(encoding="ascii")
        call = Path(f"/proc/{pid}/syscall").read_text(encoding="ascii").split()
        return where in waits or call[:2] == ["0", "0x0"]

    until(reading, 20, "a process that reads")


@KINDS
def test_ctrl_c_while_a_server_is_silent(silent: socket.socket, message_file: str, io: str) -> None:
    with running("send", message_file, "--server", at(silent), "--io", io) as process:
        peer, _ = silent.accept()
        with peer:
            assert interrupted(process) == (INTERRUPTED, b"")


@pytest.mark.parametrize("verb", ["probe", "talk"])
def test_ctrl_c_while_a_session_begins(silent: socket.socket, verb: str) -> None:
    with running(verb, at(silent)) as process:
        peer, _ = silent.accept()
        with peer:
            assert interrupted(process) == (INTERRUPTED, b"")


def test_ctrl_c_in_the_middle_of_talk(server: str) -> None:
    with running("talk", server) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith(b"S: 250 "):
            pass
        assert interrupted(process) == (INTERRUPTED, b"")


def test_ctrl_c_in_the_middle_of_demo() -> None:
    code = """if True:
        import os, signal
        from smtpproto.cli import demo
        from smtpproto.__main__ import command
        before = demo.say
        def say(text):
            before(text)
            if text.startswith("C: DATA"):
                os.kill(os.getpid(), signal.SIGINT)
        demo.say = say
        command()
    """
    with running("demo", program=["-c", code]) as process:
        assert process.stdout is not None
        assert process.stdout.read().splitlines()[-1] == b"C: DATA"
        assert end_of(process) == (INTERRUPTED, b"")


@pytest.mark.parametrize("module", ["smtpproto.cli", "smtpproto.cli.common", "smtpproto.sync"])
def test_ctrl_c_while_modules_are_loaded(module: str) -> None:
    code = f"""if True:
        import os, runpy, signal, sys
        class Finder:
            def find_spec(name, *_):
                if name == {module!r}:
                    os.kill(os.getpid(), signal.SIGINT)
        sys.meta_path.insert(0, Finder)
        sys.argv[0] = "smtpproto"
        runpy.run_module("smtpproto", run_name="__main__")
    """
    with running("demo", program=["-c", code]) as process:
        assert end_of(process) == (INTERRUPTED, b"")


@pytest.mark.parametrize("point", ["server_settings", "_listen", "check"])
def test_ctrl_c_before_a_server_listens(point: str) -> None:
    code = f"""if True:
        import os, signal
        from smtpproto.cli import serve
        from smtpproto.__main__ import command
        before = serve.{point}
        def now(*arguments):
            os.kill(os.getpid(), signal.SIGINT)
            return before(*arguments)
        serve.{point} = now
        command()
    """
    with running("serve", "--listen", f"{HOST}:0", program=["-c", code]) as process:
        assert end_of(process) == (INTERRUPTED, b"")


@KINDS
def test_ctrl_c_lets_a_server_finish(io: str) -> None:
    with running("serve", "--listen", f"{HOST}:0", "--io", io) as process:
        port_of(process)
        assert interrupted(process) == (0, b"")


def test_where_ctrl_c_is_ignored_it_stays_so() -> None:
    code = """if True:
        import signal, sys
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        from smtpproto.__main__ import command
        sys.argv[0] = "smtpproto"
        try:
            command()
        finally:
            signal.raise_signal(signal.SIGINT)
    """
    with running("explain", "550", program=["-c", code]) as process:
        assert process.stdout is not None
        assert process.stdout.read().startswith(b"550: ")
        assert end_of(process) == (0, b"")
