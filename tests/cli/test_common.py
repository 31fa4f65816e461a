from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable

import pytest

from smtpproto import ForwardPath, Reply
from smtpproto.cli.common import (
    CannotRun,
    host_and_port,
    listen_address,
    need,
    outcome_line,
    server_address,
    usual_port,
)
from smtpproto.cli.terminal import complain, say
from smtpproto.conversations import Outcome, Status

Parse = Callable[[str], tuple[str, int | None]]
ALICE = ForwardPath.of("alice@example.com")
ACCEPTED = Outcome(ALICE, Status.ACCEPTED, Reply(250, "2.1.5", "OK"))
UNKNOWN = Outcome(ALICE, Status.UNKNOWN, None, "the link broke")


@pytest.mark.parametrize(
    "parse, text, expected",
    [
        (host_and_port, "mx.example:25", ("mx.example", 25)),
        (listen_address, "127.0.0.1:0", ("127.0.0.1", 0)),
        (host_and_port, "[::1]:587", ("::1", 587)),
        (listen_address, ":8025", ("", 8025)),
        (host_and_port, "mx.example:65535", ("mx.example", 65535)),
        (server_address, "mx.example", ("mx.example", None)),
        (server_address, "127.0.0.1", ("127.0.0.1", None)),
        (server_address, "[::1]", ("::1", None)),
        (server_address, "[::1]:587", ("::1", 587)),
        (server_address, "mx.example:25", ("mx.example", 25)),
    ],
)
def test_where_a_server_is(parse: Parse, text: str, expected: tuple[str, int | None]) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "parse, text",
    [
        *((host_and_port, text) for text in ("mx.example", "25", "::1:25")),
        *(
            (parse, text)
            for parse in (host_and_port, server_address)
            for text in ("mx.example:", "mx.example:x", "mx.example:-1", "a:65536", "a:²")
        ),
        *((server_address, text) for text in ("", "::1")),
    ],
)
def test_what_is_no_place(parse: Parse, text: str) -> None:
    with pytest.raises(
        argparse.ArgumentTypeError, match=r"expected (HOST:PORT|a port of 0 to 65535),"
    ):
        parse(text)


def test_the_usual_ports() -> None:
    assert usual_port() == 25
    assert usual_port(user=True) == 587
    assert usual_port(user=True, implicit=True) == 465


def test_what_is_said_is_there_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    say("one")
    complain("two")
    assert capsys.readouterr() == ("one\n", "two\n")


def test_an_optional_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    need("smtpproto", "--this")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CannotRun, match=r"--io trio needs .*'trio'.* pip install trio$"):
        need("trio", "--io trio")
    with pytest.raises(CannotRun, match=r"'trustme'.* pip install trustme$"):
        need("trustme", "demo --tls")


def test_a_line_about_a_recipient() -> None:
    assert outcome_line(ACCEPTED) == "accepted  <alice@example.com>  250 2.1.5 OK"
    assert outcome_line(UNKNOWN) == "unknown   <alice@example.com>  the link broke"
