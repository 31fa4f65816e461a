"""Between a client and a server, with and without TLS."""

from __future__ import annotations

import contextlib
import json
import re
import smtplib
import socket
import ssl
import threading
from pathlib import Path

import pytest

from smtpproto.cli import main
from smtpproto.cli.dialogue import Kind, Piece
from smtpproto.cli.proxy_session import script_line
from smtpproto.cli.script import parse_script
from tests.cli.inboxes import Inbox
from tests.programs import HOST, MESSAGE, Serve, serve, smtpproto, until

CRLF = MESSAGE.replace(b"\n", b"\r\n")


def client(server: Serve) -> smtplib.SMTP:
    return smtplib.SMTP(HOST, server.port, "client.example", timeout=20)


def test_what_both_sides_say_is_shown_and_passes(sink: str, mails: Inbox) -> None:
    with serve("--server", sink, "--content", "3", "--count", "1", verb="proxy") as running:
        with client(running) as session:
            refused = session.sendmail(
                "eve@example.org", ["alice@example.com", "nobody@example.com"], CRLF
            )
        assert list(refused) == ["nobody@example.com"]
        assert running.process.wait(20) == 0
        lines = running.stdout.splitlines()[1:]
    assert mails.contents == [CRLF]
    assert lines[:2] == ["1 S: 220 mx.example ESMTP", "1 C: ehlo client.example"]
    assert "1 S: 550 5.1.1 no such mailbox here" in lines
    content = lines.index("1 C: From: eve@example.org")
    assert lines[content + 3 : content + 5] == ["1 C: ... 4 more lines ...", "1 C: ."]
    assert lines[-1] == "1 # the connection is closed"


def test_starttls_is_shown_where_there_is_a_certificate(tmp_path: Path) -> None:
    with (
        serve("--self-signed", "--user", "ann:hunter2", "--print") as server,
        serve(
            *("--server", server.server, "--self-signed", "--save", str(tmp_path)), verb="proxy"
        ) as running,
    ):
        with client(running) as session:
            session.starttls(context=ssl.create_default_context(cafile=running.authority))
            session.login("ann", "hunter2")
            session.sendmail("eve@example.org", ["alice@example.com"], CRLF)
        assert running.stop() == 0
        shown = running.stdout
        assert "  hello  " not in server.stdout
        assert "Subject: hello" in server.stdout
    assert "1 # TLS with the server: TLSv1.3, " in shown
    assert "1 C: AUTH PLAIN (response)\n" in shown
    assert "1 c: mail from:<eve@example.org>" in shown.lower()
    saved = (tmp_path / "1.txt").read_text(encoding="utf-8")
    assert "C: Subject: hello\n" in saved
    assert "hunter2" not in shown + saved
    assert "AGFubgBodW50ZXIy" not in shown + saved


def test_tls_passes_unread_without_a_certificate() -> None:
    with (
        serve("--self-signed") as server,
        serve("--server", server.server, verb="proxy") as running,
    ):
        with client(running) as session:
            session.starttls(context=ssl.create_default_context(cafile=server.authority))
            session.sendmail("eve@example.org", ["alice@example.com"], CRLF)
        assert running.stop() == 0
        assert "  hello  " in server.stdout
        shown = running.stdout
    assert "1 # TLS begins; the proxy cannot show what is inside (see --self-signed)" in shown
    assert " octets passed within TLS" in shown
    assert "FROM" not in shown


def test_tls_from_the_start(tmp_path: Path) -> None:
    with (
        serve("--self-signed", "--tls", "implicit") as server,
        serve(
            "--server", server.server, "--self-signed", "--implicit", "--json", verb="proxy"
        ) as running,
    ):
        context = ssl.create_default_context(cafile=running.authority)
        with smtplib.SMTP_SSL(
            HOST, running.port, "client.example", timeout=20, context=context
        ) as session:
            session.noop()
        assert running.stop() == 0
        found = [json.loads(line) for line in running.stdout.splitlines()[1:]]
    assert found[0]["kind"] == "remark"
    assert {"connection": 1, "sender": "C", "kind": "command", "text": "noop"} in found


def test_what_is_saved_can_be_said_again(sink: str, mails: Inbox, tmp_path: Path) -> None:
    message = b"Subject: odd\r\n\r\n.dot\r\nback\\slash \xff\x01\r\n"
    with serve("--server", sink, "--save", str(tmp_path), verb="proxy") as running:
        with client(running) as session:
            session.sendmail("eve@example.org", ["nobody@example.com", "a@b.example"], message)
        assert running.stop() == 0
    saved = str(tmp_path / "1.txt")
    done = smtpproto("talk", sink, "--script", saved, "--match", "class")
    assert (done.returncode, done.stderr) == (0, "")
    assert mails.contents == [message, message]
    text = Path(saved).read_text(encoding="utf-8").replace("S: 550", "S: 250")
    Path(saved).write_text(text, encoding="utf-8")
    done = smtpproto("talk", sink, "--script", saved, "--match", "class")
    assert done.returncode == 1


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_what_was_said_within_tls_can_be_said_again(tls: str, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    implicit = ["--implicit"] if tls == "implicit" else []
    with serve("--self-signed", "--tls", tls) as server:
        between = ["--server", server.server, "--self-signed", "--save", str(saved), *implicit]
        with serve(*between, verb="proxy") as running:
            options = ["--tls", tls, "--ca", running.authority, "-"]
            done = smtpproto("send", "--server", running.server, *options, stdin=MESSAGE)
            assert (done.returncode, done.stderr) == (0, "")
            assert running.stop() == 0
        script = ["--script", str(saved / "1.txt"), "--match", "class", "--ca", server.authority]
        again = ["--tls", "implicit"] if implicit else []
        done = smtpproto("talk", server.server, *script, *again)
        assert (done.returncode, done.stderr) == (0, "")
        assert server.stop() == 0
        assert server.stdout.count("  hello  ") == 2


def test_what_comes_with_the_end_of_a_handshake_is_passed_on_at_once() -> None:
    with (
        serve("--self-signed") as server,
        serve("--server", server.server, "--self-signed", verb="proxy") as running,
        running.connect() as link,
    ):
        for line, end in ((b"", b"220 "), (b"EHLO a\r\n", b"250 "), (b"STARTTLS\r\n", b"220 ")):
            link.sendall(line)
            while end not in link.recv(4096):
                pass
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=running.authority)
        tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        while True:
            link.sendall(outgoing.read())
            incoming.write(link.recv(65536))
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
                break
        # The end of the handshake and a command leave in one segment.
        tls.write(b"EHLO me.example\r\n")
        link.sendall(outgoing.read())
        shown = "S: 250 "
        until(lambda: running.stdout.count(shown) == 2, 20, "a reply within TLS")


def test_pieces_as_lines_of_a_script() -> None:
    for octets in (b"NOOP", b"a\\b", b"\xff\x00", b"gr\xc3\xbc\xc3\x9fe", b"= x", b""):
        (step,) = parse_script([script_line(Piece(Kind.CONTENT, octets))])
        assert step.sends == octets + b"\r\n"
        (step,) = parse_script([script_line(Piece(Kind.CONTENT, octets, ended=False))])
        assert step.sends == octets


def test_a_server_that_is_not_there() -> None:
    with serve("--server", f"{HOST}:1", verb="proxy") as running:
        with running.connect() as link:
            assert link.recv(1) == b""
        assert running.stop() == 0
        assert "1 # no connection to 127.0.0.1:1: Connection refused" in running.stderr


def test_it_listens_on_all_addresses_that_a_port_alone_means(sink: str) -> None:
    with serve("--server", sink, listen=["--listen", ":0"], verb="proxy") as running:
        ports = dict(re.findall(r"^listening on (.*):([0-9]+)$", running.stdout, re.MULTILINE))
        families = {entry[0] for entry in socket.getaddrinfo(None, 0, flags=socket.AI_PASSIVE)}
        assert len(ports) == len(families)
        for host, port in ports.items():
            local = "::1" if host == "[::]" else HOST
            with socket.create_connection((local, int(port)), 20) as link:
                assert link.recv(4) == b"220 "
        assert running.stop() == 0


def test_where_files_are_few_others_wait(sink: str) -> None:
    few = ["sh", "-c", 'ulimit -n 20 && exec "$@"', "sh"]
    with serve("--server", sink, verb="proxy", before=few) as running:
        with contextlib.ExitStack() as stack:
            links = [stack.enter_context(running.connect()) for _ in range(20)]
            assert links[0].recv(4) == b"220 "
            until(lambda: "open files" in running.stderr, 20, "a warning")

        def greeted() -> bool:
            # The proxy may have no room for a connection to the server yet, and hangs up then.
            with running.connect() as link:
                return link.recv(4) == b"220 "

        until(greeted, 20, "a greeting")
        assert running.stop() == 0
        assert "Traceback" not in running.stderr


def test_a_client_for_whom_there_is_no_thread(
    sink: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    def announced(listeners: list[socket.socket]) -> str:
        links.append(socket.create_connection(listeners[0].getsockname(), 20))
        return "listening"

    links: list[socket.socket] = []
    monkeypatch.setattr("smtpproto.cli.proxy.announcement", announced)
    monkeypatch.setattr(threading.Thread, "start", start)
    assert main(["proxy", "--listen", f"{HOST}:0", "--server", sink, "--count", "1"]) == 0
    assert capsys.readouterr().err == "1 # can't start new thread\n"
    with links[0] as link:
        assert link.recv(1) == b""


def test_a_server_that_lets_nobody_in_does_not_hold_the_proxy_up(full: str) -> None:
    with (
        contextlib.ExitStack() as stack,
        serve("--server", full, verb="proxy") as running,
    ):
        links = [stack.enter_context(running.connect()) for _ in range(2)]
        tasks = Path(f"/proc/{running.process.pid}/task")
        until(lambda: len(list(tasks.iterdir())) > len(links), 20, "a thread for each client")
        assert running.stop(timeout=10) == 0


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--implicit"], "--implicit needs --cert FILE or --self-signed"),
        (["--ca", "x"], "--ca needs --cert FILE or --self-signed"),
        (["--cert", "/nowhere"], "--cert /nowhere: No such file"),
    ],
)
def test_options_that_cannot_be_used(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["proxy", "--listen", "0", "--server", f"{HOST}:1", *arguments]) == 2
    assert complaint in capsys.readouterr().err
