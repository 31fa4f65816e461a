from __future__ import annotations

import argparse
import importlib.util

import pytest

from smtpproto import ForwardPath, Reply
from smtpproto.cli.common import (
    CannotRun,
    host_and_port,
    need,
    outcome_line,
    server_address,
    usual_port,
)
from smtpproto.cli.terminal import complain, say
from smtpproto.conversations import Outcome, Status

ALICE = ForwardPath.of("alice@example.com")
ACCEPTED = Outcome(ALICE, Status.ACCEPTED, Reply(250, "2.1.5", "OK"))
UNKNOWN = Outcome(ALICE, Status.UNKNOWN, None, "the link broke")


@pytest.mark.parametrize(
    "text, expected",
    [
        ("mx.example:25", ("mx.example", 25)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:587", ("::1", 587)),
        (":8025", ("", 8025)),
        ("mx.example:65535", ("mx.example", 65535)),
    ],
)
def test_host_and_port(text: str, expected: tuple[str, int]) -> None:
    assert host_and_port(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "mx.example",
        "25",
        "mx.example:",
        "mx.example:x",
        "mx.example:-1",
        "a:65536",
        "::1:25",
        "a:²",
    ],
)
def test_what_is_no_host_and_port(text: str) -> None:
    with pytest.raises(
        argparse.ArgumentTypeError, match=r"expected (HOST:PORT|a port of 0 to 65535),"
    ):
        host_and_port(text)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("mx.example", ("mx.example", None)),
        ("127.0.0.1", ("127.0.0.1", None)),
        ("[::1]", ("::1", None)),
        ("[::1]:587", ("::1", 587)),
        ("mx.example:25", ("mx.example", 25)),
    ],
)
def test_a_server_address(text: str, expected: tuple[str, int | None]) -> None:
    assert server_address(text) == expected


@pytest.mark.parametrize("text", ["", "mx.example:", "mx.example:smtp", "::1"])
def test_what_is_no_server_address(text: str) -> None:
    with pytest.raises(
        argparse.ArgumentTypeError, match=r"expected (HOST:PORT|a port of 0 to 65535),"
    ):
        server_address(text)


def test_the_usual_ports() -> None:
    assert usual_port() == 25
    assert usual_port(user=True) == 587
    assert usual_port(user=True, implicit=True) == 465


def test_what_is_said_is_there_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    say("one")
    complain("two")
    assert capsys.readouterr() == ("one\n", "two\n")


def test_an_optional_package() -> None:
    need("smtpproto", "--this")


def test_an_optional_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CannotRun, match=r"--io trio needs .*'trio'.* pip install trio$"):
        need("trio", "--io trio")
    with pytest.raises(CannotRun, match=r"'trustme'.* pip install trustme$"):
        need("trustme", "demo --tls")


def test_a_line_about_a_recipient() -> None:
    assert outcome_line(ACCEPTED) == "accepted  <alice@example.com>  250 2.1.5 OK"
    assert outcome_line(UNKNOWN) == "unknown   <alice@example.com>  the link broke"
