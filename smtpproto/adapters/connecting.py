"""What all adapters do to connect a client: its settings, and how its session begins."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..conversations import ClientSettings
from ..conversations.client.opening import begin as begin_session
from ..conversations.io_requests import Flow
from ..engine.client import Client
from ..field_types import check_seconds, check_type
from ..timeouts import CONNECT_TIMEOUT
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Session
from . import host as machine
from .nonblocking_channel import HandshakeSettings

if TYPE_CHECKING:
    import ssl

    from ..vocabulary.addresses import AddressLiteral, Domain
    from .tls_contexts import Context

__all__ = [
    "ConnectionSettings",
    "begin",
    "check_settings",
    "engine_for",
    "name_for",
]


@dataclass(frozen=True)
class ConnectionSettings(ClientSettings):
    """How the client reaches the server.

    Arguments:
        host: a name or an IP address.
        port: 25 for relaying, 587 or 465 for submission (RFC 6409, RFC 8314), by custom 24 for
            LMTP.
        path: a Unix socket to use instead of host and port.
        source_address: the IP address to connect from.
        connect_timeout: seconds to wait for the connection.
        timeout: seconds that no wait may exceed; None: the limits of RFC 5321 section 4.5.3.2,
            which are minutes.
        tls_context: None for `client_context()`.
        server_hostname: the name that the server's certificate must have; None: the host.
        nonce: the default is the host's random nonces.

    Raises:
        ValueError: the host holds more than a name or an IP address, there is no such port, or a
            time is not above 0 and finite.
    """

    host: str = "localhost"
    port: int = 25
    path: str | None = field(default=None, kw_only=True)
    source_address: str | None = field(default=None, kw_only=True)
    connect_timeout: float = field(default=CONNECT_TIMEOUT, kw_only=True)
    timeout: float | None = field(default=None, kw_only=True)
    tls_context: Context | None = field(default=None, kw_only=True)
    server_hostname: str | None = field(default=None, kw_only=True)
    nonce: Callable[[], str] | None = field(default=machine.nonce, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seconds(zero=False, connect_timeout=self.connect_timeout, timeout=self.timeout)
        machine.check_address(self.host, self.port)
        if self.tls_context is not None:
            # Loaded here, as in `_default_context`: a client without TLS does not need it.
            from ssl import SSLContext  # noqa: PLC0415

            check_type("tls_context", self.tls_context, SSLContext, Callable)  # type: ignore[arg-type]  # it is a class


def check_settings(settings: ConnectionSettings) -> None:
    """Refuse what `connect_with` and a pool cannot take.

    Raises:
        TypeError: the settings are something else.
    """
    if not isinstance(settings, ConnectionSettings):
        raise TypeError(f"settings: expected ConnectionSettings(host, port), found {settings!r}")


def begin(
    sock: socket.socket, settings: ConnectionSettings
) -> tuple[Client, Flow[Reply], HandshakeSettings]:
    """Return a client's engine, the conversation that begins its session, and its handshake.

    Arguments:
        sock: a connected socket.
        settings: the settings of the session.
    """
    engine, name = engine_for(sock, settings), name_for(sock, settings)
    handshake = HandshakeSettings(
        # Made only for a handshake: reading the system's certificates is slow.
        settings.tls_context or (lambda: _default_context(settings)),
        settings.server_hostname or settings.host,
    )
    return engine, begin_session(engine, settings, name), handshake


def _default_context(settings: ConnectionSettings) -> ssl.SSLContext:
    from .tls_contexts import client_context  # noqa: PLC0415

    return client_context(verify=settings.verifies)


def engine_for(sock: socket.socket, settings: ConnectionSettings) -> Client:
    """Return a client's engine, see `begin`."""
    return Client(
        settings.extensions,
        limits=settings.limits,
        protocol=settings.protocol,
        line_endings=settings.line_endings,
        session=_session_with(sock, settings.path),
        observer=settings.observer,
    )


def name_for(sock: socket.socket, settings: ConnectionSettings) -> Domain | AddressLiteral:
    """Return the name to say in EHLO: the local address is known only once there is a socket."""
    address = sock.getsockname()[0] if settings.path is None else None
    return settings.ehlo_name(machine.hostname(), address)


def _session_with(sock: socket.socket, path: str | None) -> Session:
    if path is not None:
        # Octets in a Unix socket stay on this host.
        return Session(peer=path, secure=True)
    address, port, *_ = sock.getpeername()
    return Session(peer=address, peer_port=port)
