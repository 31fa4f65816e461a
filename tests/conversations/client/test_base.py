from __future__ import annotations

from collections.abc import AsyncGenerator
from email.message import EmailMessage
from typing import Any

import pytest

from smtpproto import LocalProtocolError
from smtpproto.conversations import ClientSettings, Envelope
from smtpproto.conversations.client.base import ClientBase
from smtpproto.extensions import ExpnExtension, ServerLimits
from smtpproto.extensions.known import standard
from smtpproto.vocabulary.session_facts import Offered
from smtpproto.vocabulary.states import State
from tests.conversations.driver import CONTENT, Inbox, begin, serve


class Engine:
    """As much of the engine as a client looks at."""

    def __init__(self) -> None:
        self.state = State.READY
        self.pending = 0
        self.offered = Offered()
        self.session = object()


def client_with(**options: Any) -> tuple[ClientBase, Any]:
    engine: Any = Engine()
    return ClientBase(engine, None, ClientSettings(**options)), engine


def test_it_shows_what_the_engine_knows() -> None:
    client, engine = client_with(chunking=True)
    assert client.session is engine.session
    assert client.offered is engine.offered
    assert client.chunking
    assert client.to_ascii is None
    assert client.most_deliveries is None
    engine.offered = Offered([ServerLimits(mailmax=7)])
    assert client.most_deliveries == 7


@pytest.mark.parametrize(
    "state, pending, error, closed",
    [
        (State.READY, 0, None, False),
        (State.MAIL, 0, None, False),
        (State.READY, 1, None, True),
        (State.CLOSED, 0, None, True),
        (State.ERROR, 0, None, True),
        (State.READY, 0, LocalProtocolError("not possible"), False),
        (State.MAIL, 0, LocalProtocolError("not possible"), True),
        (State.READY, 1, OSError("gone"), True),
        # Interrupted, nobody knows where.
        (State.READY, 0, KeyboardInterrupt(), True),
    ],
)
def test_after_a_conversation(
    state: State, pending: int, error: BaseException | None, closed: bool
) -> None:
    client, engine = client_with()
    engine.state, engine.pending = state, pending
    if error is None:
        with client._conversation():
            assert not client.ready
    else:
        with pytest.raises(type(error)), client._conversation():
            raise error
    assert client.closed is closed
    assert client.ready is (not closed and state is State.READY)


def test_one_conversation_at_a_time() -> None:
    client, _ = client_with()
    with (
        client._conversation(),
        pytest.raises(LocalProtocolError, match="one at a time"),
        client._conversation(),
    ):
        raise AssertionError("there is one already")
    assert client.ready
    client.closed = True
    with pytest.raises(LocalProtocolError, match="is closed"), client._conversation():
        raise AssertionError("it is closed")
    assert list(client._goodbye()) == []


def test_what_it_says() -> None:
    """Each of its conversations, with a server in memory."""
    inbox = Inbox()
    link = serve(inbox, extensions=[*standard(), ExpnExtension()])
    client = ClientBase(begin(link), None, ClientSettings(to_ascii=lambda domain: domain))
    assert client.ready
    assert client.to_ascii is not None
    assert link.run(client._noop()).code == 250
    assert link.run(client._verify("bob")).code == 252
    assert link.run(client._expand("friends")).code == 252
    assert link.run(client._help("")).code == 214
    assert link.run(client._reset()).code == 250
    envelope = Envelope.of("alice@client.example", ["bob@mx.example"])
    assert link.run(client._delivery(envelope, CONTENT)).complete
    message = EmailMessage()
    message["From"], message["To"] = "alice@client.example", "bob@mx.example"
    message.set_content("Hello")
    assert link.run(client._message(message, None, None)).complete
    assert client.deliveries == len(inbox.messages) == 2
    link.run(client._goodbye())
    assert not client.ready


class Pieces(AsyncGenerator[bytes, None]):
    """An asynchronous generator for an adapter that cannot wait."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.closed = 0
        self.pieces = list(pieces)
        self.problem: Exception | None = None

    def __anext__(self) -> Any:
        if not self.pieces:
            raise StopAsyncIteration
        piece = self.pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        return piece

    def asend(self, value: None) -> Any:
        raise AssertionError("nobody sends")

    def athrow(self, *error: Any) -> Any:
        raise AssertionError("nobody throws")

    def aclose(self) -> Any:
        self.closed += 1
        if self.problem is not None:
            raise self.problem


def test_an_asynchronous_generator_is_closed_in_the_end() -> None:
    link = serve()
    client = ClientBase(begin(link), None, ClientSettings())
    pieces = Pieces(ZeroDivisionError("a defect of the caller"))
    envelope = Envelope.of("alice@client.example", ["bob@mx.example"])
    with pytest.raises(ZeroDivisionError):
        link.run(client._delivery(envelope, pieces))
    assert pieces.closed == 1


def test_what_is_raised_when_it_is_closed_hides_no_delivery() -> None:
    link = serve()
    client = ClientBase(begin(link), None, ClientSettings())
    envelope = Envelope.of("alice@client.example", ["bob@mx.example"])
    pieces = Pieces(CONTENT)
    assert link.run(client._delivery(envelope, pieces)).error is None
    assert pieces.closed == 1
    pieces = Pieces(CONTENT)
    pieces.problem = LookupError("the disk is gone")
    delivery = link.run(client._delivery(envelope, pieces))
    assert delivery.complete
    assert delivery.error is pieces.problem
