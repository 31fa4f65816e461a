"""Faults on demand."""

from __future__ import annotations

import argparse
import smtplib

import pytest

from smtpproto.cli import main
from smtpproto.cli.common import IO, CannotRun
from smtpproto.cli.serve_faults import add_faults, faults
from tests.programs import HOST, MESSAGE, Serve, serve, smtpproto

CRLF = MESSAGE.replace(b"\n", b"\r\n")
KINDS = pytest.mark.parametrize("io", IO)
ALICE, BOB = "alice@example.com", "bob@example.com"
FAULTS = [
    *("--fail", "rcpt bob@*: 550 5.1.1 no such user", "--fail", "content carol@*: 452 4.2.2 full"),
    *("--fail", "mail drop@*: drop", "--fail", "data late@*: 421 4.3.2 later"),
    *("--fail", "helo: 504 5.5.1 EHLO only", "--delay", "rcpt slow@*: 0.2"),
]


def client(server: Serve) -> smtplib.SMTP:
    return smtplib.SMTP(HOST, server.port, "client.example", timeout=20)


@KINDS
def test_replies_on_demand(io: str) -> None:
    with serve(*FAULTS, "--io", io) as server:
        with client(server) as session:
            found = session.sendmail("a@b.example", [ALICE, BOB, "slow@example.com"], CRLF)
            assert found == {BOB: (550, b"5.1.1 no such user")}
            with pytest.raises(smtplib.SMTPDataError, match=r"452.*4\.2\.2 full"):
                session.sendmail("a@b.example", ["Carol@example.com"], CRLF)
            assert session.docmd("HELO", "me")[0] == 504
            with pytest.raises(smtplib.SMTPDataError, match="421"):
                session.sendmail("a@b.example", ["late@example.com"], CRLF)
        with client(server) as session, pytest.raises(smtplib.SMTPServerDisconnected):
            session.sendmail("drop@b.example", [ALICE], CRLF)
        # Others are served as usual.
        with client(server) as session:
            session.sendmail("a@b.example", [ALICE], CRLF)
        assert server.stop() == 0
        assert len(server.stdout.splitlines()) == 3


@KINDS
def test_a_connection_that_breaks_after_the_content_loses_no_message(io: str) -> None:
    with serve("--fail", "content: drop", "--io", io) as server:
        with client(server) as session, pytest.raises(smtplib.SMTPServerDisconnected):
            session.sendmail("a@b.example", [ALICE], CRLF)
        assert server.stop() == 0
        assert server.stdout.count(f"<{ALICE}>") == 1


@KINDS
@pytest.mark.parametrize("step", ["connect", "data"])
def test_a_drop_is_no_failure_of_the_server(io: str, step: str) -> None:
    with serve("--fail", f"{step}: drop", "--json", "--io", io) as server:
        with pytest.raises(smtplib.SMTPServerDisconnected), client(server) as session:
            session.sendmail("a@b.example", [ALICE], CRLF)
        assert server.stop() == 0
        assert server.stderr == ""


def test_on_lmtp_each_recipient_has_its_own_fault() -> None:
    with serve("--lmtp", "--fail", "content bob@*: 452 4.2.2 full") as server:
        recipients = [word for address in (ALICE, BOB) for word in ("--to", address)]
        sending = ["send", "--lmtp", "--server", server.server, *recipients, "-"]
        done = smtpproto(*sending, stdin=MESSAGE)
        assert f"accepted  <{ALICE}>" in done.stdout
        assert f"refused   <{BOB}>  452 4.2.2 full" in done.stderr
        assert server.stop() == 0
        # The message was taken for one of the two.
        assert f"-> <{ALICE}>  " in server.stdout


@KINDS
def test_a_delay_keeps_neither_others_nor_the_end_waiting(io: str) -> None:
    options = ["--delay", "mail slow@*: 600", "--grace", "0.1", "--io", io]
    with serve(*options) as server, server.connect() as slow:
        slow.sendall(b"EHLO me.example\r\n")
        while b"250 " not in slow.recv(4096):
            pass
        slow.sendall(b"MAIL FROM:<slow@b.example>\r\n")
        with client(server) as session:
            session.sendmail("a@b.example", [ALICE], CRLF)
        assert server.stop(timeout=20) == 0


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--fail", "rcpt bob@*"], "expected 'STEP: ...' or 'STEP PATTERN: ...'"),
        (["--fail", "vrfy: 550"], "with a step of connect, ehlo"),
        (["--fail", "rcpt: 250 OK"], "expected a reply such as"),
        (["--fail", "rcpt: 550 4.1.1 no"], "is no enhanced status code for 550"),
        (["--delay", "rcpt: soon"], "--delay 'rcpt: soon': expected seconds, found 'soon'"),
        (["--delay", "connect"], "found 'connect'; a rule is SECONDS, 'STEP: SECONDS' or"),
        (["--count", "1", "--workers", "2"], "--count and --workers exclude each other"),
        (["--offer", "nonsense"], "--offer NONSENSE: expected all, none, or names of "),
    ],
)
def test_rules_that_are_none(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--listen", "0", *arguments]) == 2
    assert complaint in capsys.readouterr().err


def test_seconds_alone_delay_each_step() -> None:
    parser = argparse.ArgumentParser()
    add_faults(parser)
    rules = faults(parser.parse_args(["--delay", "0.5"]))
    assert rules is not None
    assert rules.at("mail", "x").seconds == rules.at("content", "y").seconds == 0.5
    assert faults(parser.parse_args([])) is None
    with pytest.raises(CannotRun):
        faults(parser.parse_args(["--fail", ""]))
