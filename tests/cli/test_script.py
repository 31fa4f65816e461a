"""Scripts of C: and S: lines as tests of a server."""

from __future__ import annotations

import pytest

from smtpproto.cli.script import Failed, Step, parse_script
from tests.cli.inboxes import Inbox
from tests.programs import serve, smtpproto

WHOLE = r"""# A whole session.
S: 220 mx.example ESMTP
C: EHLO me.example
S: 250
C: MAIL FROM:<>
C: RCPT TO:<nobody@b.example>
C: RCPT TO:<alice@b.example>
C: DATA
S: 250 2.1.0 OK
S: 5xx
S: 250 2.1.5 *
S: 354
C= Subject: x\r\n\r\nbody\r\n
C: .
S: 250 2.0.0 OK: queued as *
C: QUIT
S: 2xx
"""


def run(script: str, sink: str, *options: str) -> tuple[int, str, str]:
    done = smtpproto("talk", sink, "--script", "-", *options, stdin=script.encode())
    return done.returncode, done.stdout, done.stderr


def test_a_session_that_goes_as_it_should(sink: str, mails: Inbox) -> None:
    status, out, err = run(WHOLE, sink)
    assert (status, err) == (0, "")
    assert mails.contents == [b"Subject: x\r\n\r\nbody\r\n"]
    assert "C: DATA\nS: 250 2.1.0 OK\nS: 550 5.1.1 no such mailbox here\n" in out


@pytest.mark.parametrize(
    "line, other, found",
    [
        ("S: 5xx", "S: 250", "line 10: expected '250', found '550 5.1.1 no such mailbox here'"),
        (
            "S: 220 mx.example ESMTP",
            "S: 220 mx",
            "line 2: expected '220 mx', found '220 mx.example",
        ),
        (
            "as *\n",
            "as 7\n",
            "line 15: expected '250 2.0.0 OK: queued as 7', found '250 2.0.0 OK: ",
        ),
    ],
)
def test_another_reply_fails(line: str, other: str, found: str, sink: str) -> None:
    status, _, err = run(WHOLE.replace(line, other), sink)
    assert status == 1
    assert err.startswith(found)


def test_what_begins_with_a_command_begins_after_ehlo(sink: str) -> None:
    assert run("C: NOOP\nS: 250 2.0.0 OK\n", sink)[0] == 0
    assert run("C: NOOP\nS: 250 2.0.0 no\n", sink)[0] == 1


def test_codes_or_classes_alone(sink: str) -> None:
    other = "S: 220 other\nC: EHLO me\nS: 250-other\nS: 250 X\nC: NOOP\nS: 252 2.9.9 fine\n"
    assert run(other, sink, "--match", "class")[0] == 0
    status, _, err = run(other, sink, "--match", "code")
    assert status == 1
    assert err.startswith("line 6: expected '252 2.9.9 fine'")


def test_without_a_script_there_is_nothing_to_compare() -> None:
    done = smtpproto("talk", "--match", "code", "mx.example")
    assert done.returncode == 2
    assert done.stderr.endswith("talk: --match needs --script FILE\n")


def test_a_session_that_ends_too_soon(sink: str) -> None:
    status, _, err = run("C: QUIT\nS: 221\nC: NOOP\nS: 250\n", sink)
    assert status == 2
    assert "the server closed the connection" in err


def test_tls_in_a_script() -> None:
    with serve("--discard", "--self-signed") as server:
        script = "S: 220\nC: EHLO a\nS: 250\nC: STARTTLS\nS: 220\nC: EHLO a\nS: 250\n"
        status, out, err = run(script, server.server, "--ca", server.authority)
    assert (status, err) == (0, "")
    assert "# TLS has begun" in out


def test_reading_a_script() -> None:
    assert parse_script(["C: a", "", "# b", r"C= \0", "S: 250-x", "C:"]) == [
        Step(1, b"a\r\n"),
        Step(4, b"\0"),
        Step(5, None, "250-x"),
        Step(6, b"\r\n"),
    ]


@pytest.mark.parametrize(
    "line, problem",
    [
        ("NOOP", "line 2: expected C:, C=, S: or #, found 'NOOP'"),
        (r"C= \q", "line 2: expected "),
        ("C: AUTH PLAIN (response)", "line 2: a secret was left out here"),
        ("C: (response)", "line 2: a secret was left out here"),
    ],
)
def test_what_is_no_script(line: str, problem: str) -> None:
    with pytest.raises(Failed) as failed:
        parse_script(["S: 220", line])
    assert str(failed.value).startswith(problem)
