from __future__ import annotations

import re
from email import message_from_bytes
from email.policy import default as policy
from pathlib import Path

import pytest

from smtpproto.cli import demo, main
from tests.programs import smtpproto


def stored(output: str) -> list[Path]:
    (folder,) = re.findall(r"^# stored in (\S*).*:$", output, re.MULTILINE)
    return sorted(Path(folder).iterdir())


def test_the_conversation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--maildir", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    spoken = [line for line in lines if line.startswith(("C: ", "S: "))]
    assert spoken[0] == "S: 220 mail.example.com ESMTP"
    assert spoken[1] == "C: EHLO client.example.org"
    assert spoken[-1].startswith("S: 221 ")
    # The dot of the text, made transparent.
    assert "C: .." in lines
    assert lines[-5:] == [
        "message 1  accepted  <alice@example.com>  250 2.0.0 OK",
        "message 2  accepted  <alice@example.com>  250 2.0.0 OK",
        "message 2  refused   <nobody@example.com>  550 5.1.1 no such mailbox here",
        "message 2  accepted  <bob@example.com>  250 2.0.0 OK",
        "message 2  refused   <full@example.com>  452 4.2.2 mailbox full",
    ]
    first, second = (message_from_bytes(path.read_bytes(), policy=policy) for path in stored(shown))
    (attachment,) = first.iter_attachments()
    assert attachment.get_filename() == "figures.csv"
    assert "12,84" in attachment.get_content()
    text = first.get_body()
    assert text is not None
    assert ".\nThe dot above" in text.get_content()
    assert second["Subject"] == "Lunch"


def test_with_tls(tmp_path: Path) -> None:
    done = smtpproto("demo", "--tls", TMPDIR=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    handshakes = [line for line in done.stdout.splitlines() if line.startswith("# TLS handshake")]
    assert len(handshakes) == 2
    assert all("a certificate for mail.example.com" in line for line in handshakes)
    before, after = done.stdout.split(handshakes[0], 1)
    assert before.endswith("C: STARTTLS\nS: 220 2.0.0 Ready to start TLS\n")
    assert after.startswith("\nC: EHLO client.example.org\n")
    # The second time all is said inside.
    assert f"{handshakes[1]}\nS: 220 mail.example.com ESMTP\n" in after
    # Nothing stays behind.
    assert list(tmp_path.iterdir()) == []


def test_a_demonstration_that_fails_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "MAILBOXES", ("alice@example.com",))
    assert main(["demo"]) == 1
    assert "refused   <bob@example.com>" in capsys.readouterr().out
