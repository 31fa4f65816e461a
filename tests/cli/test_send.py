from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Iterator
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from smtpproto import Mail, Reply, Session, sync
from smtpproto.cli import main
from smtpproto.cli.common import IO
from smtpproto.conversations import Envelope
from smtpproto.extensions import Pipelining
from smtpproto.vocabulary.session_facts import Protocol
from tests.cli.inboxes import Inbox
from tests.programs import HOST, MESSAGE, serve, smtpproto, start_on_a_terminal

KINDS = pytest.mark.parametrize("io", IO)


# --- exit statuses --------------------------------------------------------------------------------


@KINDS
def test_all_accepted(sink: str, mails: Inbox, message_file: str, io: str) -> None:
    done = smtpproto("send", "--server", sink, "--io", io, message_file)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "accepted  <alice@example.com>  250 2.0.0 OK: queued as 1\n"
    ((envelope, content),) = mails.mails
    assert str(envelope.reverse_path) == "<eve@example.org>"
    assert [str(path) for path in envelope.forward_paths] == ["<alice@example.com>"]
    assert content == MESSAGE.replace(b"\n", b"\r\n")


def test_a_standard_input_that_is_no_file(
    sink: str, mails: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(MESSAGE)))
    assert main(["send", "--server", sink, "-"]) == 0
    assert len(mails.mails) == 1


@KINDS
def test_in_another_thread(sink: str, mails: Inbox, message_file: str, io: str) -> None:
    found: list[int] = []
    arguments = ["send", "--server", sink, "--io", io, message_file]
    thread = threading.Thread(target=lambda: found.append(main(arguments)))
    thread.start()
    thread.join()
    assert (found, len(mails.mails)) == ([0], 1)


@KINDS
def test_some_refused(sink: str, mails: Inbox, io: str) -> None:
    recipients = ["alice@example.com", "nobody@example.com", "full@example.com"]
    options = [word for address in recipients for word in ("--to", address)]
    done = smtpproto("send", "--server", sink, "--io", io, *options, "-", stdin=MESSAGE)
    assert done.returncode == 1
    assert "refused   <nobody@example.com>  550 5.1.1 no such mailbox here\n" in done.stderr
    assert "refused   <full@example.com>  452 4.2.2 mailbox full\n" in done.stderr
    # With what it means.
    assert "550 5.1.1: refused; trying the same again does not help" in done.stderr
    assert done.stdout == "accepted  <alice@example.com>  250 2.0.0 OK: queued as 1\n"
    assert len(mails.mails) == 1


@KINDS
def test_none_accepted(sink: str, message_file: str, io: str) -> None:
    options = ["--server", sink, "--io", io, "--to", "nobody@example.com"]
    done = smtpproto("send", *options, message_file)
    assert done.returncode == 2
    assert done.stderr.startswith("refused   <nobody@example.com>  550 5.1.1 ")


@KINDS
def test_what_does_not_speak_smtp(message_file: str, io: str) -> None:
    with deaf(b"SSH-2.0-OpenSSH_9.2\r\n") as port:
        done = smtpproto("send", "--server", f"{HOST}:{port}", "--io", io, message_file)
    assert done.returncode == 2
    assert "not sent: " in done.stderr
    assert "SSH-2.0" in done.stderr


@KINDS
def test_a_server_that_says_nothing(message_file: str, io: str) -> None:
    options = ["--timeout", "0.3", "--io", io]
    with deaf(b"") as port:
        done = smtpproto("send", "--server", f"{HOST}:{port}", *options, message_file)
    assert done.returncode == 2
    assert f"not sent: {HOST} port {port}: no reply: the peer sent nothing for" in done.stderr


@KINDS
def test_messages_share_a_session(mails: Inbox, message_file: str, io: str) -> None:
    """One that cannot be sent does not end it."""
    sessions: set[int] = set()

    class Counting(Inbox):
        def mail(self, session: Session, mail: Mail) -> None:
            sessions.add(session.peer_port)

    with sync.serve(Counting()) as running:
        files = [message_file, os.devnull, message_file, message_file]
        done = smtpproto("send", "--server", f"{HOST}:{running.port}", "--io", io, *files)
    assert done.returncode == 1
    assert done.stdout.count("accepted  <alice@example.com>") == 3
    assert "/dev/null: not sent: the message has no Sender or From field" in done.stderr
    assert done.stderr.endswith("3 messages sent, 1 not sent\n")
    assert len(sessions) == 1


@KINDS
def test_a_server_that_lets_nobody_in(full: str, message_file: str, io: str) -> None:
    options = ["--server", full, "--timeout", "0.3", "--io", io]
    done = smtpproto("send", *options, message_file, timeout=20)
    assert done.returncode == 2
    assert done.stderr.startswith(f"not sent: no connection to {full.replace(':', ' port ')}: ")


@contextlib.contextmanager
def deaf(greeting: bytes) -> Iterator[int]:
    """Something that says one thing and then nothing."""
    with socket.create_server((HOST, 0)) as listener:

        def answer() -> None:
            link, _ = listener.accept()
            with link:
                link.sendall(greeting)
                while link.recv(4096):
                    pass

        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(20)


# --- messages -------------------------------------------------------------------------------------

BROKEN = [
    (b"", "the message has no Sender or From field"),
    (b"\n\nbody only\n", "the message has no Sender or From field"),
    (
        b"From: a@b.example\n\nx\n",
        "the message names no recipient in To, Cc and Bcc: give --to ADDR",
    ),
    (b"From: a b\nTo: c@d.example\n\nx\n", "not sent: "),
    (b"\0\xff\xfe" * 1000, "a line that is no field"),
    (b"From: a@b.example\nTo: c@d.example; e@d.example\n\nx\n", "To: expected ','"),
    (b"From: a@b.example\nTo: c@d.example\nCc : e@d.example\n\nx\n", "a line that is no field"),
    (b"X: " + b"y" * (1 << 20) + b"\n\nbody\n", "more than a MiB"),
]


@pytest.mark.parametrize("content, complaint", BROKEN, ids=range(len(BROKEN)))
def test_a_file_that_is_no_message(
    content: bytes,
    complaint: str,
    sink: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "message"
    path.write_bytes(content)
    assert main(["send", "--server", sink, str(path)]) == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    "content, problem",
    [
        (
            MESSAGE.replace(b"Subject:", b"Message-ID: <\xc3\xa4@x>\nSubject:"),
            "not sent: the message has characters in 'Message-ID' that are not ASCII",
        ),
        (
            MESSAGE.replace(b"eve@", b"\xc3\xa4@"),
            "not sent: the message has a local-part in From that is not ASCII",
        ),
        (
            MESSAGE + b"x" * 70_000 + b"\ngr\xc3\xbc\xc3\x9fe\n",
            "failed    <alice@example.com>  the message has octets",
        ),
    ],
)
@KINDS
def test_what_the_server_cannot_take(mails: Inbox, io: str, content: bytes, problem: str) -> None:
    with sync.serve(
        mails, hostname="mx.example", received=False, extensions=[Pipelining()]
    ) as running:
        address = f"{HOST}:{running.port}"
        done = smtpproto("send", "--server", address, "--io", io, "-", stdin=content)
    assert done.returncode == 2
    assert done.stderr.startswith(problem)
    assert not mails.mails


@KINDS
def test_a_header_that_encoded_words_can_carry(mails: Inbox, io: str) -> None:
    header = "From: Jürgen <eve@example.org>\nBcc: b@example.com\nSubject: grüße\nX: as  it is\n"
    with sync.serve(
        mails, hostname="mx.example", received=False, extensions=[Pipelining()]
    ) as running:
        options = ["--server", f"{HOST}:{running.port}", "--io", io]
        done = smtpproto("send", *options, "-", stdin=f"{header}\nbody\n".encode())
    assert (done.returncode, done.stderr) == (0, "")
    ((_, content),) = mails.mails
    assert content == (
        b"From: =?utf-8?b?SsO8cmdlbg==?= <eve@example.org>\r\n"
        b"Subject: =?utf-8?b?Z3LDvMOfZQ==?=\r\nX: as  it is\r\n\r\nbody\r\n"
    )


def test_addresses_of_the_command_line_come_first(
    sink: str, mails: Inbox, message_file: str
) -> None:
    options = ["--server", sink, "--name", "me.example.net"]
    assert main(["send", *options, "--from", "", "--to", "bob@example.com", message_file]) == 0
    ((envelope, _),) = mails.mails
    assert str(envelope.reverse_path) == "<>"
    assert [str(path) for path in envelope.forward_paths] == ["<bob@example.com>"]


@pytest.mark.parametrize("arguments", [["--to", "no one"], ["--from", "a@b@c"], ["--name", "a b"]])
def test_an_address_that_is_none(
    arguments: list[str],
    sink: str,
    mails: Inbox,
    message_file: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["send", "--server", sink, *arguments, message_file]) == 2
    assert capsys.readouterr().err.startswith("not sent: ")
    assert mails.mails == []


def test_bcc_is_a_recipient_and_not_told(sink: str, mails: Inbox, tmp_path: Path) -> None:
    path = tmp_path / "message"
    path.write_bytes(
        b"From: a@b.example\r\nBCC: Sec Ret <secret@example.com>,\r\n\tother@example.com\r\n"
        b"To: alice@example.com\r\n\r\nx"
    )
    assert main(["send", "--server", sink, str(path)]) == 0
    ((envelope, content),) = mails.mails
    assert len(envelope.recipients) == 3
    assert content == b"From: a@b.example\r\nTo: alice@example.com\r\n\r\nx\r\n"


def test_a_transcript(sink: str, message_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["send", "--server", sink, "--transcript", message_file]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "S: 220 mx.example ESMTP"
    assert "C: Subject: hello" in lines
    assert "C: .." in lines
    assert lines[-2] == "C: QUIT"


def test_lmtp_has_an_outcome_for_each(
    message_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    class Each(Inbox):
        def message(self, session: Session, envelope: Envelope, content: bytes) -> list[Reply]:  # type: ignore[override]
            return [Reply(250), Reply(452, "4.2.2", "over quota")]

    with sync.serve(Each(), protocol=Protocol.LMTP) as running:
        options = ["--server", f"{HOST}:{running.port}", "--lmtp"]
        assert (
            main(["send", *options, "--to", "a@b.example", "--to", "c@b.example", message_file])
            == 1
        )
    assert "refused   <c@b.example>  452 4.2.2 over quota" in capsys.readouterr().err


# --- TLS and passwords ----------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_tls_and_login(tls: str, io: str, message_file: str, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("hunter2\n", encoding="ascii")
    options = ["--self-signed", "--tls", tls, "--user", "ann:hunter2", "--require-auth"]
    with serve("--discard", *options) as server:
        base = ["send", "--server", server.server, "--tls", tls, "--io", io, "--transcript"]
        known = [*base, "--ca", server.authority, "--user", "ann"]
        done = smtpproto(*known, "--password-file", str(password), message_file)
        assert done.returncode == 0, done.stderr
        assert "hunter2" not in done.stderr
        assert "C: AUTH " in done.stderr
        assert smtpproto(*known, message_file, SMTP_PASSWORD="hunter2").returncode == 0
        done = smtpproto(*known, message_file, SMTP_PASSWORD="hunter3")
        assert done.returncode == 2
        assert "the server refused the login" in done.stderr
        assert "hunter" not in done.stderr
        # Whom nobody vouches for gets nothing.
        done = smtpproto(*base, "--user", "ann", message_file, SMTP_PASSWORD="hunter2")
        assert done.returncode == 2
        assert "authority that is not trusted" in done.stderr
        assert "C: AUTH" not in done.stderr
        assert server.stop() == 0


def test_no_password_without_tls(message_file: str) -> None:
    with serve("--discard", "--user", "ann:hunter2") as server:
        options = ["send", "--server", server.server, "--user", "ann", "--transcript"]
        done = smtpproto(*options, message_file, SMTP_PASSWORD="hunter2")
        assert done.returncode == 2
        assert "does not offer STARTTLS" in done.stderr
        # A mechanism that gives nothing away may be used.
        done = smtpproto(*options, "--tls", "none", message_file, SMTP_PASSWORD="hunter2")
        assert done.returncode == 0, done.stderr
        assert "C: AUTH SCRAM-SHA-256 " in done.stderr


def test_no_password_and_nobody_to_ask(message_file: str) -> None:
    done = smtpproto("send", "--user", "ann", message_file)
    assert done.returncode == 2
    assert "give --password-file FILE or set SMTP_PASSWORD" in done.stderr


def test_the_password_is_asked_for(message_file: str) -> None:
    with serve("--discard", "--user", "ann:hunter2", "--require-auth") as server:
        arguments = [
            "send",
            "--server",
            server.server,
            "--user",
            "ann",
            "--tls",
            "none",
            message_file,
        ]
        pid, terminal = start_on_a_terminal(sys.executable, "-m", "smtpproto", *arguments)
        shown = b""
        while not shown.endswith(b"Password of ann: "):
            shown += os.read(terminal, 1000)
        os.write(terminal, b"hunter2\n")
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(OSError):
            shown += os.read(terminal, 1000)
        os.close(terminal)
        assert os.waitstatus_to_exitcode(status) == 0, shown
        assert b"hunter2" not in shown


def test_a_user_that_cannot_be(
    message_file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "hunter2")
    assert main(["send", "--user", "x" * 2000, message_file]) == 2
    error = capsys.readouterr().err
    assert "--user: username: expected at most" in error
    assert "hunter2" not in error
