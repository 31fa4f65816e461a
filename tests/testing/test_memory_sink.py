"""The throw-away server in memory, for clients of this package and for smtplib."""

from __future__ import annotations

import smtplib
from typing import Any

import pytest

from smtpproto.conversations import (
    ClientSettings,
    ConnectionLost,
    Envelope,
    Status,
    TLSMode,
)
from smtpproto.sasl import Credentials
from smtpproto.testing import MemorySink, connect

ENVELOPE = Envelope.of("a@client.example", ["bob@mx.example", "eve@mx.example"])
CONTENT = b"Subject: hi\r\n\r\nhello\r\n"


class Client(smtplib.SMTP):
    """smtplib with a socket in memory."""

    def __init__(self, server: MemorySink) -> None:
        self._server = server
        super().__init__("mx.example")

    def _get_socket(self, *_: Any) -> Any:
        return self._server.socket()


def test_a_client_of_this_package_sends_to_it() -> None:
    server = MemorySink()
    server.reject("rcpt", "bob@*", 550, "5.1.1", "no such mailbox", times=1)
    with connect(server.link()) as client:
        delivery = client.send(ENVELOPE, CONTENT)
        client.send(ENVELOPE, CONTENT)
    assert [outcome.status for outcome in delivery.outcomes] == [Status.REFUSED, Status.ACCEPTED]
    first, second = server.messages
    assert first.recipients == ["eve@mx.example"]
    assert second.recipients == ["bob@mx.example", "eve@mx.example"]
    assert first.content == CONTENT
    assert "S: 550 5.1.1 no such mailbox" in server.conversation


def test_smtplib_sends_to_it() -> None:
    server = MemorySink()
    with Client(server) as client:
        client.sendmail("a@client.example", "bob@mx.example", "Subject: hi\n\nhello\n")
    assert server.messages[0].parsed["Subject"] == "hi"


def test_tls_and_users() -> None:
    server = MemorySink(tls="starttls", users={"me": "secret"})
    settings = ClientSettings(
        name="client.example",
        nonce=lambda: "nonce",
        tls=TLSMode.STARTTLS,
        credentials=Credentials(username="me", password="secret"),
    )
    with connect(server.link(), settings=settings) as client:
        assert client.send(ENVELOPE, CONTENT).complete
    session = server.messages[0].session
    assert session.tls is not None
    assert session.identity == "me"


@pytest.mark.parametrize("tls", [TLSMode.STARTTLS, TLSMode.IMPLICIT])
def test_tls_fails(tls: TLSMode) -> None:
    server = MemorySink(tls="starttls" if tls is TLSMode.STARTTLS else "implicit")
    server.fail_tls("expired")
    with pytest.raises(ConnectionLost):
        connect(server.link(), settings=ClientSettings(name="client.example", tls=tls))
    assert "(the TLS handshake failed" in server.conversation


def test_without_tls_it_cannot_fail() -> None:
    with pytest.raises(ValueError, match="this server has no TLS: say tls='starttls' or"):
        MemorySink().fail_tls("expired")


def test_no_time_passes() -> None:
    server = MemorySink()
    fault = server.delay("mail", 10_000)
    with connect(server.link()) as client:
        assert client.send(ENVELOPE, CONTENT).complete
    assert fault.happened == 1


def test_a_wrong_setting_is_refused() -> None:
    with pytest.raises(TypeError, match=r"MemorySink.* has no option tsl"):
        MemorySink(tsl="starttls")  # type: ignore[call-arg]
