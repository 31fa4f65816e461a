"""What the sessions of one server share, whatever carries them: settings, hooks, admission."""

from __future__ import annotations

import contextlib
import enum
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...engine.catalogue import catalogue
from ...engine.server import Server
from ...errors import RemoteProtocolError
from ...extensions import Auth, Extension, StartTls
from ...extensions.known import standard
from ...limits import Limits
from ...sasl import CHANNEL_BINDINGS, Context
from ...sasl.choice import available, known_mechanisms
from ...timeouts import HANDSHAKE_TIMEOUT
from ...vocabulary.addresses import Domain
from ...vocabulary.command_base import Syntax
from ...vocabulary.events import Rejected
from ...vocabulary.replies import Reply
from ...vocabulary.session import Protocol, Session
from ...wire import LineEndings
from ..requests import BeginTLS, Call, Draining, Flow, Report, Send
from .authentication import Authenticator
from .handler import Hooks
from .handler_checks import check_store
from .observer import Notes
from .proxied import from_proxy, read_header
from .received import received as received_field
from .session import BUSY, serve_session, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Iterable
    from contextlib import AbstractContextManager
    from datetime import datetime

    from ...engine.connection import Observer
    from ...sasl import Mechanism
    from ...vocabulary.session import NameKind
    from ..envelope import Envelope

__all__ = ["Admission", "ServerTLS", "Service"]


class ServerTLS(enum.Enum):
    """When a server begins TLS."""

    NONE = "never"
    STARTTLS = "when the client says STARTTLS (RFC 3207)"
    IMPLICIT = "before all else (RFC 8314 section 3.3)"


@dataclass(frozen=True, slots=True)
class Admission:
    """How many sessions a server has at once.

    Arguments:
        most: in all.
        each: from one client address; None: no bound of its own.
    """

    most: int = 1000
    each: int | None = None


class Service:
    """A server as a handler and its settings: makes the conversation of each session.

    Arguments:
        handler: see `Handler`.
        hostname: the server's own domain.
        extensions: the service extensions to offer; None for `extensions.standard()`.
        limits: bounds on what a client can make it hold or do.
        protocol: SMTP or LMTP.
        line_endings: what happens to a bare CR or LF.
        syntax: whether command lines that real clients get wrong are read.
        admission: how many sessions at once.
        observer: called for each session; gives the observer of its transcript, or None.
        tls: when TLS begins; with STARTTLS the extension is added, unless it is there already.
        proxy: the networks whose PROXY header is read and believed, such as `TrustedNetworks`;
            everybody there has to send one.
        users: a credential store (`sasl.CredentialStore`); with one, AUTH is offered.
        mechanisms: the SASL mechanisms to offer, as far as `users` can serve them: names, or a
            mapping by name that may hold private ones; None for those of `sasl.MECHANISMS` that
            suit all clients.
        external: of which kind the names in a client's verified certificate are identities, such as
            `NameKind.EMAIL`; None: of none, and EXTERNAL is not offered.
        clock: what time it is, with its zone; needed with `received`.
        nonce: gives something that was never there before, see `sasl.Context`; needed with `users`
            and `received`.
        received: whether each message gets a Received field on top, as every server owes it (RFC
            5321 section 4.4).  It takes a clock and a nonce, so it is off here and on in `serve` of
            the adapters.  Off is right where a server behind the handler writes the field, or where
            what arrived is compared with what was sent.
        refuse_early_talkers: whether a client that speaks before it is greeted gets 554 in place of
            a greeting; otherwise the session has the fact `EarlyTalk`.
        lock: held while sessions are counted; for adapters that use threads.
        waits: whether the adapter awaits what is asynchronous, see `Hooks.of`.

    Raises:
        ValueError: STARTTLS or AUTH is among the extensions, and what it needs is not there; or
            what `users` or `received` need; or `users` can serve no mechanism.
        LocalProtocolError: a Received field cannot name this host.
        TypeError: the handler is none (see `Hooks.of`), `users` is no store, one of the extensions
            is none, or `tls` is no `ServerTLS`.
    """

    def __init__(
        self,
        handler: object,
        *,
        hostname: str = "localhost",
        extensions: Iterable[Extension] | None = None,
        limits: Limits | None = None,
        protocol: Protocol = Protocol.SMTP,
        line_endings: LineEndings = LineEndings.REFUSE,
        syntax: Syntax = Syntax.STRICT,
        admission: Admission | None = None,
        observer: Callable[[Session], Observer | None] | None = None,
        tls: ServerTLS = ServerTLS.NONE,
        proxy: Container[str] | None = None,
        users: object | None = None,
        mechanisms: Mapping[str, Mechanism] | Collection[str] | None = None,
        external: NameKind | None = None,
        clock: Callable[[], datetime] | None = None,
        nonce: Callable[[], str] | None = None,
        received: bool = False,
        refuse_early_talkers: bool = False,
        lock: AbstractContextManager[object] | None = None,
        waits: bool | None = None,
    ) -> None:
        # Anything else would be taken for none of the modes, and so for no TLS.
        if not isinstance(tls, ServerTLS):
            raise TypeError(f"tls: expected a ServerTLS, found {tls!r}")
        self.hooks = Hooks.of(handler, waits=waits)
        self.hostname = hostname
        self.limits = limits or Limits()
        self.protocol = protocol
        self.line_endings = line_endings
        self.syntax = syntax
        self.admission = admission or Admission()
        self.tls = tls
        self.proxy = proxy
        self.users = users
        self.mechanisms = known_mechanisms(mechanisms)
        self.external = external
        # By a name one gets what is not offered unasked, too.
        check_store(users, mechanisms=self.mechanisms.values(), waits=waits)
        self._asked = None if mechanisms is None or isinstance(mechanisms, Mapping) else mechanisms
        self.clock = clock
        self.nonce = nonce
        self.extensions = self._complete(standard() if extensions is None else extensions)
        # What is wrong with them is found out here, and not with each session.
        catalogue(map(type, self.extensions), protocol, self.limits, syntax)
        if received:
            if clock is None or nonce is None:
                raise ValueError("a Received field takes a clock and a source of nonces")
            # Found out here, and not with each message.
            Domain.parse(hostname)
        self._received = received
        self._refuses_early_talk = refuse_early_talkers
        self.stopping = False
        self._observer = observer
        self._lock = lock or contextlib.nullcontext()
        self._sessions = 0
        self._by_peer: Counter[str] = Counter()

    def _complete(self, extensions: Iterable[Extension]) -> tuple[Extension, ...]:
        """The extensions, with those that other settings bring along."""
        complete = list(extensions)
        starts = any(isinstance(each, StartTls) for each in complete)
        if self.tls is ServerTLS.STARTTLS and not starts:
            complete.insert(0, StartTls())
        elif starts and self.tls is ServerTLS.NONE:
            raise ValueError("STARTTLS is to be offered: say tls=ServerTLS.STARTTLS")
        given = next((each for each in complete if isinstance(each, Auth)), None)
        if self.users is None:
            if given is not None:
                raise ValueError("AUTH is to be offered: give users")
            return tuple(complete)
        if self.nonce is None:
            raise ValueError("to authenticate users takes a source of nonces")
        auth = self._auth(given or Auth())
        if given is None:
            return (*complete, auth)
        return tuple(auth if each is given else each for each in complete)

    def _auth(self, given: Auth) -> Auth:
        """AUTH with the mechanisms that the store can serve, session by session."""
        users, names = self.users, given.mechanisms or self._asked
        allowed, mechanisms = given.allow_plaintext, self.mechanisms
        unknown = sorted({*given.mechanisms, *allowed} - mechanisms.keys())
        if unknown:
            raise ValueError(f"Auth: {', '.join(unknown)} is not among the mechanisms")

        def in_session(session: Session) -> tuple[str, ...]:
            context = self._context(session)
            return available(context, users, names=names, allowed=allowed, mechanisms=mechanisms)

        # All that there may be inside TLS, whatever it binds to.
        bindings = dict.fromkeys(CHANNEL_BINDINGS, b"?")
        best = replace(
            self._context(Session(secure=True)),
            channel_bindings=bindings,
            external=() if self.external is None else ("?",),
        )
        known = available(best, users, names=names, mechanisms=mechanisms)
        if not known and given.in_session is None:
            asked = f" of {', '.join(names)}" if names else ""
            raise ValueError(f"users: {users!r:.80} can serve no mechanism{asked}")
        return replace(given, mechanisms=known, in_session=given.in_session or in_session)

    def _context(self, session: Session) -> Context:
        assert self.nonce is not None
        offered = session.offered.get(Auth)
        return Context.of(
            session,
            self.nonce,
            host=self.hostname,
            offered=offered.mechanisms if offered is not None else (),
            external=self.external,
        )

    # --- sessions -----------------------------------------------------------------------------

    def stop(self) -> None:
        """The server is to stop: from now on MAIL is answered with 421, in every session."""
        self.stopping = True

    @property
    def sessions(self) -> int:
        """How many sessions there are."""
        return self._sessions

    def open(self, session: Session) -> Flow[None] | None:
        """The conversation of a new session, or None if there are too many; see `farewell`.

        Arguments:
            session: what is known of the peer: `peer`, `secure`, `tls`.

        Every session that this opened has to be closed with `close`.
        """
        proxy = self._is_proxy(session)
        with self._lock:
            if self._sessions >= self.admission.most:
                return None
            if not proxy and not self._admit(session.peer):
                return None
            self._sessions += 1
        return self._behind_proxy(session) if proxy else self._session(session)

    def close(self, session: Session) -> None:
        """A session is over.

        Arguments:
            session: as it was passed to `open`.
        """
        with self._lock:
            self._sessions -= 1
            if not self._is_proxy(session):
                self._leave(session.peer)

    def farewell(self, reply: Reply) -> bytes:
        """What to tell a client for whom there is no session, before closing.

        Empty where it would not be understood; a proxy passes it on.
        """
        if self.tls is ServerTLS.IMPLICIT:
            return b""
        server = Server(self.hostname)
        server.send(reply)
        return server.data_to_send()

    def _is_proxy(self, session: Session) -> bool:
        return self.proxy is not None and session.peer in self.proxy

    def _admit(self, peer: str) -> bool:
        """Count one more session from an address, if it may have one more."""
        each = self.admission.each
        # A Unix socket gives no address.
        if each is not None and peer and self._by_peer[peer] >= each:
            return False
        self._by_peer[peer] += 1
        return True

    def _leave(self, peer: str) -> None:
        self._by_peer[peer] -= 1
        if not self._by_peer[peer]:
            del self._by_peer[peer]

    # --- what comes before the greeting -------------------------------------------------------

    def _behind_proxy(self, session: Session) -> Flow[None]:
        """Read the PROXY header, then serve the client it names."""
        try:
            header = yield from read_header()
        except RemoteProtocolError as error:
            yield from self._refused(session, f"{error}")
            return
        except (OSError, Draining) as error:
            yield from self._refused(session, f"no PROXY header from {session.peer}: {error}")
            return
        session = from_proxy(session, header)
        with self._lock:
            admitted = self._admit(session.peer)
        try:
            yield from self._session(session, admitted=admitted)
        finally:
            if admitted:
                with self._lock:
                    self._leave(session.peer)

    def _session(self, session: Session, *, admitted: bool = True) -> Flow[None]:
        """Begin TLS if it comes first, then serve the client."""
        if self.tls is ServerTLS.IMPLICIT:
            try:
                facts = yield BeginTLS(HANDSHAKE_TIMEOUT)
            except OSError as error:
                yield from self._refused(session, f"the TLS handshake failed: {error}")
                return
            session = replace(session, secure=True, tls=facts)
        notes = yield from self._notes(session)
        server = self._server(session, notes)
        flow = self._serve(server) if admitted else self._turn_away(server)
        yield from flow if notes is None else notes.run(flow)

    def _turn_away(self, server: Server) -> Flow[None]:
        server.send(BUSY)
        with contextlib.suppress(OSError):
            yield Send(server.data_to_send(), server.timeout)

    def _notes(self, session: Session) -> Flow[Notes | None]:
        """What notes a session for its observer; None if it has none."""
        if self._observer is None:
            return None
        try:
            observer = yield Call(self._observer, (session,))
        except Exception as error:  # noqa: BLE001  the observer's
            yield Report(error)
            return None
        return None if observer is None else Notes(observer)

    def _server(self, session: Session, observer: Observer | None) -> Server:
        return Server(
            self.hostname,
            self.extensions,
            limits=self.limits,
            protocol=self.protocol,
            line_endings=self.line_endings,
            syntax=self.syntax,
            session=session,
            observer=observer,
        )

    def _serve(self, server: Server) -> Flow[None]:
        desk = None
        if self.users is not None:
            desk = Authenticator(self.users, self._context, mechanisms=self.mechanisms)
        stamp = self._stamp if self._received else None
        return serve_session(
            server,
            self.hooks,
            desk,
            stamp,
            stopping=lambda: self.stopping,
            refuse_early_talkers=self._refuses_early_talk,
        )

    def _stamp(self, session: Session, envelope: Envelope) -> bytes:
        assert self.clock is not None
        assert self.nonce is not None
        return received_field(session, envelope, self.clock(), self.nonce())

    def _refused(self, session: Session, reason: str) -> Flow[None]:
        """Let the handler know of a connection that ended before the greeting, without a word."""
        if self.hooks.rejected is not None:
            rejected = Rejected(Reply(421, "4.7.0", "closed without a greeting"), reason)
            yield from tell(self.hooks.rejected, session, rejected)
