from __future__ import annotations

import argparse
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto.cli import explain as verb
from smtpproto.cli import main
from smtpproto.errors import RemoteProtocolError
from smtpproto.vocabulary.codes import MEANINGS, explain


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    return verb.run(parser.parse_args(arguments))


EXPLAINED = [
    # arguments, and what they come to
    (("550",), (550, "", "")),
    (("550", "5.1.1"), (550, "5.1.1", "")),
    (("550 5.1.1",), (550, "5.1.1", "")),
    (("550", "5.1.1", "No", "such", "user"), (550, "5.1.1", "")),
    (("550 5.1.1 No such user",), (550, "5.1.1", "")),
    (("  550 5.1.1 No such user\n",), (550, "5.1.1", "")),
    (("550 No such user",), (550, "", "")),
    (("550-5.1.1 No such user",), (550, "5.1.1", "")),
    (("550-No such user",), (550, "", "")),
    (("550-",), (550, "", "")),
    (("559 5.9.9 what",), (559, "5.9.9", "")),
    (("250 2.1.5 OK",), (250, "2.1.5", "")),
    (("250-mx.example\n250-SIZE\n250 PIPELINING", "--to", "EHLO"), (250, "", "EHLO")),
    (("5.1.1",), (0, "5.1.1", "")),
    ((" 4.7.0 ",), (0, "4.7.0", "")),
    (("--to", "RCPT", "550"), (550, "", "RCPT")),
    (("--to", "content", "550", "5.7.1"), (550, "5.7.1", "content")),
    (("--to", "greeting", "554"), (554, "", "greeting")),
    # Several lines, whole or cut off.
    (("550-5.7.1 a\n550 5.7.1 b",), (550, "5.7.1", "")),
    (("550-5.7.1 a\r\n550-5.7.1 b\r\n",), (550, "5.7.1", "")),
    (("550-5.7.1 a\n\n550 b",), (550, "", "")),
    # As transcripts mark them.
    (("S: 550 5.1.1 no",), (550, "5.1.1", "")),
    (("< 550 5.1.1 no",), (550, "5.1.1", "")),
    (("<** 550-5.1.1 no\n<** 550 5.1.1 no",), (550, "5.1.1", "")),
    # As logs and bounces quote them.
    (
        ("(host mx[192.0.2.250] said: 550 5.1.1 <a@b>: unknown (in reply to RCPT TO command))",),
        (550, "5.1.1", "RCPT"),
    ),
    (
        ("said: 550-5.7.1 rejected (in reply to end of DATA command)",),
        (550, "5.7.1", "DATA"),
    ),
    (
        ("said: 450 4.2.0 greylisted (in reply to RCPT TO command)", "--to", "MAIL"),
        (450, "4.2.0", "MAIL"),
    ),
    (("571",), (571, "", "")),
    (("571 5.7.1 Delivery not authorized",), (571, "5.7.1", "")),
    (("Diagnostic-Code: smtp; 571 5.7.1 no",), (571, "5.7.1", "")),
    (("Diagnostic-Code: smtp; 552 5.2.2 full",), (552, "5.2.2", "")),
    (("Remote host said: 550-#5.7.1 blocked",), (550, "5.7.1", "")),
    (("SMTP error from mx.example [198.51.100.250]: 451 4.3.0 later",), (451, "4.3.0", "")),
]


@pytest.mark.parametrize("arguments, expected", EXPLAINED)
def test_explains(
    arguments: tuple[str, ...], expected: tuple[int, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 0
    assert capsys.readouterr() == (f"{explain(*expected)}\n", "")


def test_several_replies(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("250 2.1.0 OK\n550-5.1.1 a\n550 5.1.1 b\n554 no") == 0
    texts = [explain(250, "2.1.0"), explain(550, "5.1.1"), explain(554)]
    assert capsys.readouterr().out == "\n\n".join(map(str, texts)) + "\n"


def test_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("550-5.1.1 a\n550 5.1.1 b\n"))
    assert run("-") == 0
    assert capsys.readouterr().out == f"{explain(550, '5.1.1')}\n"


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", "no such user", "55", "5500", "5501 x", "550x", "600", "199 1.1.1"),
        *("5.1", "3.0.0", "6.1.1", "5.1.1.1", "5.1.1 550", "550.5.1.1"),
        *("550-a\n553 b", "550 a\nb", "version 1550 5.1.1", "address 192.0.2.250 5.0.0.1"),
    ],
)
def test_what_is_no_reply(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(text) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("expected a reply such as '550 5.1.1 No such user': ")


def test_overview(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    lines = capsys.readouterr().out.splitlines()
    first = [line.split()[0] for line in lines if line]
    for key in ("2xx", "250", "354", "421", "550", "556", "x.1.1", "4.2.0", "2.1.5", "x.7.30"):
        assert first.count(key) == 1
    assert f"550     {MEANINGS['550'][0]}" in lines
    assert not any("RCPT" in word for word in first)
    assert max(map(len, lines)) <= 100


def test_through_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "550", "5.1.1"]) == 0
    assert capsys.readouterr().out == f"{explain(550, '5.1.1')}\n"
    assert main(["explain", "--to", "RCPT", "550"]) == 0
    assert capsys.readouterr().out == f"{explain(550, '', 'RCPT')}\n"
    assert main(["explain", "nonsense"]) == 2
    assert main(["explain"]) == 0


@given(st.text() | st.from_regex(r"[2-5][0-9][0-9][- ].*"))
def test_any_text_is_explained_or_refused(text: str) -> None:
    try:
        found = verb.find(text, "")
    except RemoteProtocolError:
        return
    assert found
    assert all(str(explanation) for explanation in found)
