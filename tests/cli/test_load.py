"""A modest load."""

from __future__ import annotations

import json

import pytest

from smtpproto.cli import main
from tests.cli.inboxes import Inbox


def test_messages_over_several_connections(
    sink: str, mails: Inbox, message_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["send", "--server", sink, message_file]
    assert main([*arguments, "--repeat", "20", "--parallel", "3"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"20 of 20 messages accepted by {sink.replace(':', ' port ')} in ")
    assert len(mails.mails) == 20
    assert main([*arguments, "--repeat", "4", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["messages"], found["accepted"], found["others"]) == (4, 4, {})
    assert len(mails.mails) == 24


def test_refusals_are_counted(
    sink: str, message_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["send", "--server", sink, message_file, "--to", "nobody@example.com"]
    assert main([*arguments, "--repeat", "5", "--parallel", "2"]) == 2
    out, err = capsys.readouterr()
    assert out.startswith("0 of 5 messages accepted")
    assert err == "5 times refused: 550 5.1.1 no such mailbox here\n"


def test_a_server_that_is_not_there(message_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["send", "--server", "127.0.0.1:1", message_file]
    assert main([*arguments, "--repeat", "5", "--parallel", "2"]) == 2
    assert "2 times not sent: no connection to 127.0.0.1 port 1" in capsys.readouterr().err


@pytest.mark.parametrize("server", ["192.0.2.1:25", "mx.example"])
def test_other_hosts_are_spared(
    server: str, message_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["send", "--server", server, message_file, "--repeat", "2"]) == 2
    assert "are for servers on this host" in capsys.readouterr().err
