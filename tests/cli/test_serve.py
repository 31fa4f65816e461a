"""`serve` as real processes; stdlib's smtplib and plain sockets are the clients."""

from __future__ import annotations

import json
import mailbox
import os
import re
import signal
import smtplib
import socket
import ssl
import sys
from pathlib import Path

import pytest

from smtpproto.cli.common import IO
from tests.cli.certificates import Files, throw_away
from tests.programs import HOST, MESSAGE, Serve, serve, smtpproto, start_on_a_terminal, until

KINDS = pytest.mark.parametrize("io", IO)
SENDER, ALICE = "eve@example.org", "alice@example.com"
CRLF = MESSAGE.replace(b"\n", b"\r\n")


def submit(server: Serve, content: bytes = CRLF, *recipients: str) -> None:
    with smtplib.SMTP(HOST, server.port, "client.example", timeout=20) as client:
        client.sendmail(SENDER, recipients or (ALICE,), content)


def say(link: socket.socket, *lines: bytes) -> bytes:
    """Send lines one by one; the last reply."""
    reply = b""
    for line in lines:
        link.sendall(line + b"\r\n")
        reply = hear(link)
    return reply


def hear(link: socket.socket) -> bytes:
    """One whole reply, or what came before the end."""
    octets = b""
    while not (octets.endswith(b"\n") and octets.splitlines()[-1][3:4] == b" "):
        received = receive(link)
        if not received:
            break
        octets += received
    return octets


def receive(link: socket.socket) -> bytes:
    try:
        return link.recv(4096)
    except ConnectionResetError:
        # So it closed with something unread.
        return b""


# --- where it listens -----------------------------------------------------------------------------


@KINDS
def test_a_unix_socket(io: str, tmp_path: Path) -> None:
    path, maildir = tmp_path / "socket", tmp_path / "mail"
    with serve("--maildir", str(maildir), "--io", io, listen=["--unix", str(path)]) as server:
        assert server.stdout == f"listening on {path}\n"
        done = smtpproto("send", "--unix", str(path), "-", stdin=MESSAGE)
        assert (done.returncode, done.stderr) == (0, "")
        assert server.stop() == 0
    assert not path.exists()
    assert len(list((maildir / "new").iterdir())) == 1


# What a service manager does: it opens the socket, and passes it on as file 3.
MANAGER = """if True:
    import os, socket, sys
    listener = socket.create_server(("127.0.0.1", 0), backlog=5)
    os.dup2(listener.fileno(), 3)
    os.set_inheritable(3, True)
    os.environ["LISTEN_FDS"] = "1"
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize("workers", [[], ["--workers", "2"]])
def test_socket_activation(workers: list[str]) -> None:
    before = [sys.executable, "-c", MANAGER]
    with serve("--print", *workers, listen=[], before=before) as server:
        submit(server)
        until(lambda: "Subject: hello" in server.stdout, 10, "the message")
        assert server.stop() == 0
        assert server.stderr == ""


def test_socket_activation_leaves_nothing_to_say() -> None:
    before = [sys.executable, "-c", MANAGER]
    complaint = r"sockets were passed .*: leave out --listen"
    with pytest.raises(RuntimeError, match=complaint), serve(before=before):
        pass


# --- what becomes of messages ---------------------------------------------------------------------


@KINDS
def test_maildir(io: str, tmp_path: Path) -> None:
    with serve("--maildir", str(tmp_path), "--io", io, "--hostname", "mx.example") as server:
        submit(server)
        (path,) = (tmp_path / "new").iterdir()
        assert server.stop() == 0
    stored = path.read_bytes()
    head = rb"Return-Path: <eve@example.org>\nReceived: from client.example \(\[127.0.0.1\]\)\n"
    head += rb"\tby mx.example with ESMTP id [^\n]+\n\tfor <alice@example.com>;\n\t[^\n]+\n"
    assert re.fullmatch(head + re.escape(MESSAGE), stored)


@KINDS
def test_mbox(io: str, tmp_path: Path) -> None:
    file = tmp_path / "mbox"
    with serve("--mbox", str(file), "--io", io) as server:
        submit(server)
        submit(server)
        assert server.stop() == 0
    box = mailbox.mbox(file, create=False)
    assert [message["Subject"] for message in box] == ["hello", "hello"]
    box.close()


@KINDS
def test_print(io: str) -> None:
    with serve("--print", "--io", io) as server:
        submit(server, CRLF, ALICE, "bob@example.com")
        assert server.stop() == 0
        _, rest = server.stdout.split("\n", 1)
        head = "---- from <eve@example.org> to <alice@example.com>, <bob@example.com>\n"
        assert rest.startswith(f"{head}Received: from client.example ")
        assert rest.endswith(MESSAGE.decode())


def test_what_is_printed_is_not_obeyed_by_a_terminal() -> None:
    """Controls of C0 and C1, and what turns the direction of writing round."""
    bad = (
        "Subject: \x1b]0;title\x07\x1b[2J\r\n\r\n\ttab\x9b31m\u202e jürgen\r\n".encode()
        + b"\x9b\r\n"
    )
    with serve("--print") as server:
        submit(server, bad)
        assert server.stop() == 0
        printed = server.stdout
    assert r"Subject: \x1b]0;title\x07\x1b[2J" in printed
    assert "\ttab\\x9b31m\\x202e jürgen\n\\x9b\n" in printed
    assert printed.replace("\n", "").replace("\t", "").isprintable()


@KINDS
def test_discard(io: str) -> None:
    with serve("--discard", "--io", io) as server:
        submit(server)
        assert server.stop() == 0
        assert len(server.stdout.splitlines()) == 1


def test_a_disk_that_fails_is_451(tmp_path: Path) -> None:
    with serve("--maildir", str(tmp_path)) as server:
        (tmp_path / "tmp").rmdir()
        with pytest.raises(smtplib.SMTPDataError, match="local error in processing"):
            submit(server)
        assert "ERROR: a handler failed" in server.stderr
        (tmp_path / "tmp").mkdir()
        submit(server)
        assert server.stop() == 0


# --- what is spoken -------------------------------------------------------------------------------


def test_size() -> None:
    with serve("--discard", "--size", "1000") as server:
        with pytest.raises(smtplib.SMTPSenderRefused, match="552"):
            submit(server, CRLF + b"x" * 1000)
        submit(server)


@KINDS
def test_lmtp(io: str) -> None:
    with serve("--discard", "--lmtp", "--io", io) as server, server.connect() as link:
        hear(link)
        assert say(link, b"EHLO me.example").startswith(b"500 ")
        assert say(link, b"LHLO me.example").startswith(b"250-")
        say(link, b"MAIL FROM:<>", b"RCPT TO:<a@b.example>", b"RCPT TO:<c@b.example>", b"DATA")
        link.sendall(b"x\r\n.\r\n")
        replies = hear(link)
        replies += hear(link) if replies.count(b"\n") == 1 else b""
        assert [line[:3] for line in replies.splitlines()] == [b"250", b"250"]
        done = smtpproto("send", "--lmtp", "--server", server.server, "-", stdin=MESSAGE)
        assert (done.returncode, done.stderr) == (0, "")


def test_strict_and_lenient() -> None:
    bare = b"Subject: x\r\n\r\none\ntwo\r\n"
    with serve("--print") as server, server.connect() as link:
        hear(link)
        assert say(link, b"HELO me", b"MAIL FROM: <>").startswith(b"501 ")
        say(link, b"MAIL FROM:<>", b"RCPT TO:<a@b.example>", b"DATA")
        assert say(link, bare + b".").startswith(b"5")
    with serve("--print", "--lenient") as server, server.connect() as link:
        hear(link)
        say(link, b"HELO me", b"MAIL FROM: <>", b"RCPT TO:a@b.example", b"DATA")
        assert say(link, bare + b".").startswith(b"250")
        assert "one\ntwo\n" in server.stdout


@KINDS
def test_the_proxy_protocol(io: str) -> None:
    options = ["--proxy-protocol", "127.0.0.0/8", "--transcript", "--discard", "--io", io]
    with serve(*options) as server:
        with server.connect() as link:
            link.sendall(b"PROXY TCP4 192.0.2.9 192.0.2.1 40000 25\r\n")
            assert hear(link).startswith(b"220 ")
        with server.connect() as link:
            # Who is trusted has to say for whom it speaks.
            link.sendall(b"EHLO me.example\r\n")
            assert hear(link) == b""
        assert server.stop() == 0


@KINDS
def test_a_transcript_without_secrets(io: str) -> None:
    with serve("--transcript", "--discard", "--io", io, "--user", "ann:hunter2") as server:
        with smtplib.SMTP(HOST, server.port, "client.example", timeout=20) as client:
            client.ehlo()
            client.docmd("AUTH", "PLAIN AGFubgBodW50ZXIy")
            client.docmd("hunter2")
            client.sendmail(SENDER, [ALICE], CRLF)
        assert server.stop() == 0
        shown = server.stderr.splitlines()
    assert shown[0].startswith("1 S: 220 ")
    assert f"1 C: MAIL FROM:<eve@example.org> SIZE={len(CRLF)}" in shown
    assert "1 C: Subject: hello" in shown
    assert "hunter2" not in "".join(shown).replace("AGFubgBodW50ZXIy", "hunter2")


# --- TLS and authentication -----------------------------------------------------------------------


def context(files: Files) -> ssl.SSLContext:
    trusting = ssl.create_default_context(cafile=str(files.authority))
    trusting.check_hostname = True
    return trusting


@KINDS
def test_starttls_with_a_certificate_that_is_renewed(io: str) -> None:
    with throw_away("localhost") as files, throw_away("localhost") as renewed:
        pair = ["--cert", str(files.certificate), "--key", str(files.key)]
        with serve("--discard", "--require-tls", "--io", io, *pair) as server:

            def session(trusting: ssl.SSLContext) -> None:
                with smtplib.SMTP("localhost", server.port, "me.example", timeout=20) as client:
                    assert client.docmd("MAIL", "FROM:<>")[0] == 530
                    client.ehlo()
                    assert client.docmd("MAIL", "FROM:<>")[0] == 530
                    client.starttls(context=trusting)
                    client.sendmail(SENDER, [ALICE], CRLF)

            session(context(files))
            for old, new in zip(files, renewed, strict=True):
                old.write_bytes(new.read_bytes())
            server.send_signal(signal.SIGHUP)
            session(context(renewed))
            assert server.stop() == 0


@pytest.mark.parametrize("more", [*(["--io", io] for io in IO), ["--workers", "2"]])
def test_a_closed_terminal_ends_the_server(more: list[str]) -> None:
    command = [sys.executable, "-m", "smtpproto", "serve", "--listen", "0", *more]
    pid, terminal = start_on_a_terminal(*command)
    shown = b""
    while b"listening on" not in shown:
        shown += os.read(terminal, 4096)
    os.close(terminal)
    ended, status = until(
        lambda: found if (found := os.waitpid(pid, os.WNOHANG))[0] else None, 40, "its end"
    )
    assert (ended, os.waitstatus_to_exitcode(status)) == (pid, 0)


@KINDS
def test_implicit_tls_with_a_throw_away_certificate(io: str, tmp_path: Path) -> None:
    options = ["--self-signed", "--tls", "implicit", "--discard", "--io", io]
    with serve(*options, TMPDIR=str(tmp_path)) as server:
        authority = server.authority
        trusting = ssl.create_default_context(cafile=authority)
        with smtplib.SMTP_SSL(
            HOST, server.port, "me.example", timeout=20, context=trusting
        ) as link:
            link.sendmail(SENDER, [ALICE], CRLF)
        assert server.stop() == 0
    assert not Path(authority).exists()


@KINDS
def test_authentication(io: str) -> None:
    with serve("--self-signed", "--user", "ann:secret", "--require-auth", "--io", io) as server:
        with smtplib.SMTP(HOST, server.port, "me.example", timeout=20) as client:
            client.ehlo()
            offered = client.esmtp_features["auth"].split()
            assert "PLAIN" not in offered
            assert client.docmd("MAIL", "FROM:<>")[0] == 530
            trust = ssl.create_default_context(cafile=server.authority)
            client.starttls(context=trust)
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("ann", "wrong")
            client.login("ann", "secret")
            client.sendmail(SENDER, [ALICE], CRLF)
        assert server.stop() == 0


# --- the end --------------------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("workers", [[], ["--workers", "2"]])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_running_transaction_finishes(
    number: int, workers: list[str], io: str, tmp_path: Path
) -> None:
    options = ["--maildir", str(tmp_path), "--io", io, *workers]
    with serve(*options) as server, server.connect() as busy, server.connect() as idle:
        hear(idle)
        hear(busy)
        say(busy, b"EHLO me.example", b"MAIL FROM:<>", b"RCPT TO:<a@b.example>", b"DATA")
        busy.sendall(b"Subject: half\r\n\r\n")
        server.send_signal(number)
        assert hear(idle).startswith(b"421 4.3.2 ")
        assert idle.recv(1) == b""
        assert not list((tmp_path / "new").iterdir())
        with pytest.raises(OSError, match="refused"):
            until(lambda: server.connect().close(), 10, "no one listens")
        replies = say(busy, b"the other half\r\n.")
        while received := receive(busy):
            replies += received
        assert [line[:4] for line in replies.splitlines()] == [b"250 ", b"421 "]
        assert server.process.wait(20) == 0
    (path,) = (tmp_path / "new").iterdir()
    assert path.read_bytes().endswith(b"Subject: half\n\nthe other half\n")


@KINDS
@pytest.mark.parametrize("workers", [[], ["--workers", "2"]])
def test_a_transaction_that_takes_too_long_is_cut(
    workers: list[str], io: str, tmp_path: Path
) -> None:
    options = ["--maildir", str(tmp_path), "--grace", "0.3", "--io", io, *workers]
    with serve(*options) as server, server.connect() as link:
        hear(link)
        say(link, b"EHLO me.example", b"MAIL FROM:<>", b"RCPT TO:<a@b.example>", b"DATA")
        link.sendall(b"Subject: half\r\n\r\n")
        assert server.stop(timeout=20) == 0
    assert not list((tmp_path / "new").iterdir())


@KINDS
@pytest.mark.parametrize("workers", [[], ["--workers", "2"]])
def test_who_asks_twice_does_not_wait(workers: list[str], io: str, tmp_path: Path) -> None:
    options = ["--maildir", str(tmp_path), "--io", io, *workers]
    with serve(*options) as server, server.connect() as link, server.connect() as idle:
        hear(idle)
        hear(link)
        say(link, b"EHLO me.example", b"MAIL FROM:<>", b"RCPT TO:<a@b.example>", b"DATA")
        server.send_signal(signal.SIGTERM)
        assert hear(idle).startswith(b"421 ")
        server.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == (0 if workers else 1)
    assert not list((tmp_path / "new").iterdir())


def test_nothing_is_left_open(tmp_path: Path) -> None:
    """A session more or less makes no difference to the files that are open."""
    with serve("--maildir", str(tmp_path)) as server:
        folder = Path(f"/proc/{server.process.pid}/fd")
        submit(server)
        before = len(list(folder.iterdir()))
        for _ in range(5):
            submit(server)
        until(lambda: len(list(folder.iterdir())) <= before, 5, f"{before} open files")


# --- a development inbox ------------------------------------------------------------------------


@KINDS
def test_a_line_for_each_message(io: str) -> None:
    five = [f"{number}@b.example" for number in range(5)]
    with serve("--io", io) as server:
        submit(server)
        submit(server, "Subject: Grüße\r\n aus\x1b Wien\r\n\r\nx".encode(), *five)
        assert server.stop() == 0
        first, second = server.stdout.splitlines()[1:]
    what = r"127\.0\.0\.1  <eve@example\.org> -> <alice@example\.com>  hello  \d+ octets"
    assert re.fullmatch(rf"\d\d:\d\d:\d\d  {what}", first)
    assert (
        "-> <0@b.example>, <1@b.example>, <2@b.example> and 2 more  Grüße aus\\x1b Wien  " in second
    )


def test_json_for_each_message() -> None:
    with serve("--json", "--print") as server:
        submit(server)
        assert server.stop() == 0
        found = json.loads(server.stdout.splitlines()[1])
    assert (found["peer"], found["from"], found["to"]) == (HOST, f"<{SENDER}>", [f"<{ALICE}>"])
    assert (found["subject"], found["tls"], found["user"]) == ("hello", None, None)
    assert found["content"].startswith("Received: from client.example ")
    assert found["content"].endswith(MESSAGE.decode().replace("\n", "\r\n"))


@KINDS
def test_it_ends_after_so_many_messages(io: str) -> None:
    with serve("--count", "2", "--io", io) as server:
        client = smtplib.SMTP(HOST, server.port, "client.example", timeout=20)
        client.sendmail(SENDER, [ALICE], CRLF)
        client.sendmail(SENDER, [ALICE], CRLF)
        # QUIT may come after the 421 that tells of the end.
        client.close()
        assert server.process.wait(20) == 0
        assert len(server.stdout.splitlines()) == 3


def test_quiet(tmp_path: Path) -> None:
    with serve("--quiet", "--maildir", str(tmp_path)) as server:
        submit(server)
        assert server.stop() == 0
        assert len(server.stdout.splitlines()) == 1
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_a_subject_that_the_output_cannot_show() -> None:
    with serve(PYTHONIOENCODING="ascii") as server:
        submit(server, "Subject: Grüße\r\n\r\nx\r\n".encode())
        assert server.stop() == 0
        assert "  Gr\\xfc\\xdfe  " in server.stdout


def test_a_port_alone_is_on_loopback() -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
    with serve(listen=["--listen", str(port)]) as server:
        assert server.stdout == f"listening on {HOST}:{port}\n"


def test_everything_is_offered() -> None:
    with serve("--offer", "all", "--size", "10M") as server:
        with smtplib.SMTP(HOST, server.port, "client.example", timeout=20) as client:
            client.ehlo()
            offered = set(client.esmtp_features)
            assert client.esmtp_features["size"] == str(10 * 1024 * 1024)
        with smtplib.SMTP(HOST, server.port, "client.example", timeout=20) as client:
            options = ["NOTIFY=SUCCESS", "ORCPT=rfc822;x@example.com"]
            client.sendmail(SENDER, [ALICE], CRLF, ["RET=HDRS"], options)
    assert {"dsn", "binarymime", "mt-priority", "deliverby", "8bitmime"} <= offered
    with (
        serve("--offer", "dsn,size") as server,
        smtplib.SMTP(HOST, server.port, "client.example", timeout=20) as client,
    ):
        client.ehlo()
        assert set(client.esmtp_features) == {"dsn", "size"}


def test_early_talkers_are_refused() -> None:
    with serve("--refuse-early-talkers", "--delay", "connect: 0.3") as server:
        with server.connect() as link:
            link.sendall(b"EHLO me\r\n")
            assert hear(link).startswith(b"554 ")
        with server.connect() as link:
            assert hear(link).startswith(b"220 ")
