"""A server that listens, as both adapters run it: its settings, its sockets, who is let in."""

from __future__ import annotations

import contextlib
import functools
import itertools
import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..conversations import ServerSettings, ServerTLS, Service
from ..conversations.requests import Flow
from ..conversations.server.session import BUSY, DRAINING
from ..errors import LocalProtocolError
from ..timeouts import STOP_TIMEOUT
from ..vocabulary.addresses import Domain
from ..vocabulary.replies import Reply
from ..vocabulary.session import Session
from . import host as machine
from . import sockets
from . import tls as security

__all__ = ["Arrival", "Listening", "ListeningSettings", "Running", "start_listening"]


@dataclass(frozen=True, kw_only=True)
class ListeningSettings(ServerSettings):
    """Where and how a server listens, besides `ServerSettings`.

    Arguments:
        host: name or IP address to listen on; None for all of the host.
        port: 0 for any that is free.
        path: a Unix socket to listen on instead.
        reuse_port: whether other processes may listen there too and share the load (SO_REUSEPORT).
        listeners: sockets that listen already, instead; they are closed with the server.
        listeners_shared: whether others go on accepting from these sockets, such as the process
            that passed them.  Then clients that wait in their queue when the server stops are left
            to the others; if not, they are told that the server stops.
        tls_context: what `server_context` of `smtpproto.adapters.tls` gives, or a callable that is
            asked for each handshake, such as `CertificateFiles` there.
        timeout: seconds that no wait may pass; None: what RFC 5321 section 4.5.3.2 asks for.
        grace: seconds that running transactions have once the server is to stop.
        received: see `ServerSettings`; here it is True if not given.
    """

    host: str | None = "127.0.0.1"
    port: int = 0
    path: str | None = None
    reuse_port: bool = False
    listeners: Iterable[socket.socket] | None = None
    listeners_shared: bool = False
    tls_context: security.Context | None = None
    timeout: float | None = None
    grace: float = STOP_TIMEOUT
    received: bool = True


class Arrival(NamedTuple):
    """A connection that has a session: `Listening.leave(session)` once the conversation is over."""

    sock: socket.socket
    session: Session
    flow: Flow[None]


@dataclass(frozen=True, slots=True)
class Listening:
    """A server as an adapter gets it.

    Arguments:
        service: makes the conversations.
        settings: of the server.
        listeners: non-blocking.
        handshake: how sessions begin TLS.
        addresses: where it listens: host and port, of a Unix socket its path and 0.
    """

    service: Service
    settings: ListeningSettings
    listeners: list[socket.socket]
    handshake: security.Handshake
    addresses: list[tuple[str, int]]

    def accept(self, listener: socket.socket) -> Arrival | None:
        """Accept a connection; one that there is no room for is told so and closed.

        Returns:
            None if there is none.

        Raises:
            Overloaded, NotListening: see `host.accept`.
        """
        accepted = sockets.accept(listener)
        if accepted is None:
            return None
        sock, peer, port = accepted
        session = Session(peer=peer, peer_port=port)
        try:
            flow = self.service.open(session)
        except BaseException:
            sock.close()
            raise
        if flow is not None:
            return Arrival(sock, session, flow)
        self._turn_away(sock, BUSY)
        return None

    def _turn_away(self, sock: socket.socket, reply: Reply) -> None:
        with sock, contextlib.suppress(OSError):
            # It fits an empty buffer, and nobody waits for this client.
            sock.setblocking(False)
            sock.send(self.service.farewell(reply))

    def leave(self, session: Session) -> None:
        """A session is over."""
        self.service.close(session)

    def close(self) -> None:
        """Listen no more, and begin no more mail transactions."""
        self.service.stop()
        for listener in [] if self.settings.listeners_shared else self.listeners:
            # To close it would be to reset those who have connected and were not accepted yet.
            waiting = iter(functools.partial(sockets.accept, listener), None)
            with contextlib.suppress(sockets.Overloaded, sockets.NotListening):
                for sock, *_ in itertools.islice(waiting, sockets.BACKLOG):
                    self._turn_away(sock, DRAINING)
        # The path of a listener that was given is not ours to remove.
        path = self.settings.path if self.settings.listeners is None else None
        sockets.close_listeners(self.listeners, path)


class Running:
    """A running server, made by `serve`.

    `stop(timeout)` stops listening, sends 421 to idle sessions, waits for running transactions, and
    after `timeout` seconds (None: as `grace` said) closes the connections that are left.  `wait`
    waits until the server has stopped.

    A handler that has not returned half a second after that is logged, and `stop` and `wait` return
    without it; what it returns later has no effect.  With trio `serve` itself cannot return before
    all handlers have.  Over blocking sockets `stop` raises `RuntimeError` where a handler's method
    calls it, which would wait for itself.
    """

    def __init__(self, listening: Listening) -> None:
        self._listening = listening

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens: host and port, of a Unix socket its path and 0."""
        return self._listening.addresses

    @property
    def sessions(self) -> int:
        """How many sessions there are."""
        return self._listening.service.sessions

    @property
    def port(self) -> int:
        """The port of the first listener."""
        return self.addresses[0][1]


def start_listening(
    handler: object, settings: ListeningSettings, *, waits: bool | None = None
) -> Listening:
    """A service that listens.

    Arguments:
        handler: see `Handler`.
        settings: of the server.
        waits: whether the adapter awaits what is asynchronous; None if that is not known.

    Raises:
        OSError: it cannot listen there.
        TypeError: the handler is none.
        ValueError: TLS without a context, or a context without TLS; or a listener that does not
            listen.
        Exception: see `Service`.
    """
    settings = replace(
        settings,
        tls=_tls(settings),
        hostname=settings.hostname or _own_domain(),
        clock=settings.clock or machine.now,
        nonce=settings.nonce or machine.nonce,
    )
    service = Service(handler, settings, waits=waits, lock=threading.Lock())
    listeners = settings.listeners
    if listeners is None:
        listeners = sockets.listen(
            settings.host, settings.port, path=settings.path, reuse_port=settings.reuse_port
        )
    adopted = sockets.adopt(listeners)
    return Listening(
        service=service,
        settings=settings,
        listeners=adopted,
        handshake=security.Handshake(settings.tls_context),
        addresses=[sockets.address_of(listener) for listener in adopted],
    )


def _tls(settings: ListeningSettings) -> ServerTLS:
    """When TLS begins."""
    tls, context = settings.tls, settings.tls_context
    if tls is None:
        # Who has a certificate does not mean to serve plain text.
        return ServerTLS.NONE if context is None else ServerTLS.STARTTLS
    if context is None and tls is not ServerTLS.NONE:
        raise ValueError(f"{tls} needs a tls_context")
    if context is not None and tls is ServerTLS.NONE:
        raise ValueError(f"a tls_context is given, and {tls} would not use it")
    return tls


def _own_domain() -> str:
    """The host's name, where it is one that a greeting and a Received field can have."""
    name = machine.hostname()
    try:
        Domain.parse(name)
    except LocalProtocolError:
        return "localhost"
    return name
