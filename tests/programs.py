"""The command line as a user has it: processes of their own, in a clean environment."""

from __future__ import annotations

import os
import pty
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).parent.parent
HOST = "127.0.0.1"

T = TypeVar("T")

MESSAGE = b"From: eve@example.org\nTo: alice@example.com\nSubject: hello\n\nHello.\n.\nbye\n"


def environment(**more: str) -> dict[str, str]:
    """Nothing of what this machine or user has set, but for where programs are."""
    return {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", **more}


@contextmanager
def signals_as_usual() -> Iterator[None]:
    """Signals that are ignored out there, by nohup or a script's `&`, do what they usually do.

    A program that is started meanwhile would otherwise ignore them as well.
    """
    before = {
        number: signal.signal(number, signal.SIG_DFL)
        for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM, signal.SIGINT)
        if signal.getsignal(number) is signal.SIG_IGN
    }
    if signal.SIGINT in before:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def smtpproto(
    *arguments: str, stdin: bytes = b"", timeout: float = 30, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end."""
    with signals_as_usual():
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "smtpproto", *arguments],
            input=stdin,
            capture_output=True,
            timeout=timeout,
            check=False,
            env=environment(**more),
            # So that none asks this test's user for a password.
            start_new_session=True,
        )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def start_on_a_terminal(*command: str, **more: str) -> tuple[int, int]:
    """Start a program on a terminal of its own; its process id and our end of the terminal."""
    with signals_as_usual():
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(command[0], command, environment(**more))  # noqa: S606  # no shell
    return pid, terminal


def until(condition: Callable[[], T | None], timeout: float, expected: str) -> T:
    """Ask again until the answer is something."""
    deadline = time.monotonic() + timeout
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"expected {expected} within {timeout:g} s")
        time.sleep(0.02)
    return answer


class Serve:
    """A running `serve`, in the foreground, its output in files."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process = process
        self.folder = folder

    @property
    def stdout(self) -> str:
        return (self.folder / "stdout").read_text(encoding="utf-8")

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text(encoding="utf-8")

    @property
    def port(self) -> int:
        (port,) = re.findall(r"^listening on .*:([0-9]+)$", self.stdout, re.MULTILINE)
        return int(port)

    @property
    def server(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def authority(self) -> str:
        """The file with the authority that `--self-signed` has made."""
        (path,) = re.findall(r"send --ca (.*)$", self.stderr, re.MULTILINE)
        return str(path)

    def connect(self) -> socket.socket:
        return socket.create_connection((HOST, self.port), 20)

    def workers(self) -> list[int]:
        """The processes that this one has started and that are there still."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return list(map(int, children.split()))

    def send_signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM, timeout: float = 40) -> int:
        """Send a signal and wait for the end; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout)


@contextmanager
def serve(
    *arguments: str,
    listen: Sequence[str] = ("--listen", f"{HOST}:0"),
    before: Sequence[str] = (),
    verb: str = "serve",
    **more: str,
) -> Iterator[Serve]:
    """`serve` for the length of a block; killed there if it is still running.

    Arguments:
        arguments: options.
        listen: where; a free port of loopback.
        before: a program that starts it.
        verb: another one that listens.
        more: of its environment.
    """
    with tempfile.TemporaryDirectory(prefix="smtpproto-") as name:
        folder = Path(name)
        command = [sys.executable, "-W", "error", "-m", "smtpproto", verb, *listen, *arguments]
        with (
            (folder / "stdout").open("wb") as stdout,
            (folder / "stderr").open("wb") as stderr,
        ):
            with signals_as_usual():
                process = subprocess.Popen(
                    [*before, *command],
                    stdin=subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=stderr,
                    env=environment(**more),
                )
            running = Serve(process, folder)
            try:
                until(lambda: _ready(running), 20, "a line that says where it listens")
                yield running
            except BaseException:
                print(running.stdout, running.stderr, sep="\n")
                raise
            finally:
                process.kill()
                process.wait()


def _ready(running: Serve) -> bool:
    if running.process.poll() is not None:
        raise RuntimeError(f"serve ended with {running.process.returncode}:\n{running.stderr}")
    return "listening on " in running.stdout
