from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest

from smtpproto import Domain, Ehlo, LocalProtocolError, State
from smtpproto.adapters import host, tls_contexts
from smtpproto.adapters.connecting import ConnectionSettings, begin
from smtpproto.adapters.nonblocking_channel import HandshakeSettings
from smtpproto.conversations import TLSMode
from smtpproto.conversations.client import opening as conversation
from smtpproto.conversations.io_requests import Send
from smtpproto.extensions import Size
from smtpproto.vocabulary.session_facts import Session


def begun(port: int = 25, **options: Any) -> tuple[Session, HandshakeSettings]:
    """What `begin` makes of a connection to this host."""
    settings = ConnectionSettings("mx.example.org", port, **options)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as sock,
    ):
        engine, _, handshake = begin(sock, settings)
        return engine.session, handshake


def named(**options: Any) -> bytes:
    """The EHLO with which a session begins."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as sock,
    ):
        _, flow, _ = begin(sock, ConnectionSettings(**options))
        next(flow)
        request = flow.send(b"220 mx.example.org\r\n")
    assert isinstance(request, Send)
    return request.data


def test_what_is_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    session, handshake = begun()
    assert session.peer == "127.0.0.1"
    assert not session.secure
    assert handshake.server_name == "mx.example.org"
    # To encrypt without knowing with whom is better than not to.
    assert handshake.current().verify_mode is ssl.CERT_NONE
    monkeypatch.setattr(host, "hostname", lambda: "laptop")
    assert named() == b"EHLO [127.0.0.1]\r\n"
    monkeypatch.setattr(host, "hostname", lambda: "laptop.example.org")
    assert named() == b"EHLO laptop.example.org\r\n"


@pytest.mark.parametrize(
    "port, mode", [(465, TLSMode.IMPLICIT), (587, TLSMode.STARTTLS), (2525, TLSMode.OPPORTUNISTIC)]
)
def test_the_port_says_where_tls_begins(port: int, mode: TLSMode) -> None:
    assert ConnectionSettings(port=port).tls_mode is mode
    _, handshake = begun(port)
    verifies = handshake.current().verify_mode is ssl.CERT_REQUIRED
    assert verifies is (mode is not TLSMode.OPPORTUNISTIC)


def test_what_is_given_counts() -> None:
    context = tls_contexts.client_context()
    _, handshake = begun(
        name="client.example.org",
        tls=TLSMode.NONE,
        tls_context=context,
        server_hostname="else.example.org",
    )
    assert handshake == HandshakeSettings(context, "else.example.org")
    assert handshake.current() is context
    assert named(name="client.example.org") == b"EHLO client.example.org\r\n"


def test_no_extension_is_another_thing_than_all() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as sock,
    ):
        for given, known in ((None, True), ((), False)):
            engine, _, _ = begin(sock, ConnectionSettings(extensions=given))
            for octets in (b"220 mx.example\r\n", b"250-mx.example\r\n250 SIZE 1000\r\n"):
                engine.receive_data(octets)
                engine.next_event()
                if engine.state is State.GREETED:
                    engine.send(Ehlo(Domain("client.example")))
            assert (Size in engine.offered) is known


def test_a_unix_socket_keeps_secrets() -> None:
    one, other = socket.socketpair()
    with one, other:
        engine, _, _ = begin(one, ConnectionSettings(path="/run/smtp"))
    assert engine.session.peer == "/run/smtp"
    assert engine.session.secure


def test_what_cannot_be_used() -> None:
    with pytest.raises(LocalProtocolError):
        begun(name="not a name")


def test_the_conversation_is_that_of_a_client() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as sock,
    ):
        _, flow, _ = begin(sock, ConnectionSettings())
    assert flow.gi_code is conversation.begin.__code__  # type: ignore[attr-defined]  # a generator's
