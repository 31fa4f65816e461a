"""The exercises of docs/course with Postfix."""

from __future__ import annotations

import contextlib
import smtplib
import threading
from collections.abc import Callable, Iterator

import pytest

from examples.course.basic_client import BasicClient, Refused
from examples.course.explore import explore
from examples.course.handle_codes import Action, deliver
from examples.course.provoke_codes import CASES, Case, provoke
from examples.course.server import Mailboxes
from examples.course.show_conversation import Tap
from smtpproto import sync
from tests.interop import maildir
from tests.interop.peers import needs
from tests.interop.postfix import Postfix
from tests.interop.scripts import Script, script
from tests.programs import HOST, until

# The connections that examples/postfix/error_codes.sh allows a client.
MOST = 10
EVE, ALICE = "eve@example.org", "alice@example.com"


def quiet(_: str) -> None:
    """Show nothing."""


@pytest.fixture(scope="module")
def error_codes() -> Iterator[Script]:
    """A Postfix that has reasons to refuse."""
    with script("postfix/error_codes.sh") as running:
        yield running
        assert running.press_enter() == 0
        running.nothing_is_left()


@pytest.fixture
def port(error_codes: Script) -> int:
    return error_codes.port("talk")


@needs("postfix")
def test_the_script_shows_each_code(error_codes: Script) -> None:
    for case in CASES:
        assert f"\n  S: {case.code} " in error_codes.output


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.code))
@needs("postfix")
def test_postfix_gives_each_code(port: int, case: Case) -> None:
    assert provoke(HOST, port, case).code == case.code


@pytest.mark.parametrize(
    "mailboxes, action, attempts",
    [
        ((EVE, ALICE), Action.DONE, 1),
        ((EVE, "busy@example.com"), Action.TELL, 3),
        ((EVE, "alice smith@example.com"), Action.MEND, 1),
        ((EVE, "nobody@example.com"), Action.TELL, 1),
        (("boss@example.com", ALICE), Action.ASK, 1),
    ],
)
@needs("postfix")
def test_a_client_handles_the_codes_of_postfix(
    port: int,
    capsys: pytest.CaptureFixture[str],
    mailboxes: tuple[str, str],
    action: Action,
    attempts: int,
) -> None:
    assert deliver(HOST, port, *mailboxes, lambda: None) is action
    # An arrow for each attempt, and one for giving up.
    given_up = attempts > 1
    assert capsys.readouterr().out.count("=> ") == attempts + given_up


@needs("postfix")
def test_a_client_comes_back_after_421_in_place_of_the_greeting(
    port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    others: list[BasicClient] = []

    def leave() -> None:
        while others:
            with others.pop() as other:
                other.quit()
        until(lambda: admitted(port, others), 20, "room for one")
        with others.pop() as one:
            one.quit()

    # As many as there is room for; sessions of other tests may be about to end.
    until(lambda: admitted(port, others) and len(others) == MOST, 20, "all the room")
    assert deliver(HOST, port, EVE, ALICE, leave) is Action.DONE
    assert "the greeting: 421 " in capsys.readouterr().out


def admitted(port: int, clients: list[BasicClient]) -> bool:
    """Whether Postfix greets one more client, which is then among them."""
    with contextlib.suppress(Refused):
        clients.append(BasicClient(HOST, port, quiet))
        return True
    return False


@needs("postfix")
def test_exploring_postfix(port: int) -> None:
    found = explore(HOST, port)
    assert found.greeting == "mail.example.com ESMTP Postfix"
    assert found.offered["SIZE"] == "10240000"
    assert {"PIPELINING", "8BITMIME", "DSN", "SMTPUTF8", "CHUNKING"} <= found.offered.keys()


@needs("postfix")
def test_the_basic_client_writes_from_account_to_account() -> None:
    with script("postfix/two_accounts.sh") as running:
        with BasicClient(HOST, running.port("listens on"), quiet) as client:
            client.hello("client.example.org")
            client.send(ALICE, "bob@example.com", "Subject: exercise\n\n.\nhello\n")
            with pytest.raises(Refused, match="550"):
                client.send(ALICE, "carol@example.com", "")
            client.quit()
        stored = maildir.wait_for(running.home / "mailboxes" / "bob", 2)[-1]
        assert b"Subject: exercise\n" in stored
        assert stored.endswith(b"\n\n.\nhello\n")


@pytest.fixture
def tap() -> Iterator[Callable[[int], tuple[Tap, list[str]]]]:
    """Called with a server's port: a tap before it, and what that shows."""
    with contextlib.ExitStack() as stack:

        def start(port: int) -> tuple[Tap, list[str]]:
            lines: list[str] = []
            found = Tap((HOST, port), write=lines.append)
            thread = threading.Thread(target=found.serve)
            thread.start()
            stack.callback(thread.join, 20)
            stack.callback(found.close)
            return found, lines

        yield start


@needs("postfix")
def test_the_whole_conversation_with_postfix_as_server(
    port: int, tap: Callable[[int], tuple[Tap, list[str]]]
) -> None:
    between, lines = tap(port)
    with smtplib.SMTP(HOST, between.port, "client.test", timeout=20) as client:
        client.sendmail(EVE, [ALICE], b"Subject: x\r\n\r\nhello\r\n")
    until(lambda: "1 #  the server closed" in lines, 20, "the end of the session")
    for line in ["S: 220 mail.example.com ESMTP Postfix", "C: ehlo client.test", "C: hello"]:
        assert f"1 {line}" in lines


@needs("postfix")
def test_the_whole_conversation_with_postfix_as_client(
    tap: Callable[[int], tuple[Tap, list[str]]], postfix_relay: Callable[[int], Postfix]
) -> None:
    handler = Mailboxes()
    with sync.serve(handler, hostname="mx.example.com") as server:
        between, lines = tap(server.port)
        relay = postfix_relay(between.port)
        with smtplib.SMTP(HOST, relay.port, "client.test", timeout=20) as client:
            client.sendmail(EVE, [ALICE], b"Subject: x\r\n\r\nhello\r\n")
        until(lambda: "1 #  the server closed" in lines, 20, "the end of the session")
    assert len(handler.messages) == 1
    for line in ["S: 220 mx.example.com ESMTP", f"C: RCPT TO:<{ALICE}>", "C: hello", "C: QUIT"]:
        assert any(shown.startswith(f"1 {line}") for shown in lines), line
