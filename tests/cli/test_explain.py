from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto.cli import explain as verb
from smtpproto.cli import main
from smtpproto.errors import RemoteProtocolError
from smtpproto.vocabulary.codes import MEANINGS, explain


def run(*arguments: str) -> int:
    return main(["explain", *arguments])


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
    # A class that contradicts the reply code is said; an address is no code.
    (("550", "4.1.1", "later"), (550, "4.1.1", "")),
    (("550 4.3.2.1 is on a blocklist",), (550, "", "")),
    # The first code counts, a later one belongs to the text.
    (("550 5.1.1 4.2.2 full",), (550, "5.1.1", "")),
    (("550 5.1.1 5.2.2 full",), (550, "5.1.1", "")),
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
    # As logs, bounces and programs quote them.
    (
        ("host mx.example [192.0.2.1] said: 550 no such user (in reply to RCPT TO command)",),
        (550, "", "RCPT"),
    ),
    (("after RCPT TO:<x@y.example>: host mx [192.0.2.1]: 550 No such user",), (550, "", "RCPT")),
    (("to=<x@y>, relay=none, dsn=5.4.4, status=bounced (Host not found)",), (0, "5.4.4", "")),
    (("NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 554 5.7.1 <a>: no",), (554, "5.7.1", "RCPT")),
    (("smtplib.SMTPDataError: (554, b'5.7.1 spam')",), (554, "5.7.1", "")),
    (("{'x@y': (550, b'no such user')}",), (550, "", "")),
    (("Final-Recipient: x\nStatus: 5.1.1\n",), (0, "5.1.1", "")),
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
        *("", "   ", "no such user", "55", "5500", "5501 x", "550x"),
        *("5.1", "5.1.1.1", "5.1.1 550", "550.5.1.1"),
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


@given(st.text() | st.from_regex(r"[2-5][0-9][0-9][- ].*"))
def test_any_text_is_explained_or_refused(text: str) -> None:
    try:
        found = verb.find(text, "")
    except RemoteProtocolError:
        return
    assert found
    assert all(str(explanation) for explanation in found)


@pytest.mark.parametrize(
    "text, said",
    [
        ("999", "This is no reply code of SMTP: the first digit is 2"),
        ("199 x", "FTP and HTTP say with 1 that more will follow"),
        ("600", "FTP has 6 for protected replies"),
        ("3.0.0", "the class is 2 (done), 4 (not now) or 5 (refused), not 3"),
        ("6.1.1", "By its second number it is about addresses."),
        ("5.1.999", "5.1.999 itself is in no registry"),
        ("577", "577 is in no registry"),
    ],
)
def test_codes_outside_the_list_are_explained_by_their_digits(
    text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*text.split()) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert said in shown
    assert shown.startswith(text.split(maxsplit=1)[0])


def test_what_is_typed_is_quoted_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("nonsense") == 2
    assert "found 'nonsense'" in capsys.readouterr().err


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--json", "550 5.1.1 no\n250 ok") == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["code"], first["enhanced"], first["retry"]) == (550, "5.1.1", False)
    assert first["check"]
    assert second["meaning"] == "The server did what was asked."
    assert run("--json") == 0
    assert json.loads(capsys.readouterr().out)["550"]
