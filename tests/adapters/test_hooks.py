"""What a handler is given over real connections, and the answers it gives one by one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from email import message_from_bytes
from typing import Any

import pytest

from smtpproto import Protocol, Reply, Session
from smtpproto.adapters.tls_contexts import client_context
from smtpproto.conversations import Envelope, ServerTLS, TLSMode
from tests.adapters.worlds import ENVELOPE, Inbox, Raw, World
from tests.interop.certificates import CA, SERVER

NO = Reply(550, "5.7.1", "no")


class Watching(Inbox):
    def __init__(self) -> None:
        super().__init__()
        self.ports: set[tuple[str, int]] = set()
        self.states: list[dict[str, Any]] = []

    def ehlo(self, session: Session, hello: Any) -> None:
        session.state["hellos"] = session.state.get("hellos", 0) + 1
        self.note(session)

    def rcpt(self, session: Session, rcpt: Any) -> Reply | None:
        assert session.transaction is not None
        self.note(session)
        return NO if session.transaction.mail.reverse_path.mailbox is None else None

    def note(self, session: Session) -> None:
        self.ports.add((session.peer, session.peer_port))
        self.states.append(dict(session.state))

    def closed(self, session: Session) -> None:
        self.note(session)


def test_where_the_client_is_and_what_mail_said(world: World) -> None:
    inbox = Watching()
    with world.serve(inbox) as server, Raw(server) as raw:
        raw.reply()
        here = raw.sock.getsockname()
        raw.ask("EHLO client.example.org")
        raw.ask("MAIL FROM:<>")
        assert raw.ask("RCPT TO:<one@example.net>").startswith("550")
        raw.ask("RSET")
        raw.ask("MAIL FROM:<a@example.org>")
        assert raw.ask("RCPT TO:<one@example.net>").startswith("250")
        raw.ask("QUIT")
        assert raw.rest() == b""
    assert inbox.ports == {here}


def test_a_unix_socket_has_no_port(world: World, tmp_path: Any) -> None:
    inbox = Watching()
    path = str(tmp_path / "smtp")
    with world.serve(inbox, path=path), Raw(path) as raw:
        raw.reply()
        raw.ask("EHLO client.example.org")
        raw.ask("QUIT")
        raw.rest()
    assert inbox.ports == {("", 0)}


def test_the_state_stays_when_tls_begins(world: World, tmp_path: Any) -> None:
    from smtpproto.adapters.tls_contexts import ServerContext

    context = ServerContext()
    SERVER.configure_cert(context)
    trusting = client_context()
    CA.configure_trust(trusting)
    inbox = Watching()
    with (
        world.serve(inbox, tls=ServerTLS.STARTTLS, tls_context=context) as server,
        world.connect(server, tls=TLSMode.STARTTLS, tls_context=trusting) as client,
    ):
        assert client.session.tls is not None
    assert inbox.states[:2] == [{"hellos": 1}, {"hellos": 2}]
    assert len(inbox.ports) == 1


class Slowly:
    """Gives its second answer once the first has arrived."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.arrived = threading.Event()

    def message(self, session: Session, envelope: Envelope, content: bytes) -> Iterator[Any]:
        yield None
        assert self.arrived.wait(10)
        yield NO


class SlowlyAsync(Slowly):
    async def message(self, session: Session, envelope: Envelope, content: bytes) -> Any:
        yield None
        assert await self.world.in_thread(self.arrived.wait, 10)
        yield NO


@pytest.mark.parametrize("kind", [Slowly, SlowlyAsync])
def test_each_recipient_is_answered_as_soon_as_it_can_be(world: World, kind: type[Slowly]) -> None:
    if world.name == "sync" and kind is SlowlyAsync:
        with pytest.raises(TypeError, match="message is async"), world.serve(kind(world)):
            raise AssertionError("there is no server")
        return
    if world.name != "sync" and kind is Slowly:
        # It would hold up all other tasks, this test's client not among them.
        kind = SlowlyAsync
    handler = kind(world)
    with world.serve(handler, protocol=Protocol.LMTP) as server, Raw(server) as raw:
        raw.reply()
        raw.ask("LHLO client.example.org")
        raw.ask("MAIL FROM:<a@example.org>")
        raw.ask("RCPT TO:<one@example.net>")
        raw.ask("RCPT TO:<two@example.net>")
        raw.ask("DATA")
        raw.say("hello\r\n.")
        assert raw.reply().startswith("250")
        handler.arrived.set()
        assert raw.reply().startswith("550")
        assert raw.ask("NOOP").startswith("250")
        raw.ask("QUIT")


# --- the Received field -------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", Protocol)
def test_a_server_writes_a_received_field(world: World, protocol: Protocol) -> None:
    """RFC 5321 section 4.4, without being told to."""
    inbox = Inbox()
    with (
        world.serve(inbox, received=None, protocol=protocol) as server,
        world.connect(server, protocol=protocol) as client,
    ):
        assert client.send(ENVELOPE, b"Subject: x\r\n\r\nhello\r\n").complete
    (message,) = map(message_from_bytes, inbox.messages)
    assert message.keys() == ["Received", "Subject"]
    assert "by mx.example.org with " in message["Received"]
    assert "for <one@example.net>" in message["Received"]


def test_one_word_leaves_it_out(world: World) -> None:
    inbox = Inbox()
    with world.serve(inbox, received=False) as server, world.connect(server) as client:
        assert client.send(ENVELOPE, b"Subject: x\r\n\r\nhello\r\n").complete
    assert inbox.messages == [b"Subject: x\r\n\r\nhello\r\n"]


@pytest.mark.parametrize("name", ["my_host", "", "-x-", "host name"])
def test_a_host_without_a_proper_name_can_serve(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smtpproto.adapters.host.hostname", lambda: name)
    inbox = Inbox()
    with (
        world.serve(inbox, received=None, hostname=None) as server,
        world.connect(server) as client,
    ):
        assert client.send(ENVELOPE, b"\r\n").complete
    assert b"by localhost with " in inbox.messages[0]
