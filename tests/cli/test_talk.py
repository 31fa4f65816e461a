from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
from pathlib import Path

import pytest

from smtpproto import Reply, sync
from smtpproto.cli import main
from smtpproto.extensions import Chunking
from smtpproto.vocabulary.session_facts import Protocol
from tests.cli.inboxes import Inbox
from tests.programs import HOST, serve, smtpproto, start_on_a_terminal


def talk(monkeypatch: pytest.MonkeyPatch, port: int, lines: list[str], *options: str) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    return main(["talk", f"{HOST}:{port}", *options])


def test_a_whole_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inbox = Inbox()
    lines = ["MAIL FROM:<>", "RCPT TO:<nobody@b.example>", "RCPT TO:<a@b.example>", "", "DATA"]
    lines += ["Subject: x", "", "..dot", ".", "QUIT", "NOOP"]
    with sync.serve(inbox, hostname="mx.example", received=False) as server:
        assert talk(monkeypatch, server.port, lines) == 0
    assert inbox.contents == [b"Subject: x\r\n\r\n.dot\r\n"]
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "S: 220 mx.example ESMTP"
    refused = shown.index("S: 550 5.1.1 no such mailbox here")
    # With what it means.
    assert shown[refused + 1].startswith("   550 5.1.1: refused")
    assert shown[-1].startswith("S: 221 ")


def test_what_is_not_known_reaches_the_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["FOO bar", "HELP", "?", "RCPT TO:<a@b.example>", r"= NOOP\r\nNOOP one\r\n"]
    with sync.serve(Inbox()) as server:
        # The end of the input is as good as QUIT.
        assert talk(monkeypatch, server.port, lines) == 0
    shown = capsys.readouterr().out.splitlines()
    for line, code in [("C: FOO bar", "500"), ("C: ?", "500"), ("C: RCPT TO:<a@b.example>", "503")]:
        assert shown[shown.index(line) + 1].startswith(f"S: {code} ")
    assert "C: HELP" in shown
    assert shown[-6:-2] == ["C: NOOP", "C: NOOP one", "S: 250 2.0.0 OK", "S: 250 2.0.0 OK"]


def test_chunks_are_octets(monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = Inbox()
    lines = ["MAIL FROM:<>", "RCPT TO:<a@b.example>", "BDAT 6", "ab", "cde", "BDAT 3 LAST", "x"]
    with sync.serve(inbox, received=False, extensions=[Chunking()]) as server:
        assert talk(monkeypatch, server.port, lines) == 0
    assert inbox.contents == [b"ab\r\ncdx\r\n"]


def test_strict_refuses_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["NONSENSE", "RCPT TO:<a@b.example>", "BDAT 3 LAST", "MAIL FROM:x", "NOOP"]
    with sync.serve(Inbox()) as server:
        assert talk(monkeypatch, server.port, lines, "--strict") == 0
    out, err = capsys.readouterr()
    assert [line[:10] for line in err.splitlines()] == ["not sent: "] * 4
    assert "C: NOOP" in out
    assert "C: QUIT" in out


def test_lmtp_has_a_reply_for_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["MAIL FROM:<>", "RCPT TO:<a@b.example>", "RCPT TO:<c@b.example>", "DATA", "x", "."]
    with sync.serve(Inbox(), protocol=Protocol.LMTP) as server:
        assert talk(monkeypatch, server.port, [*lines, "NOOP"], "--lmtp") == 0
    shown = capsys.readouterr().out
    ok = "S: 250 2.0.0 OK: queued as 1\n"
    assert shown.count(f"C: .\n{ok}{ok}C: NOOP\n") == 1


def test_tls_and_login_by_hand() -> None:
    with serve("--discard", "--self-signed", "--user", "ann:hunter2") as server:
        options = ["--tls", "none", "--ca", server.authority]
        lines = "STARTTLS\nEHLO me.example\nAUTH PLAIN\n!\nAUTH PLAIN\n*\nAUTH PLAIN\n"
        lines += "AGFubgBodW50ZXIy\nQUIT\n"
        done = smtpproto("talk", server.server, *options, stdin=lines.encode())
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"# TLS has begun \(TLSv1\.[23], \S+\): say EHLO again\nC: EHLO me", done.stdout
    )
    assert "S: 235 2.7.0" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr
    assert "AGFubgBodW50ZXIy" not in done.stdout + done.stderr


def test_a_session_that_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Rude(Inbox):
        def mail(self, session: object, mail: object) -> Reply:
            return Reply(421, "4.3.0", "enough")

    with sync.serve(Rude()) as server:
        assert talk(monkeypatch, server.port, ["MAIL FROM:<>", "NOOP"]) == 2
    assert "S: 421 4.3.0 enough" in capsys.readouterr().out
    assert talk(monkeypatch, 1, []) == 2
    assert capsys.readouterr().err.startswith("no session: ")


def test_strict_follows_content_login_and_tls() -> None:
    with serve("--print", "--self-signed", "--user", "ann:hunter2") as server:
        options = ["--tls", "none", "--ca", server.authority, "--strict"]
        lines = "DATA\nSTARTTLS\nMAIL FROM:<>\nEHLO me.example\nAUTH PLAIN\n!\n"
        lines += "AGFubgBodW50ZXIy\nMAIL FROM:<>\nRCPT TO:<a@b.example>\nDATA\nx\n.\nQUIT\n"
        done = smtpproto("talk", server.server, *options, stdin=lines.encode())
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("not sent: ") == 3
    assert "C: .\nS: 250 2.0.0 " in done.stdout


def test_auth_alone_logs_in() -> None:
    with serve("--discard", "--self-signed", "--user", "ann:hunter2") as server:
        options = ["--bare", "--ca", server.authority, "--user", "ann"]
        lines = b"EHLO me.example\nSTARTTLS\nAUTH\nNOOP\n"
        done = smtpproto("talk", server.server, *options, stdin=lines, SMTP_PASSWORD="hunter2")
        wrong = smtpproto("talk", server.server, *options, stdin=lines, SMTP_PASSWORD="hunter3")
    assert done.returncode == wrong.returncode == 0
    assert re.search(r"C: AUTH SCRAM-SHA-256\S* \(response\)", done.stdout)
    assert "S: 235 2.7.0" in done.stdout
    assert "the server refused the login" in wrong.stderr
    assert "C: NOOP\nS: 250 2.0.0 OK" in wrong.stdout
    assert "hunter" not in done.stdout + done.stderr + wrong.stdout + wrong.stderr


def test_a_server_that_hangs_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Gone(Inbox):
        def noop(self, session: object, command: object) -> None:
            raise SystemExit

    with sync.serve(Gone()) as server:
        assert talk(monkeypatch, server.port, ["NOOP", "NOOP"]) == 2
    assert capsys.readouterr().out.count("C: NOOP") == 1


def test_json(
    monkeypatch: pytest.MonkeyPatch, sink: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert talk(monkeypatch, int(sink.partition(":")[2]), ["FOO"], "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == {"sender": "S", "text": "220 mx.example ESMTP"}
    assert {"sender": "C", "text": "FOO"} in lines
    assert lines[-1]["text"].startswith("221 ")


# --- a terminal ---------------------------------------------------------------------------------


def on_a_terminal(lines: list[bytes], *arguments: str, **more: str) -> str:
    """What is shown on a terminal where a person types; each line after the prompt of the last."""
    command = [sys.executable, "-W", "error", "-m", "smtpproto", "talk", *arguments]
    pid, terminal = start_on_a_terminal(*command, TERM="dumb", **more)
    shown = b""
    with contextlib.suppress(OSError):
        for line in lines:
            while not shown.endswith((b"C: ", b"User: ")):
                shown += os.read(terminal, 4096)
            shown += b"<"
            os.write(terminal, line)
        while octets := os.read(terminal, 4096):
            shown += octets
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown
    return shown.decode().replace("\r\n", "\n")


def test_a_person_at_a_terminal(sink: str, tmp_path: Path) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path)}
    lines = [b"MAIL FROM:<>\n", b"rcpt t\tnobody@b.example>\n", b"\n", b"AUTH PLAIN c2VjcmV0\n"]
    shown = on_a_terminal([*lines, b"\x04"], sink, **state)
    assert "S: 250 2.1.0 OK\n   " in shown
    # The tab completed what was typed, and the reply is explained.
    assert "RCPT TO:<nobody@b.example>\nS: 550 5.1.1 no such mailbox here\n   550 5.1.1: " in shown
    # What was typed stands there once.
    assert shown.count("MAIL FROM:<>") == 1
    history = (tmp_path / "smtpproto" / "talk-history").read_text(encoding="utf-8")
    assert history.splitlines()[-2:] == ["MAIL FROM:<>", "RCPT TO:<nobody@b.example>"]
    # The next time it is there again.
    again = on_a_terminal([b"\x1b[A\n", b"QUIT\n"], sink, **state)
    assert "RCPT TO:<nobody@b.example>\nS: 503 " in again


def test_a_certificate_that_nobody_checked_is_told() -> None:
    with serve("--discard", "--self-signed") as server:
        unchecked = smtpproto("talk", server.server, "--bare", stdin=b"EHLO a\nSTARTTLS\n")
        checked = smtpproto(
            "talk", server.server, "--bare", "--ca", server.authority, stdin=b"EHLO a\nSTARTTLS\n"
        )
    assert "# the certificate was not checked (--ca FILE checks it)\n" in unchecked.stdout
    assert "TLS has begun" in checked.stdout
    assert "not checked" not in checked.stdout
