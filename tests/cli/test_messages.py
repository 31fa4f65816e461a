"""Messages of files, of an mbox, of a Maildir."""

from __future__ import annotations

import io
import mailbox
from email.message import EmailMessage
from pathlib import Path

import pytest

from smtpproto.cli import main
from smtpproto.cli.messages import Source, read_messages
from smtpproto.mailboxes import MboxStore
from tests.cli.inboxes import Inbox
from tests.programs import MESSAGE, smtpproto

ONE = b"From: a@b.example\nTo: c@d.example\nSubject: one\n\nfirst\n"
TWO = b"From: a@b.example\nTo: c@d.example\nSubject: two\n\nsecond\n\nlast line\n"
FROM = b"From a@b.example Thu Nov 26 10:00:00 2026\n"
MARK = b"\xef\xbb\xbf"


def contents(path: Path | str) -> list[bytes]:
    return [b"".join(iter(lambda: m.source.read(7), b"")) for m in read_messages(str(path))]  # noqa: B023  # used at once


def with_crlf(octets: bytes) -> bytes:
    return octets.replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    "stored, expected",
    [
        (ONE, [ONE]),
        (MARK + ONE, [ONE]),
        (FROM + ONE, [ONE]),
        (MARK + FROM + ONE + b"\n" + FROM + TWO, [ONE, TWO]),
        (FROM + ONE + b"\n" + FROM + TWO + b"\n", [ONE, TWO]),
        # A line of text that begins like a separator is none: nothing empty before it, or no date.
        (FROM + ONE + FROM + b"x\n", [ONE + FROM + b"x\n"]),
        (FROM + ONE + b"\nFrom now on\n", [ONE + b"\nFrom now on\n"]),
        (ONE + b"\n" + FROM, [ONE + b"\n" + FROM]),
        (FROM.replace(b"\n", b"\r\n") + with_crlf(ONE), [with_crlf(ONE)]),
        (b"", [b""]),
    ],
)
def test_what_is_in_a_file(stored: bytes, expected: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(stored)
    assert contents(path) == expected


def test_a_line_longer_than_what_is_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "mbox"
    path.write_bytes(FROM + ONE + b"x" * 200_000 + b"From a 1:00\n\n" + FROM + TWO)
    assert contents(path) == [ONE + b"x" * 200_000 + b"From a 1:00\n", TWO]


def test_what_this_package_stores_in_an_mbox_is_found_again(tmp_path: Path) -> None:
    for content in (ONE, TWO):
        with MboxStore(tmp_path / "mbox").open("a@b.example") as delivery:
            delivery.write(with_crlf(content))
            delivery.commit()
    found = contents(tmp_path / "mbox")
    assert [each.partition(b"\nFrom:")[2] for each in found] == [
        each.partition(b"From:")[2] for each in (ONE, TWO)
    ]


def test_an_mbox_of_the_standard_library(tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "mbox")
    for text in ("one", "two", "three"):
        message = EmailMessage()
        message["Subject"] = text
        message.set_content("body\n")
        box.add(message)
    box.close()
    assert [content.splitlines()[0] for content in contents(tmp_path / "mbox")] == [
        b"Subject: one",
        b"Subject: two",
        b"Subject: three",
    ]


def test_a_maildir(tmp_path: Path) -> None:
    box = mailbox.Maildir(tmp_path / "box")
    box.add(ONE)
    box.add(TWO)
    names = [Path(each.name) for each in read_messages(str(tmp_path / "box"))]
    assert {name.parent.name for name in names} == {"new"}
    assert sorted(contents(tmp_path / "box")) == sorted([ONE, TWO])


def test_a_source_gives_what_was_read_first() -> None:
    source = Source(b"ab\ncd", io.BytesIO(b"ef\ngh"))
    assert source.readline(100) == b"ab\n"
    assert source.readline(1) == b"c"
    assert source.readline(100) == b"def\n"
    assert source.readline(100) == b"gh"
    assert source.readline(100) == b""
    assert Source(b"abcd", io.BytesIO(b"e")).read(3) == b"abc"


# --- sent ---------------------------------------------------------------------------------------


def test_an_mbox_on_standard_input_is_sent(sink: str, mails: Inbox) -> None:
    stored = MARK + FROM + ONE + b"\n" + FROM + TWO
    done = smtpproto("send", "--server", sink, "-", stdin=stored)
    assert done.returncode == 0, done.stderr
    assert mails.contents == [with_crlf(ONE), with_crlf(TWO)]
    assert done.stderr == "2 messages sent, 0 not sent\n"


def test_several_files_go_out_in_one_session(
    sink: str, mails: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path, content in zip(paths, (ONE, b"no message", TWO), strict=True):
        path.write_bytes(content)
    arguments = ["send", "--server", sink, "--transcript", *map(str, paths)]
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == (
        f"{paths[0]}: accepted  <c@d.example>  250 2.0.0 OK: queued as 1\n"
        f"{paths[2]}: accepted  <c@d.example>  250 2.0.0 OK: queued as 2\n"
    )
    assert err.count("S: 220 ") == 1
    assert f"{paths[1]}: not sent: the header of the message has a line that is no field" in err
    assert "2 messages sent, 1 not sent" in err
    assert mails.contents == [with_crlf(ONE), with_crlf(TWO)]


def test_without_a_server_the_rest_is_not_tried(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mbox"
    path.write_bytes((FROM + MESSAGE + b"\n") * 3)
    assert main(["send", "--server", "127.0.0.1:1", str(path)]) == 2
    assert capsys.readouterr().err.count("not sent: no connection to 127.0.0.1 port 1") == 1
