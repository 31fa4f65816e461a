"""Faults on demand."""

from __future__ import annotations

import argparse
import smtplib

import pytest

from smtpproto.cli import main
from smtpproto.cli.common import CannotRun
from smtpproto.cli.serve_faults import add_faults, faults
from tests.programs import HOST, MESSAGE, Serve, serve

CRLF = MESSAGE.replace(b"\n", b"\r\n")
ALICE, BOB = "alice@example.com", "bob@example.com"
FAULTS = [
    *("--fail", "rcpt bob@*: 550 5.1.1 no such user", "--fail", "content carol@*: 452 4.2.2 full"),
    *("--fail", "mail drop@*: drop", "--fail", "data late@*: 421 4.3.2 later"),
    *("--fail", "helo: 504 5.5.1 EHLO only", "--delay", "rcpt slow@*: 0.2"),
]


def client(server: Serve) -> smtplib.SMTP:
    return smtplib.SMTP(HOST, server.port, "client.example", timeout=20)


def test_replies_on_demand() -> None:
    with serve(*FAULTS) as server:
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


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--fail", "rcpt bob@*"], "expected 'STEP: ...' or 'STEP PATTERN: ...'"),
        (["--fail", "vrfy: 550"], "with a step of connect, ehlo"),
        (["--fail", "rcpt: 250 OK"], "expected a reply such as"),
        (["--fail", "rcpt: 550 4.1.1 no"], "is no enhanced status code for 550"),
        (["--delay", "rcpt: soon"], "--delay 'rcpt: soon': expected seconds, found 'soon'"),
        (["--delay", "x"], "--delay 'x': expected seconds"),
        (["--fail", "rcpt: 550", "--io", "trio"], "--fail and --delay need --io sync"),
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
