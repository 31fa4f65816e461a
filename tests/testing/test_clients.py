"""Clients in memory: those of handlers, with all that a client can ask."""

from __future__ import annotations

from io import BytesIO

import pytest

from smtpproto import Domain, Protocol, Reply, Session
from smtpproto.conversations import Envelope, PermanentError, Status
from smtpproto.testing import FakeServer, connect
from tests.testing.handlers import ENVELOPE, Broken, Inbox, Stream


def test_a_client_of_a_handler() -> None:
    inbox = Inbox()
    with connect(inbox) as client:
        assert client.session.name == Domain("client.example")
        envelope = Envelope.of("a@client.example", ["b@mx.example", "nobody@mx.example"])
        delivery = client.send(envelope, BytesIO(b"hello\r\n"))
        assert [o.status for o in delivery.outcomes] == [Status.ACCEPTED, Status.REFUSED]
    assert [content for _, content in inbox.messages] == [b"hello\r\n"]
    assert client.closed


def test_an_error_of_the_handler_reaches_who_talks_to_it() -> None:
    with pytest.raises(ZeroDivisionError), connect(Broken()) as client:
        client.send(ENVELOPE, b"hello\r\n")
    assert client.closed


def test_an_error_in_the_block_closes_without_quit() -> None:
    inbox = Stream()
    with pytest.raises(KeyError), connect(inbox) as client:
        raise KeyError
    assert client.closed
    assert client.link.server.done


def test_lmtp_in_memory() -> None:
    from smtpproto import Client

    class Partly(Inbox):
        def message(  # type: ignore[override]
            self, session: Session, envelope: Envelope, content: bytes
        ) -> list[Reply | None]:
            return [None, Reply(452, "4.2.2", "full")]

    lmtp = Client(protocol=Protocol.LMTP)
    with connect(Partly(), client=lmtp, protocol=Protocol.LMTP) as client:
        delivery = client.send(ENVELOPE, b"hello\r\n")
    assert [o.status for o in delivery.outcomes] == [Status.ACCEPTED, Status.REFUSED]


def test_a_client_may_be_turned_away() -> None:
    class Closed(Inbox):
        def connect(self, session: Session) -> Reply:
            return Reply(554, "5.3.2", "not here")

    with pytest.raises(PermanentError, match="not here"):
        connect(Closed())


def test_options_are_for_handlers() -> None:
    with pytest.raises(TypeError, match="options are for handlers: hostname"):
        connect(FakeServer(""), hostname="mx.example")
