from __future__ import annotations

import socket
from datetime import timezone
from typing import Any

import pytest

from smtpproto.adapters import host, sockets, tls_contexts
from smtpproto.adapters.listening import ListeningSettings, Running, start_listening
from smtpproto.conversations import Admission, ServerTLS


class Discard:
    def message(self, session: object, envelope: object, content: bytes) -> None:
        """Take it."""


def test_a_server_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "hostname", lambda: "mx.example.org")
    listening = start_listening(Discard(), ListeningSettings())
    running = Running(listening)
    assert running.addresses == [(running.host, running.port)]
    assert running.host == "127.0.0.1"
    assert listening.factory.hostname == "mx.example.org"
    clock = listening.factory.settings.clock
    assert clock is not None
    assert clock().tzinfo is timezone.utc
    assert listening.factory.settings.nonce is host.nonce
    assert listening.settings.timeout is None
    assert listening.settings.grace == 30.0
    with pytest.raises(OSError, match="needs a context"):
        listening.handshake.current()
    listening.close()
    assert listening.listeners[0].fileno() == -1


def test_who_comes_is_let_in_or_told_why_not() -> None:
    listening = start_listening(
        Discard(), ListeningSettings(hostname="mx.example.org", admission=Admission(most=1))
    )
    (listener,) = listening.listeners
    try:
        assert listening.accept(listener) is None
        with socket.create_connection(listening.addresses[0]) as one:
            assert not listening.factory.sessions
            arrival = listening.accept(listener)
            assert arrival is not None
            with arrival.sock:
                assert arrival.session.peer == "127.0.0.1"
                assert arrival.sock.getpeername() == one.getsockname()
                with socket.create_connection(listening.addresses[0]) as other:
                    assert listening.accept(listener) is None
                    assert other.recv(1000).startswith(b"421 too many connections")
                    assert other.recv(1000) == b""
            listening.leave(arrival.session)
            assert listening.factory.sessions == 0
    finally:
        listening.close()


def test_listeners_may_be_given(tmp_path: Any) -> None:
    """Whose path, if any, is not ours to remove."""
    path = str(tmp_path / "smtp")
    listening = start_listening(
        Discard(), ListeningSettings(listeners=sockets.listen(path=path), path=path)
    )
    listening.close()
    assert (tmp_path / "smtp").exists()
    listening = start_listening(Discard(), ListeningSettings(path=path, grace=1.0, timeout=2.0))
    assert (listening.settings.grace, listening.settings.timeout) == (1.0, 2.0)
    listening.close()
    assert not (tmp_path / "smtp").exists()


@pytest.mark.parametrize(
    "options, error, complaint",
    [
        ({"tls": ServerTLS.IMPLICIT}, ValueError, "needs a tls_context"),
        ({"tls": ServerTLS.STARTTLS}, ValueError, "needs a tls_context"),
        ({"tls": ServerTLS.NONE, "tls_context": object}, ValueError, "does not use the given"),
    ],
)
def test_what_makes_no_server(options: Any, error: type[Exception], complaint: str) -> None:
    with pytest.raises(error, match=complaint):
        start_listening(Discard(), ListeningSettings(**options))


def test_who_has_a_certificate_offers_starttls() -> None:
    listening = start_listening(
        Discard(), ListeningSettings(tls_context=tls_contexts.client_context())
    )
    listening.close()
    assert listening.factory.settings.tls is ServerTLS.STARTTLS
    listening = start_listening(Discard(), ListeningSettings(tls_context=None))
    listening.close()
    assert listening.factory.settings.tls is ServerTLS.NONE


def test_what_does_not_listen_makes_no_server() -> None:
    with socket.socket() as sock, pytest.raises(ValueError, match="listening socket"):
        start_listening(Discard(), ListeningSettings(listeners=[sock]))


# --- who waits in the queue when a server stops -----------------------------------------------


def queue(listener: socket.socket, many: int = 3) -> list[socket.socket]:
    """Clients that have connected and were not accepted yet."""
    return [socket.create_connection(listener.getsockname(), 10) for _ in range(many)]


def heard(client: socket.socket) -> bytes:
    with client, client.makefile("rb") as file:
        return file.read()


def test_who_waits_is_told_that_the_server_stops() -> None:
    listening = start_listening(Discard(), ListeningSettings(hostname="mx.example.org"))
    clients = queue(listening.listeners[0])
    listening.close()
    stops = b"421 the server is being stopped, try again later\r\n"
    assert [heard(client) for client in clients] == [stops] * 3


def test_nothing_is_said_where_it_would_not_be_understood() -> None:
    context = tls_contexts.client_context()
    listening = start_listening(
        Discard(), ListeningSettings(tls=ServerTLS.IMPLICIT, tls_context=context)
    )
    clients = queue(listening.listeners[0])
    listening.close()
    assert [heard(client) for client in clients] == [b""] * 3


def test_who_waits_at_a_shared_listener_is_left_to_the_others() -> None:
    (kept,) = sockets.listen()
    (shared,) = sockets.adopt([kept.dup()])
    listening = start_listening(
        Discard(), ListeningSettings(listeners=[shared], listeners_shared=True)
    )
    clients = queue(kept)
    listening.close()
    for client in clients:
        accepted, _ = kept.accept()
        accepted.sendall(b"220 hello\r\n")
        accepted.close()
        assert heard(client) == b"220 hello\r\n"
    kept.close()
