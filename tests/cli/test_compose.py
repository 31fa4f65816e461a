"""Messages made on the spot, and addresses as people type them."""

from __future__ import annotations

import json
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as policy
from pathlib import Path

import pytest

from smtpproto.cli import main
from smtpproto.cli.compose import recipients_of, sender_of
from smtpproto.errors import LocalProtocolError
from tests.cli.inboxes import Inbox
from tests.programs import smtpproto

ADDRESSES = ["--from", "Eve <eve@example.org>", "--to", "alice@example.com"]


def received(mails: Inbox) -> EmailMessage:
    (content,) = mails.contents
    return message_from_bytes(content, policy=policy)


def test_a_message_in_one_line(sink: str, mails: Inbox, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--subject", "Grüße", "--body", "Hallo Jürgen"]
    assert main(["send", "--server", sink, *ADDRESSES, *arguments]) == 0
    assert capsys.readouterr().out == ("accepted  <alice@example.com>  250 2.0.0 OK: queued as 1\n")
    ((envelope, content),) = mails.mails
    assert content.isascii()
    message = received(mails)
    assert (message["From"], message["To"]) == ("Eve <eve@example.org>", "alice@example.com")
    assert message["Subject"] == "Grüße"
    assert message["Date"]
    assert message["Message-ID"]
    assert message.get_content() == "Hallo Jürgen\r\n"
    assert str(envelope.reverse_path) == "<eve@example.org>"


def test_html_fields_and_files(sink: str, mails: Inbox, tmp_path: Path) -> None:
    picture = tmp_path / "dot.png"
    picture.write_bytes(b"\x89PNG")
    letter = tmp_path / "letter"
    letter.write_bytes(b"\xef\xbb\xbfdear\n")
    arguments = ["--body", f"@{letter}", "--html", "<p>dear", "--attach", str(picture)]
    arguments += ["--header", "X-Test: 1", "--header", "From: Someone <s@example.org>"]
    assert main(["send", "--server", sink, *ADDRESSES, *arguments]) == 0
    message = received(mails)
    assert (message["X-Test"], message["From"]) == ("1", "Someone <s@example.org>")
    text = message.get_body(("plain",))
    html = message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert (text.get_content(), html.get_content()) == ("dear\r\n", "<p>dear\r\n")
    (attachment,) = message.iter_attachments()
    assert attachment.get_content_type() == "image/png"
    assert attachment.get_filename() == "dot.png"
    assert attachment.get_content() == b"\x89PNG"


def test_html_alone_and_a_body_from_standard_input(sink: str, mails: Inbox) -> None:
    base = ["send", "--server", sink, *ADDRESSES]
    assert smtpproto(*base, "--html", "<p>x").returncode == 0
    assert smtpproto(*base, "--body", "-", stdin=b"from a pipe\n").returncode == 0
    first, second = (message_from_bytes(each, policy=policy) for each in mails.contents)
    assert first.get_content_type() == "text/html"
    assert second.get_content() == "from a pipe\r\n"


def test_the_null_reverse_path(sink: str, mails: Inbox) -> None:
    arguments = ["--from", "<>", "--to", "a@b.example", "--header", "From: postmaster@b.example"]
    assert main(["send", "--server", sink, *arguments, "--subject", "bounce"]) == 0
    ((envelope, _),) = mails.mails
    assert str(envelope.reverse_path) == "<>"


@pytest.mark.parametrize(
    "texts, expected",
    [
        (None, None),
        (["a@b.example"], ["a@b.example"]),
        (
            ["a@b.example, c@d.example", "e@f.example"],
            ["a@b.example", "c@d.example", "e@f.example"],
        ),
        (['"Smith, Bob" <bob@b.example>, Ann <ann@b.example>'], ["bob@b.example", "ann@b.example"]),
        (["postmaster"], ["postmaster"]),
        (["jürgen@exämple.org"], ["jürgen@exämple.org"]),
        (["Team: a@b.example, c@b.example;"], ["a@b.example", "c@b.example"]),
    ],
)
def test_recipients_as_people_type_them(
    texts: list[str] | None, expected: list[str] | None
) -> None:
    assert recipients_of(texts) == expected


def test_senders_as_people_type_them() -> None:
    assert sender_of(None) is None
    assert sender_of("<>") == sender_of("") == ""
    assert sender_of("Eve <eve@example.org>") == "eve@example.org"
    with pytest.raises(LocalProtocolError, match="--from: expected one address, found 2"):
        sender_of("a@b.example, c@d.example")
    with pytest.raises(LocalProtocolError, match="--to"):
        recipients_of(["no one"])


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        ([], "found neither"),
        (["--body", "x", "file"], "found both"),
        (["--header", "no colon"], "--header no colon: expected 'NAME: TEXT'"),
        (["--body", "@/nowhere"], "--body /nowhere: No such file"),
        (["--body", "x", "--attach", "/nowhere"], "--attach /nowhere: No such file"),
        (["--subject", "a\nb"], "Subject: "),
        (["--body", "x", "--repeat", "2", "--io", "trio"], "--repeat and --parallel exclude"),
        (["--body", "x", "--name-server", "127.0.0.1"], "--name-server needs --mx"),
        (["--body", "x", "--password-file", "x"], "--password-file needs --user"),
    ],
)
def test_what_makes_no_message(
    arguments: list[str], complaint: str, sink: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["send", "--server", sink, *ADDRESSES, *arguments]) == 2
    assert complaint in capsys.readouterr().err


def test_json(sink: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--to", "nobody@example.com", "--subject", "x", "--json"]
    assert main(["send", "--server", sink, *ADDRESSES, *arguments]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    accepted, refused = json.loads(line)["outcomes"]
    assert accepted == {
        "recipient": "alice@example.com",
        "status": "accepted",
        "code": 250,
        "enhanced": "2.0.0",
        "text": "OK: queued as 1",
    }
    assert (refused["status"], refused["code"]) == ("refused", 550)
    assert main(["send", "--server", "127.0.0.1:1", *ADDRESSES, *arguments]) == 2
    (line,) = capsys.readouterr().out.splitlines()
    assert "Connection refused" in json.loads(line)["error"]


def test_many_recipients_with_one_reply_are_one_line(
    sink: str, capsys: pytest.CaptureFixture[str]
) -> None:
    many = ", ".join(f"a{number}@example.com" for number in range(9))
    base = ["send", "--server", sink, *ADDRESSES, "--to", many, "--subject", "x"]
    assert main(base) == 0
    assert capsys.readouterr().out == ("accepted  all 10 recipients  250 2.0.0 OK: queued as 1\n")
    assert main([*base, "--quiet"]) == 0
    assert capsys.readouterr().out == ""
