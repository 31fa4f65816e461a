from __future__ import annotations

import io

import pytest

from smtpproto import Reply, sync
from smtpproto.cli import main
from smtpproto.vocabulary.session_facts import Protocol
from tests.programs import HOST, serve, smtpproto


class Inbox:
    def __init__(self) -> None:
        self.contents: list[bytes] = []

    def rcpt(self, session: object, rcpt: object) -> Reply | None:
        return Reply(550, "5.1.1", "no such mailbox here") if "nobody" in str(rcpt) else None

    def message(self, session: object, envelope: object, content: bytes) -> None:
        self.contents.append(content)


def talk(monkeypatch: pytest.MonkeyPatch, port: int, lines: list[str], *options: str) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    return main(["talk", f"{HOST}:{port}", *options])


def test_a_whole_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inbox = Inbox()
    lines = ["MAIL FROM:<>", "RCPT TO:<nobody@b.example>", "RCPT TO:<a@b.example>", "", "DATA"]
    lines += ["Subject: x", "", ".dot", ".", "QUIT", "NOOP"]
    with sync.serve(inbox, hostname="mx.example", received=False) as server:
        assert talk(monkeypatch, server.port, lines) == 0
    assert inbox.contents == [b"Subject: x\r\n\r\n.dot\r\n"]
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "S: 220 mx.example ESMTP"
    refused = shown.index("S: 550 5.1.1 no such mailbox here")
    # With what it means.
    assert shown[refused + 1].startswith("   550 5.1.1: refused")
    assert shown[-1].startswith("S: 221 ")


def test_what_cannot_be_said_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["NONSENSE", "RCPT TO:<a@b.example>", "BDAT 3 LAST", "MAIL FROM:x", "NOOP"]
    with sync.serve(Inbox()) as server:
        # The end of the input is as good as QUIT.
        assert talk(monkeypatch, server.port, lines) == 0
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
    assert shown.count("C: .\nS: 250 2.0.0 OK\nS: 250 2.0.0 OK\nC: NOOP\n") == 1


def test_tls_and_login_by_hand() -> None:
    with serve("--discard", "--self-signed", "--user", "ann:hunter2") as server:
        authority = server.stderr.rpartition(" ")[2].strip()
        options = ["--tls", "none", "--ca", authority]
        lines = "STARTTLS\nEHLO me.example\nAUTH PLAIN\n!\nAUTH PLAIN\n*\nAUTH PLAIN\n"
        lines += "AGFubgBodW50ZXIy\nQUIT\n"
        done = smtpproto("talk", server.server, *options, stdin=lines.encode())
    assert done.returncode == 0, done.stderr
    assert "# TLS has begun: say EHLO again\nC: EHLO me.example\n" in done.stdout
    assert "the exchange is given up" in done.stderr
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
    assert "the session is over: " in capsys.readouterr().err
