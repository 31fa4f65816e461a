from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import nullcontext
from email.message import EmailMessage
from typing import Any

import pytest

from smtpproto import Client, Command, LocalProtocolError, Mail, Noop, Quit, ReversePath
from smtpproto.conversations import ClientSettings, Envelope, TLSMode
from smtpproto.conversations import client as submit
from smtpproto.conversations.io_requests import Flow, Send
from smtpproto.extensions import ExpnExtension, ServerLimits
from smtpproto.extensions.known import standard
from smtpproto.testing import connect
from tests.conversations.driver import CONTENT, Inbox

MAIL, NOOP, QUIT = Mail(ReversePath.of("")), Noop(), Quit()
ENVELOPE = Envelope.of("alice@client.example", ["bob@mx.example"])


def test_it_shows_what_the_engine_knows() -> None:
    settings = ClientSettings(name="client.example", tls=TLSMode.NONE, chunking=True)
    client = connect(Inbox(), settings=settings, extensions=[ServerLimits(mailmax=7)])
    assert client.session is client.engine.session
    assert client.offered is client.engine.offered
    assert client.chunking
    assert client.to_ascii is None
    assert client.most_deliveries == 7
    assert connect(Inbox(), extensions=()).most_deliveries is None


def saying(engine: Client, *commands: Command) -> Flow[None]:
    """Say these, and read the replies of all but the last."""
    for command in commands[:-1]:
        yield from submit.ask(engine, command)
    for command in commands[-1:]:
        engine.send(command)
        yield Send(engine.data_to_send(), 1)


@pytest.mark.parametrize(
    "commands, error, closed",
    [
        ((), None, False),
        ((MAIL, NOOP), None, True),
        ((QUIT,), None, True),
        ((), LocalProtocolError("not possible"), False),
        ((MAIL, NOOP), LocalProtocolError("not possible"), True),
        ((NOOP,), OSError("gone"), True),
        # Interrupted, the state is unknown.
        ((), KeyboardInterrupt(), True),
    ],
)
def test_after_a_conversation(
    commands: tuple[Command, ...], error: BaseException | None, closed: bool
) -> None:
    client = connect(Inbox())

    def conversation() -> Flow[None]:
        assert not client.ready
        yield from saying(client.engine, *commands)
        if error is not None:
            raise error

    with pytest.raises(type(error)) if error else nullcontext():
        client.run(conversation())
    assert client.closed is closed
    assert client.ready is not closed


def test_a_transaction_under_way_is_no_reason_to_close() -> None:
    client = connect(Inbox())
    client.command(MAIL)
    assert not client.closed
    assert not client.ready
    with pytest.raises(LocalProtocolError):
        client.command(MAIL)
    assert client.closed


def test_one_conversation_at_a_time() -> None:
    client = connect(Inbox())

    def conversation() -> Flow[None]:
        for refused in (client.noop, client.quit):
            with pytest.raises(LocalProtocolError, match="this client is in use"):
                refused()
        yield from ()

    client.run(conversation())
    assert client.ready
    client.close()
    with pytest.raises(LocalProtocolError, match="is closed"):
        client.noop()
    client.quit()


def test_what_it_says() -> None:
    """Each of its conversations, with a server in memory."""
    inbox = Inbox()
    message = EmailMessage()
    message["From"], message["To"] = "alice@client.example", "bob@mx.example"
    message.set_content("Hello")
    with connect(inbox, extensions=[*standard(), ExpnExtension()]) as client:
        assert client.noop().code == 250
        assert client.verify("bob").code == 252
        assert client.expand("friends").code == 252
        assert client.help().code == 214
        assert client.command(MAIL).code == 250
        assert client.reset().code == 250
        assert client.send(ENVELOPE, CONTENT).complete
        assert client.send_message(message).complete
        assert client.deliveries == len(inbox.messages) == 2
    assert client.closed
    assert b"Hello\r\n" in inbox.messages[1][2]


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
    client = connect(Inbox())
    pieces = Pieces(ZeroDivisionError("a defect of the caller"))
    with pytest.raises(ZeroDivisionError):
        client.send(ENVELOPE, pieces)
    assert pieces.closed == 1


def test_what_is_raised_when_it_is_closed_hides_no_delivery() -> None:
    client = connect(Inbox())
    pieces = Pieces(CONTENT)
    assert client.send(ENVELOPE, pieces).error is None
    assert pieces.closed == 1
    pieces = Pieces(CONTENT)
    pieces.problem = LookupError("the disk is gone")
    delivery = client.send(ENVELOPE, pieces)
    assert delivery.complete
    assert delivery.error is pieces.problem
