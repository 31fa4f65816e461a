"""The options that both adapters take, described once, and what becomes of them below these."""

from __future__ import annotations

import contextlib
import functools
import itertools
import socket
import threading
from collections.abc import Callable, Collection, Iterable, KeysView, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple, TypedDict, cast

from ..conversations import Admission, Service
from ..conversations.client.ehlo_name import client_name
from ..conversations.client.opening import begin as begin_session
from ..conversations.client.plan import ToASCII
from ..conversations.client.settings import Opening, TLSMode, TLSPolicy
from ..conversations.requests import Flow
from ..conversations.server.service import ServerTLS
from ..conversations.server.session import BUSY, DRAINING
from ..engine.client import Client
from ..engine.connection import Observer
from ..errors import LocalProtocolError
from ..extensions import Extension
from ..extensions.known import KNOWN
from ..limits import Limits
from ..sasl import Credentials, Mechanism
from ..timeouts import STOP_TIMEOUT
from ..vocabulary.addresses import Domain
from ..vocabulary.command_base import Syntax
from ..vocabulary.replies import Reply
from ..vocabulary.session import NameKind, Protocol, Session
from ..wire import LineEndings
from ..wire.proxy_header import ProxyHeader
from ..wire.proxy_reader import TrustedNetworks
from . import host as machine
from . import sockets
from . import tls as security

__all__ = [
    "Arrival",
    "ConnectOptions",
    "Listening",
    "Running",
    "ServeOptions",
    "begin",
    "listening",
    "opening_of",
]


class ConnectOptions(TypedDict, total=False):
    """What `connect` of each adapter takes besides host and port, by name, all of it optional.

    The host is a name or an IP address, the port 25 for relaying, 587 or 465 for submission (RFC
    6409, RFC 8314), by custom 24 for LMTP.

    Raises:
        OSError: `connect` finds no connection.
        SMTPError: the server does not want this client, or cannot be trusted.
        RemoteProtocolError: what answers does not speak SMTP.
        LocalProtocolError, TypeError, ValueError: an option cannot be used.

    Arguments:
        path: a Unix socket to use instead of host and port.
        source_address: the IP address to connect from.
        connect_timeout: seconds to wait for the connection; 30.
        timeout: seconds that no wait may pass; None: what RFC 5321 section 4.5.3.2 allows, which is
            minutes.
        tls: when TLS begins; None: as the port and the credentials suggest, see `TLSMode.default`.
        tls_context: None for `smtpproto.adapters.tls.client_context()`.
        server_hostname: whom the server's certificate has to name; None: the host.
        policy: what the TLS connection has to be like.
        name: what to call oneself; None: the host's own name if it has a domain, otherwise the
            address literal of the connection (RFC 5321 section 4.1.4).
        credentials: who to log in as; None: not at all.
        mechanisms: the SASL mechanisms that may be used: names, or a mapping by name that may hold
            private ones (`docs/howto/sasl.md`); None for `sasl.MECHANISMS`.
        allow_plaintext: names of those that may be used without TLS.
        proxy: a PROXY header to begin with.
        protocol: SMTP or LMTP.
        extensions: the service extensions to make use of; None for all that are known.
        limits: bounds on what the server can make this side hold or do.
        line_endings: what happens to a bare CR or LF in content.
        chunking: whether content goes in counted chunks where the server offers that (RFC 3030).
        to_ascii: what makes A-labels of U-labels in `name`, and in addresses where the server does
            not offer SMTPUTF8, such as `smtpproto.idn.to_ascii`; None: those are refused.
        observer: called with each line and chunk, such as a `Transcript`.
    """

    path: str | None
    source_address: str | None
    connect_timeout: float
    timeout: float | None
    tls: TLSMode | None
    tls_context: security.Context | None
    server_hostname: str | None
    policy: TLSPolicy | None
    name: str | None
    credentials: Credentials | None
    mechanisms: Mapping[str, Mechanism] | Collection[str] | None
    allow_plaintext: Collection[str]
    proxy: ProxyHeader | None
    protocol: Protocol
    extensions: Iterable[type[Extension]] | None
    limits: Limits | None
    line_endings: LineEndings
    chunking: bool
    to_ascii: ToASCII | None
    observer: Observer | None


class ServeOptions(TypedDict, total=False):
    """What `serve` of each adapter takes besides a handler, by name, all of it optional.

    The handler is an object with some of the methods of `Handler`, called for several sessions at
    once: with trio in the task of the session, where they may be async; otherwise in a pool of
    threads, so what is kept for each thread (`threading.local`) is not kept for a session.

    Raises:
        OSError: `serve` cannot listen there.
        TypeError: the handler is none, or there is no such option.
        LocalProtocolError: the host name is no domain, so that no Received field can have it.
        ValueError: TLS without a context or a context without TLS, or a listener that does not
            listen.

    Arguments:
        host: name or IP address to listen on, "127.0.0.1" if not given; None for all of the host.
        port: 0, if not given, for any that is free.
        path: a Unix socket to listen on instead.
        reuse_port: whether other processes may listen there too and share the load (SO_REUSEPORT).
        listeners: sockets that listen already, instead; they are closed with the server.
        listeners_shared: whether others go on accepting from these sockets, such as the process
            that passed them: whoever waits in their queue when the server stops is left to them.
            Otherwise these clients are told that it stops.
        tls_context: what `server_context` of `smtpproto.adapters.tls` gives, or a callable that is
            asked for each handshake, such as `CertificateFiles` there.
        timeout: seconds that no wait may pass; None: what RFC 5321 section 4.5.3.2 asks for.
        grace: seconds that running transactions have once the server is to stop; 30.
        tls: none, STARTTLS, or implicit TLS; if not given, STARTTLS where there is a `tls_context`.
        hostname: the server's own domain; None for the host's name, or "localhost" if that is none.
        extensions: the service extensions to offer; None for `extensions.standard()`.
        users: a store of credentials; with it AUTH is offered.
        mechanisms: the SASL mechanisms to offer, as far as `users` can serve them: names, or a
            mapping by name that may hold private ones (`docs/howto/sasl.md`); None for those of
            `sasl.MECHANISMS` that suit all clients.
        external: of which kind the names in a client's verified certificate are identities, such as
            `NameKind.EMAIL`; None: of none, and EXTERNAL is not offered.
        limits: bounds on what a client can make it hold or do.
        admission: how many sessions at once, in all and from one address.
        protocol: SMTP or LMTP.
        line_endings: what happens to a bare CR or LF.
        syntax: whether command lines that real clients get wrong are read.
        proxy: the networks whose PROXY header is read and believed.
        observer: called for each session; gives the observer of its transcript, or None.  Both are
            called as handlers are; what they raise is logged.
        received: whether each message gets a Received field on top, as every server owes it (RFC
            5321 section 4.4); True if not given.  False is right where a server behind the handler
            writes the field, or where what arrived is compared with what was sent.
        refuse_early_talkers: whether a client that speaks before it is greeted gets 554.
        clock: what time it is; None for the host's clock.  All sessions wait for it.
        nonce: gives something that was never there before; None for the host's randomness.  Where
            it makes the id of a Received field, all sessions wait for it.
    """

    host: str | None
    port: int
    path: str | None
    reuse_port: bool
    listeners: Iterable[socket.socket] | None
    listeners_shared: bool
    tls_context: security.Context | None
    timeout: float | None
    grace: float
    tls: ServerTLS
    hostname: str | None
    extensions: Iterable[Extension] | None
    users: Any
    mechanisms: Mapping[str, Mechanism] | Collection[str] | None
    external: NameKind | None
    limits: Limits | None
    admission: Admission | None
    protocol: Protocol
    line_endings: LineEndings
    syntax: Syntax
    proxy: TrustedNetworks | None
    observer: Callable[[Session], Observer | None] | None
    received: bool
    refuse_early_talkers: bool
    clock: Callable[[], datetime] | None
    nonce: Callable[[], str] | None


# What the adapters do with a server's options, not the conversations.
_LISTENING = frozenset(
    {"host", "port", "path", "reuse_port", "listeners", "listeners_shared", "tls_context"}
    | {"timeout", "grace"}
)


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
        listeners: non-blocking.
        shared: whether others go on accepting from them.
        path: of the Unix socket to be removed in the end.
        handshake: how sessions begin TLS.
        timeout, grace: see `ServeOptions`.
        addresses: where it listens: host and port, of a Unix socket its path and 0.
    """

    service: Service
    listeners: list[socket.socket]
    shared: bool
    path: str | None
    handshake: security.Handshake
    timeout: float | None
    grace: float
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
        for listener in [] if self.shared else self.listeners:
            # To close it would be to reset those who have connected and were not accepted yet.
            waiting = iter(functools.partial(sockets.accept, listener), None)
            with contextlib.suppress(sockets.Overloaded, sockets.NotListening):
                for sock, *_ in itertools.islice(waiting, sockets.BACKLOG):
                    self._turn_away(sock, DRAINING)
        sockets.close_listeners(self.listeners, self.path)


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


def listening(handler: object, options: ServeOptions, *, waits: bool | None = None) -> Listening:
    """A service that listens.

    Arguments:
        handler: as `serve` got it.
        options: the same.
        waits: whether the adapter awaits what is asynchronous; None if that is not known.

    Raises:
        OSError: it cannot listen there.
        TypeError: the handler is none, or there is no such option.
        ValueError: TLS without a context, or a context without TLS.
    """
    _check_names("serve", options.keys(), ServeOptions.__optional_keys__)
    given = {name: value for name, value in options.items() if name not in _LISTENING}
    given["hostname"] = options.get("hostname") or _own_domain()
    given.setdefault("received", True)
    given["clock"] = options.get("clock") or machine.now
    given["nonce"] = options.get("nonce") or machine.nonce
    given["lock"] = threading.Lock()
    context = options.get("tls_context")
    # Whoever has a certificate does not mean to serve plain text.
    tls = given.setdefault("tls", ServerTLS.NONE if context is None else ServerTLS.STARTTLS)
    if context is None and tls in (ServerTLS.STARTTLS, ServerTLS.IMPLICIT):
        raise ValueError(f"{tls} needs a tls_context")
    if context is not None and tls is ServerTLS.NONE:
        raise ValueError(f"a tls_context is given, and {tls} would not use it")
    service = Service(handler, waits=waits, **cast("Any", given))
    path, listeners = options.get("path"), options.get("listeners")
    if listeners is not None:
        path = None
    else:
        listeners = sockets.listen(
            options.get("host", "127.0.0.1"),
            options.get("port", 0),
            path=path,
            reuse_port=options.get("reuse_port", False),
        )
    adopted = sockets.adopt(listeners)
    return Listening(
        service=service,
        listeners=adopted,
        shared=options.get("listeners_shared", False),
        path=path,
        handshake=security.Handshake(context),
        timeout=options.get("timeout"),
        grace=options.get("grace", STOP_TIMEOUT),
        addresses=[sockets.address_of(listener) for listener in adopted],
    )


def _own_domain() -> str:
    """The host's name, where it is one that a greeting and a Received field can have."""
    name = machine.hostname()
    try:
        Domain.parse(name)
    except LocalProtocolError:
        return "localhost"
    return name


def opening_of(host: str, port: int, options: ConnectOptions) -> Opening:
    """How a session is to begin; what cannot be used is found before there is a connection.

    Arguments:
        host: as `connect` got it.
        port: the same.
        options: the same.

    Raises:
        LocalProtocolError: the name is neither a domain nor an address literal.
        TypeError: there is no such option, or one is of another type.
        ValueError: an option has no use, see `Opening`.
    """
    _check_names("connect", options.keys(), ConnectOptions.__optional_keys__)
    credentials, tls = options.get("credentials"), options.get("tls")
    return Opening(
        name=client_name(options.get("name"), machine.hostname(), None, options.get("to_ascii")),
        tls=TLSMode.default(port, credentials) if tls is None else tls,
        credentials=credentials,
        mechanisms=options.get("mechanisms"),
        allow_plaintext=options.get("allow_plaintext", ()),
        nonce=machine.nonce,
        policy=options.get("policy"),
        proxy=options.get("proxy"),
        host=host,
        port=port,
    )


def begin(
    sock: socket.socket, opening: Opening, options: ConnectOptions
) -> tuple[Client, Flow[Reply], security.Handshake]:
    """A client's engine, the conversation that begins its session, and how it does the handshake.

    Arguments:
        sock: connected.
        opening: from `opening_of`.
        options: as `connect` got them.
    """
    path, extensions = options.get("path"), options.get("extensions")
    engine = Client(
        KNOWN if extensions is None else extensions,
        limits=options.get("limits"),
        protocol=options.get("protocol", Protocol.SMTP),
        line_endings=options.get("line_endings", LineEndings.REFUSE),
        # What goes through a Unix socket stays on this machine.
        session=_session_with(sock, path),
        observer=options.get("observer"),
    )
    if path is None:
        # Only now it is known by which address this host is reached.
        local = sock.getsockname()[0]
        to_ascii = options.get("to_ascii")
        name = client_name(options.get("name"), machine.hostname(), local, to_ascii)
        opening = replace(opening, name=name)
    context = options.get("tls_context")
    handshake = security.Handshake(
        # Made only if there is a handshake: reading the system's certificates takes a while.
        context or functools.partial(security.client_context, verify=opening.verifies),
        options.get("server_hostname") or opening.host,
    )
    return engine, begin_session(engine, opening), handshake


def _session_with(sock: socket.socket, path: str | None) -> Session:
    if path is not None:
        return Session(peer=path, secure=True)
    address, port, *_ = sock.getpeername()
    return Session(peer=address, peer_port=port)


def _check_names(function: str, given: KeysView[str], known: frozenset[str]) -> None:
    """Refuse options that there are not."""
    unknown = given - known
    if unknown:
        raise TypeError(f"{function}() has no option {', '.join(sorted(unknown))}")
