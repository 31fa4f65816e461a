"""Content by URL: BURL in conversation (RFC 4468)."""

from __future__ import annotations

from typing import Any

import pytest

from smtpproto import Client, Command, Domain, Ehlo, Mail, Rcpt, Rejected, Reply, ReversePath, State
from smtpproto.conversations.client import ask
from smtpproto.extensions import (
    Auth,
    Burl,
    BurlCommand,
    Chunking,
    EightBitMime,
    EnhancedStatusCodes,
)
from smtpproto.sasl import Credentials, Users
from smtpproto.testing import Link
from smtpproto.vocabulary.paths import ForwardPath
from tests.conversations.driver import Inbox, begin, deliver, serve

URL = "imap://imap.example/mail;UID=1"
BURL = b"BURL imap://imap.example/mail;UID=1"
LOGIN = b"AUTH PLAIN AGEAYg==\r\n"
HELLO = b"EHLO client.example\r\n"
ENVELOPE = b"MAIL FROM:<a@client.example>\r\nRCPT TO:<b@mx.example>\r\n"
USERS = Users({"a": "b"}, secret=b"sixteen octets..", iterations=4096)
SETTINGS: dict[str, Any] = {
    "extensions": (
        Chunking(),
        EightBitMime(),
        EnhancedStatusCodes(),
        Burl(("imap",)),
        Auth(allow_plaintext=("PLAIN",)),
    ),
    "users": USERS,
    "nonce": lambda: "n" * 24,
}
TAKEN = Reply(250, "2.5.0", "fetched")


class Drafts(Inbox):
    """A handler that answers BURL; what is an exception is raised."""

    def __init__(self, answer: Any = TAKEN) -> None:
        super().__init__({"command": answer})
        self.commands: list[Command] = []

    def command(self, session: Any, command: Command) -> Any:
        self.commands.append(command)
        return self._answer("command")


def start(handler: Any) -> Link:
    """A session past RCPT."""
    link = serve(handler, **SETTINGS)
    link.feed(HELLO + LOGIN + HELLO + ENVELOPE)
    return link


def codes(answer: bytes) -> list[bytes]:
    return [line[:3] for line in answer.splitlines() if line[3:4] == b" "]


def test_the_handler_answers() -> None:
    handler = Drafts()
    link = start(handler)
    assert link.feed(BURL + b" LAST\r\n") == b"250 2.5.0 fetched\r\n"
    assert handler.commands == [BurlCommand(URL, last=True)]
    assert codes(link.feed(ENVELOPE + b"QUIT\r\n")) == [b"250", b"250", b"221"]


@pytest.mark.parametrize(
    "answer, reply",
    [
        (None, b"554 5.3.3"),
        (Reply(554, "5.7.14", "not for us"), b"554 5.7.14"),
        (ValueError("no server"), b"451 4.3.0"),
        ("text", b"451 4.3.0"),
    ],
)
@pytest.mark.parametrize("last", [b"", b" LAST"])
def test_without_a_positive_reply_nothing_is_taken(answer: Any, reply: bytes, last: bytes) -> None:
    """What follows is refused, and the session goes on."""
    handler = Drafts(answer)
    link = start(handler)
    assert link.feed(BURL + last + b"\r\n").startswith(reply)
    assert codes(link.feed(b"BDAT 3 LAST\r\nabcRSET\r\n")) == [b"503", b"250"]
    handler.answers["command"] = TAKEN
    assert codes(link.feed(ENVELOPE + BURL + b" LAST\r\n")) == [b"250"] * 3


def test_a_handler_without_a_hook_takes_nothing() -> None:
    """A positive reply would say that the handler has what the URL leads to."""
    inbox = Inbox()
    link = start(inbox)
    assert codes(link.feed(BURL + b" LAST\r\nRSET\r\n")) == [b"554", b"250"]
    assert inbox.messages == []


@pytest.mark.parametrize("last", [b"", b" LAST"])
def test_behind_chunks_it_is_refused(last: bytes) -> None:
    """The handler has the chunks, and nothing would bring it their end."""
    handler = Drafts()
    link = start(handler)
    assert codes(link.feed(b"BDAT 3\r\nabc" + BURL + last + b"\r\nRSET\r\n")) == [
        b"250",
        b"554",
        b"250",
    ]
    assert handler.commands == []
    assert handler.messages == []
    assert codes(link.feed(ENVELOPE + b"BDAT 5 LAST\r\nabc\r\n")) == [b"250"] * 3
    assert len(handler.messages) == 1


def test_chunks_behind_it_are_the_content() -> None:
    """A handler that took a part has to put it before them."""
    handler = Drafts()
    link = start(handler)
    said = BURL + b"\r\nNOOP\r\nBDAT 5 LAST\r\nabc\r\n"
    assert codes(link.feed(said)) == [b"250"] * 3
    assert handler.commands == [BurlCommand(URL)]
    assert [content for _, _, content in handler.messages] == [b"abc\r\n"]


def test_what_the_core_refuses_is_told() -> None:
    inbox = Drafts()
    link = start(inbox)
    link.feed(b"BURL nowhere\r\n")
    assert isinstance(inbox.refusals[-1], Rejected)


@pytest.mark.parametrize("answer, code", [(TAKEN, 250), (None, 554)])
def test_a_client_gives_the_command(answer: Any, code: int) -> None:
    handler = Drafts(answer)
    link = serve(handler, **SETTINGS)
    login = {"credentials": Credentials(username="a", password="b"), "nonce": lambda: "n" * 24}
    client = begin(link, Client(), allow_plaintext=("PLAIN",), **login)
    for command in (
        Ehlo(Domain("client.example")),
        Mail(ReversePath.of("a@client.example")),
        Rcpt(ForwardPath.of("b@mx.example")),
    ):
        assert link.run(ask(client, command)).positive
    assert link.run(ask(client, BurlCommand(URL, last=True))).code == code
    assert client.state is (State.READY if code == 250 else State.SPOILED)
    if code == 250:
        assert deliver(link, client, b"Subject: sent\r\n\r\n").complete
