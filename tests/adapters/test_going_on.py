"""Content that was saved, and content that is fetched, over both adapters (RFC 1845, RFC 4468)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from smtpproto import LocalProtocolError, Mail
from smtpproto.conversations import ContentLost, Envelope, TLSMode
from smtpproto.extensions import (
    Burl,
    Checkpoint,
    Chunking,
    ContentByUrl,
    TransactionId,
    standard,
)
from smtpproto.sasl import Credentials, Users
from tests.adapters.worlds import ENVELOPE, Inbox, Raw, World, sessions, wait_until

NAMED = Envelope(
    Mail(ENVELOPE.reverse_path, (TransactionId("1@client.example"),)), ENVELOPE.recipients
)
CONTENT = b"Subject: large\r\n\r\n" + b"".join(b"line %d\r\n" % n for n in range(100_000))
USERS = Users({"user": "secret"}, secret=b"sixteen octets..", iterations=4096)


@pytest.mark.parametrize("end", ["close", "half-close"])
def test_only_the_rest_is_sent(world: World, end: str) -> None:
    saved: list[bytes] = []
    received: list[bytes] = []

    def body(session: Any, envelope: Envelope, chunks: Iterator[bytes]) -> None:
        content = b"".join(saved)
        try:
            for chunk in chunks:
                content += chunk
        except ContentLost:
            saved[:] = [content[: content.rfind(b"\r\n") + 2]]
            raise
        received.append(content)

    handler: Any = world.streaming(body)
    handler.resume = lambda session, mail: (
        (NAMED.recipients, len(saved[0])) if saved and mail.get(TransactionId) else None
    )
    with world.serve(handler, extensions=[*standard(), Checkpoint()]) as server:
        with Raw(server) as raw:
            raw.reply()
            raw.ask("EHLO client.example")
            for command in (str(NAMED.mail), str(NAMED.recipients[0]), "DATA"):
                assert raw.ask(command)[0] in "23"
            raw.sock.sendall(CONTENT[:400_000])
            if end == "half-close":
                raw.sock.shutdown(socket.SHUT_WR)
                assert raw.rest() == b""
        wait_until(lambda: not sessions(server))
        wait_until(lambda: saved)
        assert len(saved[0]) <= 400_000
        with world.connect(server, name="client.example") as client:
            assert client.send(NAMED, CONTENT).complete
    assert received == [CONTENT]


class Drafts(Inbox):
    """Knows what URLs lead to."""

    def resolve(self, session: Any, envelope: Envelope, burl: Burl) -> bytes | None:
        assert session.identity == "user"
        return b"Subject: a draft\r\n\r\n" if burl.url.endswith("/1") else None


def test_content_by_url(world: World) -> None:
    inbox = Drafts()
    options: dict[str, Any] = {
        "extensions": [*standard(), Chunking(), ContentByUrl()],
        "users": USERS,
    }
    with world.serve(inbox, **options) as server:
        login: dict[str, Any] = {
            "credentials": Credentials(username="user", password="secret"),
            "tls": TLSMode.OPPORTUNISTIC,
        }
        with world.connect(server, name="client.example", **login) as client:
            assert client.send(ENVELOPE, Burl("imap://imap.example/1")).complete
            (outcome,) = client.send(ENVELOPE, Burl("imap://imap.example/2")).outcomes
            assert outcome.reply is not None
            assert outcome.reply.enhanced == "5.6.6"
            assert client.send(ENVELOPE, b"Subject: sent\r\n\r\n").complete
        with world.connect(server, name="client.example") as client:
            with pytest.raises(LocalProtocolError, match="authentication"):
                client.send(ENVELOPE, Burl("imap://imap.example/1"))
            assert client.noop().positive
    assert inbox.messages == [b"Subject: a draft\r\n\r\n", b"Subject: sent\r\n\r\n"]
