from __future__ import annotations

import socket
import ssl
from typing import Any, cast

import pytest

from smtpproto import LocalProtocolError
from smtpproto.adapters import host, sockets, tls
from smtpproto.adapters.options import ConnectOptions, Running, begin, listening, opening_of
from smtpproto.conversations import Admission, Opening, ServerTLS, TLSMode
from smtpproto.conversations.client import opening as conversation
from smtpproto.vocabulary.session import Session


class Discard:
    def message(self, session: object, envelope: object, content: bytes) -> None:
        """Take it."""


# --- a client's -------------------------------------------------------------------------------


@pytest.fixture
def openings(monkeypatch: pytest.MonkeyPatch) -> list[Opening]:
    """How the sessions were to begin."""
    found: list[Opening] = []
    monkeypatch.setattr(
        "smtpproto.adapters.options.begin_session", lambda _, opening: found.append(opening)
    )
    return found


def begun(port: int = 25, **options: Any) -> tuple[Session, tls.Handshake]:
    """What `begin` makes of a connection to this host."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as sock,
    ):
        given = cast("ConnectOptions", options)
        engine, _, handshake = begin(sock, opening_of("mx.example.org", port, given), given)
        return engine.session, handshake


def test_what_is_usual(openings: list[Opening], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "hostname", lambda: "laptop")
    session, handshake = begun()
    assert session.peer == "127.0.0.1"
    assert not session.secure
    (opening,) = openings
    assert str(opening.name) == "[127.0.0.1]"
    assert opening.tls is TLSMode.OPPORTUNISTIC
    assert (opening.host, opening.port) == ("mx.example.org", 25)
    assert handshake.server_name == "mx.example.org"
    # To encrypt without knowing with whom is better than not to.
    assert handshake.current().verify_mode is ssl.CERT_NONE


@pytest.mark.parametrize(
    "port, mode", [(465, TLSMode.IMPLICIT), (587, TLSMode.STARTTLS), (2525, TLSMode.OPPORTUNISTIC)]
)
def test_the_port_says_where_tls_begins(openings: list[Opening], port: int, mode: TLSMode) -> None:
    _, handshake = begun(port)
    assert openings[0].tls is mode
    verifies = handshake.current().verify_mode is ssl.CERT_REQUIRED
    assert verifies is (mode is not TLSMode.OPPORTUNISTIC)


def test_what_is_given_counts(openings: list[Opening]) -> None:
    context = tls.client_context()
    _, handshake = begun(
        name="client.example.org",
        tls=TLSMode.NONE,
        tls_context=context,
        server_hostname="else.example.org",
        allow_plaintext=("PLAIN",),
    )
    assert handshake == tls.Handshake(context, "else.example.org")
    assert handshake.current() is context
    assert str(openings[0].name) == "client.example.org"
    assert openings[0].tls is TLSMode.NONE
    assert openings[0].allow_plaintext == ("PLAIN",)


def test_no_extension_is_another_thing_than_all(openings: list[Opening]) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as sock,
    ):
        for given, known in ((None, True), ((), False)):
            options: ConnectOptions = {"extensions": given}
            engine, _, _ = begin(sock, opening_of("localhost", 25, options), options)
            assert bool(engine._catalogue.kinds) is known


def test_a_unix_socket_keeps_secrets(openings: list[Opening]) -> None:
    one, other = socket.socketpair()
    with one, other:
        options: ConnectOptions = {"path": "/run/smtp", "name": None}
        engine, _, _ = begin(one, opening_of("localhost", 25, options), options)
    assert engine.session.peer == "/run/smtp"
    assert engine.session.secure


def test_what_cannot_be_used() -> None:
    with pytest.raises(TypeError, match="no option nmae, tsl"):
        begun(nmae="client.example.org", tsl=None)
    with pytest.raises(LocalProtocolError):
        begun(name="not a name")


@pytest.mark.parametrize("tls", ["starttls", "", True, False, ServerTLS.STARTTLS])
def test_what_is_no_tls_mode_is_not_taken_for_no_tls(tls: Any) -> None:
    with pytest.raises(TypeError, match="tls: expected a TLSMode, found"):
        begun(tls=tls)


def test_the_conversation_is_that_of_a_client() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as sock,
    ):
        _, flow, _ = begin(sock, opening_of("localhost", 25, {}), {})
    assert flow.gi_code is conversation.begin.__code__  # type: ignore[attr-defined]  # a generator's


# --- a server's -------------------------------------------------------------------------------


def test_a_server_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "hostname", lambda: "mx.example.org")
    settings = listening(Discard(), {})
    running = Running(settings)
    assert running.addresses == [("127.0.0.1", running.port)]
    assert settings.service.hostname == "mx.example.org"
    assert settings.service.clock is host.now
    assert settings.service.nonce is host.nonce
    assert settings.timeout is None
    assert settings.grace == 30.0
    with pytest.raises(ssl.SSLError):
        settings.handshake.current()
    settings.close()
    assert settings.listeners[0].fileno() == -1


def test_who_comes_is_let_in_or_told_why_not() -> None:
    settings = listening(Discard(), {"hostname": "mx.example.org", "admission": Admission(most=1)})
    (listener,) = settings.listeners
    try:
        assert settings.accept(listener) is None
        with socket.create_connection(settings.addresses[0]) as one:
            assert not settings.service.sessions
            arrival = settings.accept(listener)
            assert arrival is not None
            with arrival.sock:
                assert arrival.session.peer == "127.0.0.1"
                assert arrival.sock.getpeername() == one.getsockname()
                with socket.create_connection(settings.addresses[0]) as other:
                    assert settings.accept(listener) is None
                    assert other.recv(1000).startswith(b"421 too many connections")
                    assert other.recv(1000) == b""
            settings.leave(arrival.session)
            assert settings.service.sessions == 0
    finally:
        settings.close()


def test_listeners_may_be_given(tmp_path: Any) -> None:
    """Whose path, if any, is not ours to remove."""
    path = str(tmp_path / "smtp")
    settings = listening(Discard(), {"listeners": sockets.listen(path=path), "path": path})
    settings.close()
    assert (tmp_path / "smtp").exists()
    settings = listening(Discard(), {"path": path, "grace": 1.0, "timeout": 2.0})
    assert (settings.grace, settings.timeout) == (1.0, 2.0)
    settings.close()
    assert not (tmp_path / "smtp").exists()


@pytest.mark.parametrize(
    "options, error, complaint",
    [
        ({"tls": ServerTLS.IMPLICIT}, ValueError, "needs a tls_context"),
        ({"tls": ServerTLS.STARTTLS}, ValueError, "needs a tls_context"),
        ({"tls": ServerTLS.NONE, "tls_context": object()}, ValueError, "would not use it"),
        ({"prot": 25}, TypeError, "prot"),
    ],
)
def test_what_makes_no_server(options: Any, error: type[Exception], complaint: str) -> None:
    with pytest.raises(error, match=complaint):
        listening(Discard(), options)


def test_who_has_a_certificate_offers_starttls() -> None:
    settings = listening(Discard(), {"tls_context": tls.client_context()})
    settings.close()
    assert settings.service.tls is ServerTLS.STARTTLS
    settings = listening(Discard(), {"tls_context": None})
    settings.close()
    assert settings.service.tls is ServerTLS.NONE


def test_what_does_not_listen_makes_no_server() -> None:
    with socket.socket() as sock, pytest.raises(ValueError, match="listening socket"):
        listening(Discard(), {"listeners": [sock]})


# --- who waits in the queue when a server stops -----------------------------------------------


def queue(listener: socket.socket, many: int = 3) -> list[socket.socket]:
    """Clients that have connected and were not accepted yet."""
    return [socket.create_connection(listener.getsockname(), 10) for _ in range(many)]


def heard(client: socket.socket) -> bytes:
    with client, client.makefile("rb") as file:
        return file.read()


def test_who_waits_is_told_that_the_server_stops() -> None:
    settings = listening(Discard(), {"hostname": "mx.example.org"})
    clients = queue(settings.listeners[0])
    settings.close()
    stops = b"421 the server is being stopped, try again later\r\n"
    assert [heard(client) for client in clients] == [stops] * 3


def test_nothing_is_said_where_it_would_not_be_understood() -> None:
    context = tls.client_context()
    settings = listening(Discard(), {"tls": ServerTLS.IMPLICIT, "tls_context": context})
    clients = queue(settings.listeners[0])
    settings.close()
    assert [heard(client) for client in clients] == [b""] * 3


def test_who_waits_at_a_shared_listener_is_left_to_the_others() -> None:
    (kept,) = sockets.listen()
    (shared,) = sockets.adopt([kept.dup()])
    settings = listening(Discard(), {"listeners": [shared], "listeners_shared": True})
    clients = queue(kept)
    settings.close()
    for client in clients:
        accepted, _ = kept.accept()
        accepted.sendall(b"220 hello\r\n")
        accepted.close()
        assert heard(client) == b"220 hello\r\n"
    kept.close()
