"""Finding, starting and stopping programs that are not ours.

A peer that is not installed skips the test with a reason; with SMTPPROTO_REQUIRE_PEERS set, as in
CI, it fails the test instead.  SMTPPROTO_PEERS names a folder of programs that were unpacked, not
installed (`.ci/run` fills it).  All ports are on loopback, and all files of a server lie in one
temporary folder, which goes when the server stops.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

ROOT = Path(__file__).parent.parent.parent
UNPACKED = Path(os.environ.get("SMTPPROTO_PEERS") or ROOT / ".peers")
HOST = "127.0.0.1"

T = TypeVar("T")


def missing(what: str) -> None:
    """Say that a peer is not there: a reason to skip, but a failure where all are promised."""
    if os.environ.get("SMTPPROTO_REQUIRE_PEERS"):
        pytest.fail(f"{what} is not installed, and SMTPPROTO_REQUIRE_PEERS is set")
    pytest.skip(f"{what} is not installed")


def program(name: str, *unpacked: str) -> str:
    """The path of an installed program, or of one at a path below UNPACKED."""
    path = "/usr/local/sbin:/usr/sbin:/sbin:" + os.environ.get("PATH", os.defpath)
    for place in unpacked:
        if os.access(UNPACKED / place, os.X_OK):
            return str(UNPACKED / place)
    found = shutil.which(name, path=path)
    if found is None:
        missing(name)
        raise AssertionError
    return found


def need_root(what: str) -> None:
    """Mail servers give up privileges that only root has."""
    if os.geteuid() != 0:
        missing(f"{what} (which must be started by root)")


def free_port() -> int:
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """As many different ones."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server((HOST, 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in listeners]


def until(condition: Callable[[], T | None], timeout: float, expected: str) -> T:
    """Ask again until the answer is something; the events awaited come from other processes."""
    deadline = time.monotonic() + timeout
    while True:
        if answer := condition():
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"expected {expected} within {timeout:g} s")
        time.sleep(0.02)


def greets(port: int) -> bool:
    """Whether someone at the port says something as soon as we connect."""
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1) as link:
        return bool(link.recv(1))
    return False


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder that servers with users of their own can enter."""
    with tempfile.TemporaryDirectory(prefix="smtpproto-", ignore_cleanup_errors=True) as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@contextlib.contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program in the foreground, its output in a file; ended by its process id."""
    with (
        log.open("ab") as output,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def run(command: Sequence[str], timeout: float = 30, **options: str) -> str:
    """The output of a program that must succeed."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
        timeout=timeout,
        check=False,
        env={**os.environ, **options},
    )
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def read_log(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
