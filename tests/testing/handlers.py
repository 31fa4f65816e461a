"""Handlers for the tests of what runs in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from smtpproto import Rcpt, Reply, Session
from smtpproto.conversations import ContentLost, Envelope

ENVELOPE = Envelope.of("a@client.example", ["b@mx.example", "c@mx.example"])


class Inbox:
    """Keeps what it gets."""

    def __init__(self) -> None:
        self.messages: list[tuple[Envelope, bytes]] = []
        self.peers: list[str] = []

    def rcpt(self, session: Session, rcpt: Rcpt) -> Reply | None:
        self.peers.append(session.peer)
        return Reply(550, "5.1.1", "no such mailbox") if "nobody" in str(rcpt) else None

    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        self.messages.append((envelope, content))


class Stream:
    """Keeps chunks."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.ended: list[str] = []

    def content(self, session: Session, envelope: Envelope, chunks: Iterator[bytes]) -> None:
        try:
            self.chunks += chunks
            self.ended.append("complete")
        except ContentLost:
            self.ended.append("lost")
            raise


class AsyncStream(Stream):
    async def rcpt(self, session: Session, rcpt: Rcpt) -> None:
        return None

    async def content(  # type: ignore[override]
        self, session: Session, envelope: Envelope, chunks: AsyncIterator[bytes]
    ) -> None:
        self.chunks += [chunk async for chunk in chunks]
        self.ended.append("complete")


class Broken(Inbox):
    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        raise ZeroDivisionError


SESSION = b"EHLO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n"
