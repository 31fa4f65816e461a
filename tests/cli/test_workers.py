from __future__ import annotations

import os
import signal
import smtplib
import socket
import time
from pathlib import Path

import pytest

from smtpproto.cli.common import IO
from smtpproto.cli.workers import LONGEST_PAUSE, back_off
from tests.programs import HOST, MESSAGE, Serve, serve, until

KINDS = pytest.mark.parametrize("io", IO)


def submit(server: Serve) -> None:
    with smtplib.SMTP(HOST, server.port, "client.example", timeout=20) as client:
        client.sendmail("eve@example.org", ["alice@example.com"], MESSAGE.replace(b"\n", b"\r\n"))


def submitted(server: Serve) -> bool:
    """Whether it went; 421 comes from a worker that accepted just before it was told to finish."""
    client = smtplib.SMTP(local_hostname="client.example", timeout=20)
    try:
        if client.connect(HOST, server.port)[0] == 421:
            return False
        client.sendmail("eve@example.org", ["alice@example.com"], b"Subject: x\r\n\r\n")
    except smtplib.SMTPResponseException as error:
        if error.smtp_code != 421:
            raise
        return False
    finally:
        # No QUIT: the message is delivered, and the answer may be 421 again.
        client.close()
    return True


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError:
        return False
    return stat.rpartition(b")")[2].split()[0] != b"Z"


def test_the_back_off() -> None:
    pauses = [back_off(deaths) for deaths in range(40)]
    assert pauses[0] == 0
    assert pauses == sorted(pauses)
    assert pauses[1] < 1
    assert pauses[-1] == LONGEST_PAUSE


@KINDS
def test_all_share_the_port(io: str) -> None:
    with serve("--discard", "--workers", "3", "--io", io) as server:
        assert len(server.workers()) == 3
        for _ in range(6):
            submit(server)
        workers = server.workers()
        assert server.stop() == 0
        assert not any(map(alive, workers))
        assert server.stderr == ""


@KINDS
def test_the_dead_are_replaced(io: str) -> None:
    with serve("--discard", "--workers", "2", "--io", io) as server:
        first, second = server.workers()
        os.kill(first, signal.SIGKILL)
        until(lambda: first not in server.workers() and len(server.workers()) == 2, 10, "another")
        assert second in server.workers()
        assert f"worker {first} ended by signal 9: another one starts in 0.2 s" in server.stderr
        for _ in range(8):
            submit(server)
        # The second time it takes longer.
        (third,) = set(server.workers()) - {second}
        os.kill(third, signal.SIGKILL)
        until(lambda: "starts in 0.4 seconds" in server.stderr, 10, "a longer pause")
        until(lambda: len(server.workers()) == 2, 10, "another")
        assert server.stop() == 0


@KINDS
def test_sighup_replaces_them_while_the_old_finish(io: str, tmp_path: Path) -> None:
    options = ["--maildir", str(tmp_path), "--workers", "2", "--io", io]
    with serve(*options) as server:
        before = server.workers()
        with smtplib.SMTP(HOST, server.port, "client.example", timeout=20) as client:
            client.ehlo()
            client.mail("eve@example.org")
            client.rcpt("alice@example.com")
            client.putcmd("DATA")
            assert client.getreply()[0] == 354
            server.send_signal(signal.SIGHUP)
            # One of the old ones is still busy with us.
            until(lambda: len(set(server.workers()) - set(before)) == 2, 20, "two new workers")
            until(lambda: len(server.workers()) == 3, 20, "one old worker")
            until(lambda: submitted(server), 20, "a new worker that accepts")
            client.send(b"Subject: late\r\n\r\n.\r\n")
            assert client.getreply()[0] == 250
            assert client.getreply()[0] == 421
            client.close()
        until(lambda: len(server.workers()) == 2, 10, "the new ones alone")
        assert not set(before) & set(server.workers())
        assert server.stop() == 0
        assert server.stderr == ""
    assert len(list((tmp_path / "new").iterdir())) == 2


def test_a_restart_that_fails_leaves_the_old_ones(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("ann:secret\n", encoding="ascii")
    with serve("--discard", "--workers", "2", "--users", str(users)) as server:
        before = server.workers()
        users.write_text("nonsense\n", encoding="ascii")
        server.send_signal(signal.SIGHUP)
        until(lambda: "the old workers stay" in server.stderr, 10, "a complaint")
        assert f"{users} line 1: expected NAME:PASSWORD" in server.stderr
        assert server.workers() == before
        submit(server)
        users.write_text("ann:other\n", encoding="ascii")
        server.send_signal(signal.SIGHUP)
        until(lambda: not set(before) & set(server.workers()), 10, "new workers")
        assert server.stop() == 0


def test_workers_that_do_not_start(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    complaint = r"(?s)ended with 2:.*worker [0-9]+: .*Not a directory"
    with (
        pytest.raises(RuntimeError, match=complaint),
        serve("--maildir", str(file), "--workers", "2"),
    ):
        pass


@KINDS
def test_without_their_supervisor_workers_finish(io: str, tmp_path: Path) -> None:
    options = ["--maildir", str(tmp_path), "--workers", "2", "--io", io]
    with serve(*options) as server:
        workers = server.workers()
        with socket.create_connection((HOST, server.port), 20) as idle:
            assert idle.recv(1000).startswith(b"220 ")
            server.send_signal(signal.SIGKILL)
            assert idle.recv(1000).startswith(b"421 4.3.2 ")
        until(lambda: not any(map(alive, workers)), 10, "no worker")


def test_what_the_terminal_says_to_all_is_for_the_supervisor() -> None:
    with serve("--discard", "--workers", "2") as server:
        workers = server.workers()
        for worker in workers:
            os.kill(worker, signal.SIGINT)
            os.kill(worker, signal.SIGHUP)
        time.sleep(0.3)
        assert server.workers() == workers
        submit(server)
        assert server.stop(signal.SIGINT) == 0
