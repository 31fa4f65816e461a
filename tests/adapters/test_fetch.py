"""ATRN over both adapters, inside TLS: the connection turns round, the handshake stays."""

from __future__ import annotations

from typing import Any

import pytest

from smtpproto import LocalProtocolError, Session
from smtpproto.conversations import ServerTLS, TLSMode
from smtpproto.extensions import Atrn, OnDemandRelay, Turned, standard
from smtpproto.extensions.atrn import NO_MAIL
from smtpproto.sasl import Credentials, Users
from tests.adapters.test_tls import CLIENT, SERVER
from tests.adapters.worlds import ENVELOPE, Inbox, World, sessions, wait_until

USERS = Users({"customer": "secret"}, secret=b"sixteen octets..", iterations=4096)


class Provider(Inbox):
    """Has this many messages for whoever asks."""

    def __init__(self, many: int) -> None:
        super().__init__()
        self.left = many
        self.asked: list[Session] = []
        self.accepted = 0

    def command(self, session: Session, command: Any) -> Any:
        return NO_MAIL if isinstance(command, Atrn) and not self.left else None

    def waiting(self, session: Session) -> Any:
        self.asked.append(session)
        self.left -= 1
        content = b"Subject: one of several\r\n\r\n" + b"x" * 70 + b"\r\n"
        return None if self.left < 0 else (ENVELOPE, [content, content * 2000])

    def relayed(self, session: Session, delivery: Any) -> None:
        self.accepted += len(delivery.accepted)


SERVING: dict[str, Any] = {
    "extensions": [*standard(), OnDemandRelay()],
    "users": USERS,
    "tls": ServerTLS.STARTTLS,
    "tls_context": SERVER,
}
CONNECTING: dict[str, Any] = {
    "credentials": Credentials(username="customer", password="secret"),
    "tls": TLSMode.STARTTLS,
    "tls_context": CLIENT,
}


def test_the_customer_gets_what_waits(world: World) -> None:
    provider, customer = Provider(3), Inbox()
    with world.serve(provider, **SERVING) as server:
        with world.connect(server, **CONNECTING) as client:
            reply = client.fetch(customer, ["example.net"])
            assert reply.positive
            assert client.closed
            with pytest.raises(LocalProtocolError, match="closed"):
                client.noop()
        wait_until(lambda: not sessions(server))
    assert provider.accepted == 3
    assert [len(content) for content in customer.messages] == [99 * 2001] * 3
    assert customer.over == provider.over == 1
    session = provider.asked[0]
    turned = session.get(Turned)
    assert turned is not None
    assert (turned.identity, [str(each) for each in turned.domains]) == (
        "customer",
        ["example.net"],
    )
    assert session.secure


def test_a_handler_that_reads_the_content_as_it_comes(world: World) -> None:
    read: list[int] = []
    customer = world.streaming(lambda session, envelope, chunks: read.append(sum(map(len, chunks))))
    with (
        world.serve(Provider(1), **SERVING) as server,
        world.connect(server, **CONNECTING) as client,
    ):
        assert client.fetch(customer).positive
    assert read == [99 * 2001]


def test_nothing_waits(world: World) -> None:
    with (
        world.serve(Provider(0), **SERVING) as server,
        world.connect(server, **CONNECTING) as client,
    ):
        assert client.fetch(Inbox()).code == 453
        assert client.noop().positive


def test_who_is_not_known_gets_nothing(world: World) -> None:
    with (
        world.serve(Provider(1), **SERVING) as server,
        world.connect(server, **{**CONNECTING, "credentials": None}) as client,
    ):
        assert client.fetch(Inbox()).code == 530
        assert client.noop().positive
