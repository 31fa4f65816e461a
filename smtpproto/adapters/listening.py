"""What all adapters do to run a server: its settings, its sockets, the clients it accepts."""

from __future__ import annotations

import contextlib
import functools
import itertools
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from types import NoneType
from typing import NamedTuple

from ..conversations import ServerSettings, ServerTLS, SessionFactory
from ..conversations.io_requests import Flow
from ..conversations.server.session import BUSY, STOPPING
from ..field_types import check_seconds, check_type
from ..timeouts import STOP_TIMEOUT
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Session
from . import host as machine
from . import sockets
from . import tls_contexts as security
from .nonblocking_channel import HandshakeSettings

__all__ = [
    "Arrival",
    "Listening",
    "ListeningSettings",
    "Running",
    "check_settings",
    "start_listening",
]


@dataclass(frozen=True, kw_only=True)
class ListeningSettings(ServerSettings):
    """Where and how a server listens, in addition to `ServerSettings`.

    Arguments:
        host: a name or an IP address to listen on; None for all addresses of the host.
        port: the port; 0 for any free one.
        path: a Unix socket to listen on instead.
        reuse_port: whether other processes may listen there too and share the load (SO_REUSEPORT).
        listeners: listening sockets to use instead; they are closed with the server.
        listeners_shared: whether other processes also accept from these sockets, such as the one
            that passed them.  If True, these processes serve the clients that wait in the queue
            when the server stops.  If False, the server sends 421 to these clients.
        tls_context: a context from `server_context`, or a function that returns one for each
            handshake, such as `CertificateFiles`.
        timeout: seconds that no wait may exceed; None: the limits of RFC 5321 section 4.5.3.2.
        grace: seconds that running transactions have when the server stops.
        received: see `ServerSettings`; the default here is True.

    Raises:
        ValueError: the host holds more than a name or an IP address, there is no such port, or a
            time is negative or not finite, or `timeout` is 0.
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

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seconds(zero=False, timeout=self.timeout)
        check_seconds(grace=self.grace)
        machine.check_address(self.host or "", self.port)


class Arrival(NamedTuple):
    """An accepted connection with a session; call `Listening.leave(session)` at its end."""

    sock: socket.socket
    session: Session
    flow: Flow[None]


@dataclass(frozen=True, slots=True)
class Listening:
    """The session factory and the sockets of a server, ready for an adapter.

    Arguments:
        factory: makes the conversations.
        settings: of the server.
        listeners: non-blocking.
        handshake: how sessions begin TLS.
        addresses: where it listens: host and port, of a Unix socket its path and 0.
    """

    factory: SessionFactory
    settings: ListeningSettings
    listeners: list[socket.socket]
    handshake: HandshakeSettings
    addresses: list[tuple[str, int]]

    def accept_all(self, listener: socket.socket, begin: Callable[[Arrival], None]) -> bool:
        """Begin a session for each client that waits, but not for too many at once.

        Arguments:
            listener: one of the listeners.
            begin: begins a session; its adapter ends it.

        Returns:
            False if something failed: wait `sockets.PAUSE` seconds before the next call.

        Raises:
            NotListening: see `sockets.accept`.
        """
        try:
            for _ in range(sockets.MOST_ACCEPTED_AT_ONCE):
                arrival = self.accept(listener)
                if arrival is None:
                    break
                try:
                    begin(arrival)
                except BaseException:
                    self.leave(arrival.session)
                    arrival.sock.close()
                    raise
        except (sockets.NotListening, KeyboardInterrupt):
            raise
        except sockets.Overloaded:
            return False
        except BaseException:  # noqa: BLE001  # the server goes on after any error
            machine.log().exception("accepting a connection failed")
            return False
        return True

    def accept(self, listener: socket.socket) -> Arrival | None:
        """Accept a connection; if there is no room for it, tell the client so and close it.

        Returns:
            None if there is none.

        Raises:
            Overloaded, NotListening: see `sockets.accept`.
        """
        accepted = sockets.accept(listener)
        if accepted is None:
            return None
        sock, peer, port = accepted
        session = Session(peer=peer, peer_port=port)
        try:
            flow = self.factory.open(session)
        except BaseException:
            sock.close()
            raise
        if flow is not None:
            return Arrival(sock, session, flow)
        self._turn_away(sock, BUSY)
        return None

    def _turn_away(self, sock: socket.socket, reply: Reply) -> None:
        with sock, contextlib.suppress(OSError):
            # The octets fit into the empty buffer of the socket, so this does not wait.
            sock.setblocking(False)
            sock.send(self.factory.farewell(reply))

    def leave(self, session: Session) -> None:
        """Note the end of a session."""
        self.factory.close(session)

    def close(self) -> None:
        """Stop listening, and begin no more mail transactions."""
        self.factory.stop()
        for listener in [] if self.settings.listeners_shared else self.listeners:
            # Closing the socket would reset clients that wait in its queue; tell them first.
            waiting = iter(functools.partial(sockets.accept, listener), None)
            with contextlib.suppress(sockets.Overloaded, sockets.NotListening):
                for sock, *_ in itertools.islice(waiting, sockets.BACKLOG):
                    self._turn_away(sock, STOPPING)
        # Remove only the path of a socket that this server opened.
        path = self.settings.path if self.settings.listeners is None else None
        sockets.close_listeners(self.listeners, path)


class Running:
    """A running server, made by `serve`.

    `stop(timeout)` stops listening, sends 421 to idle sessions and waits for running transactions.
    After `timeout` seconds (None: `grace` seconds) it closes the remaining connections.  `wait`
    waits until the server has stopped.

    Half a second later, handlers that are still running are logged, and `stop` and `wait` return
    without them; their results are ignored.  With trio `serve` itself returns only after all
    handlers have; with asyncio their tasks go on.  `stop` raises `RuntimeError` if a handler's
    method calls it, because it would wait for itself.
    """

    def __init__(self, listening: Listening) -> None:
        self._listening = listening

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of each listener; for a Unix socket its path and 0."""
        return self._listening.addresses

    @property
    def sessions(self) -> int:
        """How many sessions there are."""
        return self._listening.factory.sessions

    @property
    def host(self) -> str:
        """The address of the first listener; for a Unix socket its path."""
        return self.addresses[0][0]

    @property
    def port(self) -> int:
        """The port of the first listener; 0 for a Unix socket."""
        return self.addresses[0][1]

    def _grace(self, timeout: float | None) -> float:
        """Return how many seconds running transactions have."""
        check_type("timeout", timeout, float, NoneType)
        check_seconds(timeout=timeout)
        return self._listening.settings.grace if timeout is None else timeout

    @staticmethod
    def _check_caller(*, own: bool) -> None:
        """Refuse a call of `stop` by a thread or task of the server's own."""
        if own:
            raise RuntimeError(
                "stop would wait for the handler that calls it: use another thread or task"
            )

    def _log_unfinished(self, sessions: int) -> None:
        machine.log().error(
            "the server has stopped: handlers of %d sessions have not returned", sessions
        )


def check_settings(settings: ListeningSettings) -> None:
    """Refuse what `serve_with` cannot take.

    Raises:
        TypeError: the settings are something else.
    """
    if not isinstance(settings, ListeningSettings):
        raise TypeError(f"settings: expected ListeningSettings(port=...), found {settings!r}")


def start_listening(
    handler: object, settings: ListeningSettings, *, waits: bool | None = None
) -> Listening:
    """Return a server that listens.

    Arguments:
        handler: see `Handler`.
        settings: the settings of the server.
        waits: whether the adapter can await; None if that is unknown.

    Raises:
        OSError: it cannot listen there.
        TypeError: the handler has a mistake, or `settings` are not `ListeningSettings`.
        ValueError: TLS without a context, or a context without TLS; or one of `listeners` does
            not listen.
        Exception: see `SessionFactory`.
    """
    check_settings(settings)
    settings = replace(
        settings,
        tls=_tls(settings),
        hostname=settings.hostname or machine.own_domain(),
        clock=settings.clock or functools.partial(datetime.now, timezone.utc),
        nonce=settings.nonce or machine.nonce,
    )
    factory = SessionFactory(handler, settings, waits=waits, lock=threading.Lock())
    listeners = settings.listeners
    if listeners is None:
        listeners = sockets.listen(
            settings.host, settings.port, path=settings.path, reuse_port=settings.reuse_port
        )
    adopted = sockets.adopt(listeners)
    return Listening(
        factory=factory,
        settings=settings,
        listeners=adopted,
        handshake=HandshakeSettings(settings.tls_context),
        addresses=[sockets.address_of(listener) for listener in adopted],
    )


def _tls(settings: ListeningSettings) -> ServerTLS:
    """Return when TLS begins."""
    tls, context = settings.tls, settings.tls_context
    if tls is None:
        # A server with a certificate shall not serve plain text by mistake.
        return ServerTLS.NONE if context is None else ServerTLS.STARTTLS
    if context is None and tls is not ServerTLS.NONE:
        raise ValueError(f"{tls} needs a tls_context, found None")
    if context is not None and tls is ServerTLS.NONE:
        raise ValueError(f"{tls} does not use the given tls_context: leave one of the two out")
    return tls
