"""A positive reply to content says that the handler has the message: nobody else can say so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from smtpproto import Command, Reply, Session
from smtpproto.conversations import ServerSettings, SessionFactory
from smtpproto.extensions import Burl, BurlCommand, Chunking, EightBitMime, Pipelining
from smtpproto.testing import Link
from tests.conversations.driver import Inbox

EXTENSIONS = (EightBitMime(), Pipelining(), Chunking(), Burl(("imap",)))
HELLO = b"EHLO client.example\r\n"
ENVELOPE = b"MAIL FROM:<a@client.example>\r\nRCPT TO:<b@mx.example>\r\n"
URL = b"BURL imap://imap.example/x;urlauth=anonymous:internal:abc LAST\r\n"


class Chunks:
    """A handler that reads content as it comes, and commands by itself."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.commands: list[Command] = []

    def content(self, session: Session, envelope: object, chunks: Iterator[bytes]) -> None:
        self.messages.append(b"".join(chunks))

    def command(self, session: Session, command: Command) -> Any:
        self.commands.append(command)


def start(handler: object) -> Link:
    flow = SessionFactory(
        handler, ServerSettings(hostname="mx.example", extensions=EXTENSIONS)
    ).open(Session(identity="harry"))
    assert flow is not None
    link = Link(flow)
    link.feed(HELLO)
    return link


def codes(octets: bytes) -> list[int]:
    return [int(line[:3]) for line in octets.splitlines()]


def test_content_by_url_that_nobody_fetches() -> None:
    inbox = Inbox()
    assert codes(start(inbox).feed(ENVELOPE + URL)) == [250, 250, 554]
    assert inbox.messages == []


@pytest.mark.parametrize("handler", [Inbox(), Chunks()])
def test_content_by_url_behind_a_chunk_that_the_handler_has(handler: Any) -> None:
    link = start(handler)
    assert codes(link.feed(ENVELOPE + b"BDAT 4\r\nab\r\n" + URL)) == [250, 250, 250, 554]
    assert codes(link.feed(b"RSET\r\n")) == [250]
    assert handler.messages == []
    assert codes(link.feed(ENVELOPE + b"BDAT 4 LAST\r\nab\r\n")) == [250, 250, 250]
    assert len(handler.messages) == 1


def test_content_by_url_that_a_handler_says_nothing_about() -> None:
    """A handler that accepts every command with None has nothing of what the URL leads to."""
    handler = Chunks()
    assert codes(start(handler).feed(ENVELOPE + URL)) == [250, 250, 554]
    assert len(handler.commands) == 1
    assert handler.messages == []


def test_content_by_url_that_a_handler_takes() -> None:
    class Taking(Chunks):
        def command(self, session: Session, command: Command) -> Reply:
            super().command(session, command)
            return Reply(250, "2.5.0", "fetched")

    handler = Taking()
    assert codes(start(handler).feed(ENVELOPE + URL)) == [250, 250, 250]
    assert isinstance(handler.commands[0], BurlCommand)
