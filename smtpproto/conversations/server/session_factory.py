"""`SessionFactory`: what all sessions of one server share: settings, hooks, admission."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING

from ...engine.compiled_extensions import catalogue
from ...engine.server import Server, check_hostname
from ...errors import RemoteProtocolError
from ...extensions import Auth, Extension, StartTls
from ...extensions.known import standard
from ...limits import Limits
from ...timeouts import HANDSHAKE_TIMEOUT
from ...vocabulary.events import Rejected
from ...vocabulary.replies import Reply
from ...vocabulary.session_facts import Session, changed
from ..io_requests import BeginTLS, Call, Draining, Flow, Report, Send
from .handler import Hooks
from .handler_answers import tell
from .handler_checks import check_observer
from .observer import Notes
from .proxied_client import from_proxy, read_header
from .received import received as received_field
from .session import BUSY, serve_session
from .settings import ServerSettings, ServerTLS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from ...engine.connection import Observer
    from ..envelope import Envelope
    from .authentication import Logins

__all__ = ["SessionFactory"]


class SessionFactory:
    """A handler and the settings of a server; makes the conversation of each session.

    Arguments:
        handler: see `Handler`.
        settings: the settings of the server.
        lock: held while sessions are counted; for adapters with threads.
        waits: whether the adapter can await, see `Hooks.of`.

    Raises:
        ValueError: an extension, `users` or `received` lacks a setting that it needs, or `users`
            can serve no mechanism.
        LocalProtocolError: `hostname` is no domain.
        TypeError: the handler has a mistake (see `Hooks.of`), `observer` takes no session, `users`
            is not a store, or an extension is not one.
    """

    def __init__(
        self,
        handler: object,
        settings: ServerSettings = ServerSettings(),
        *,
        lock: AbstractContextManager[object] | None = None,
        waits: bool | None = None,
    ) -> None:
        self.hooks = Hooks.of(handler, waits=waits)
        check_observer(settings.observer, waits=waits)
        self.settings = settings
        self.hostname = settings.hostname or "localhost"
        self.limits = settings.limits or Limits()
        self._logins: Logins | None = None
        given = settings.extensions
        self.extensions = self._complete(standard() if given is None else given, waits=waits)
        # Check once here, not in each session.
        catalogue(map(type, self.extensions), settings.protocol, self.limits, settings.syntax)
        check_hostname(self.hostname)
        if settings.received and (settings.clock is None or settings.nonce is None):
            raise ValueError("a Received field needs `clock` and `nonce`: set both")
        self.stopping = False
        self._lock = lock or contextlib.nullcontext()
        self._sessions = 0
        self._by_peer: Counter[str] = Counter()

    def _complete(
        self, extensions: Iterable[Extension], *, waits: bool | None
    ) -> tuple[Extension, ...]:
        """Return the extensions, and those that other settings add."""
        complete = list(extensions)
        starts = any(isinstance(each, StartTls) for each in complete)
        if self.settings.tls is ServerTLS.STARTTLS and not starts:
            complete.insert(0, StartTls())
        elif starts and self.settings.tls in (None, ServerTLS.NONE):
            raise ValueError("to offer STARTTLS, set tls=ServerTLS.STARTTLS")
        given = next((each for each in complete if isinstance(each, Auth)), None)
        if self.settings.users is None:
            if given is not None:
                raise ValueError("to offer AUTH, set `users`")
            if self.settings.mechanisms is not None:
                from ...sasl import known_mechanisms  # noqa: PLC0415  as below

                known_mechanisms(self.settings.mechanisms)
            return tuple(complete)
        from .authentication import Logins  # noqa: PLC0415  loads all mechanisms

        self._logins = Logins(self.settings, self.hostname, given or Auth(), waits=waits)
        auth = self._logins.auth
        if given is None:
            return (*complete, auth)
        return tuple(auth if each is given else each for each in complete)

    # --- sessions -----------------------------------------------------------------------------

    def stop(self) -> None:
        """Refuse new mail transactions with 421 in every session, because the server stops."""
        self.stopping = True

    @property
    def sessions(self) -> int:
        """How many sessions there are."""
        return self._sessions

    def open(self, session: Session) -> Flow[None] | None:
        """Return the conversation of a new session; None if there are too many sessions.

        Call `close` at the end of the session.  After None, send the octets of `farewell`.

        Arguments:
            session: the facts of the peer: `peer`, `secure`, `tls`.
        """
        proxy = self._is_proxy(session)
        with self._lock:
            if self._sessions >= self.settings.admission.most:
                return None
            if not proxy and not self._admit(session.peer):
                return None
            self._sessions += 1
        return self._behind_proxy(session) if proxy else self._session(session)

    def close(self, session: Session) -> None:
        """Note the end of a session.

        Arguments:
            session: the session that was passed to `open`.
        """
        with self._lock:
            self._sessions -= 1
            if not self._is_proxy(session):
                self._leave(session.peer)

    def farewell(self, reply: Reply) -> bytes:
        """Return the octets for a client that gets no session, to be sent before closing.

        They are empty if the server begins with TLS, because the client would not understand them.
        """
        if self.settings.tls is ServerTLS.IMPLICIT:
            return b""
        server = Server(self.hostname)
        server.send(reply)
        return server.data_to_send()

    def _is_proxy(self, session: Session) -> bool:
        return self.settings.proxy is not None and session.peer in self.settings.proxy

    def _admit(self, peer: str) -> bool:
        """Count a new session of an address; return False if it has too many."""
        each = self.settings.admission.each
        # A Unix socket has no address.
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
        if self.settings.tls is ServerTLS.IMPLICIT:
            try:
                facts = yield BeginTLS(HANDSHAKE_TIMEOUT)
            except Draining:
                return
            except OSError as error:
                yield from self._refused(session, f"the TLS handshake failed: {error}")
                return
            session = changed(session, secure=True, tls=facts)
        notes = yield from self._notes(session)
        server = self._server(session, notes)
        flow = self._serve(server) if admitted else self._turn_away(server)
        yield from flow if notes is None else notes.run(flow)

    def _turn_away(self, server: Server) -> Flow[None]:
        server.send(BUSY)
        with contextlib.suppress(OSError):
            yield Send(server.data_to_send(), server.timeout)

    def _notes(self, session: Session) -> Flow[Notes | None]:
        """Return the notes for the observer of a session; None if it has no observer."""
        if self.settings.observer is None:
            return None
        try:
            observer = yield Call(self.settings.observer, (session,))
        except Exception as error:  # noqa: BLE001  # an error of the observer
            yield Report(error)
            return None
        return None if observer is None else Notes(observer)

    def _server(self, session: Session, observer: Observer | None) -> Server:
        return Server(
            self.hostname,
            self.extensions,
            limits=self.limits,
            protocol=self.settings.protocol,
            line_endings=self.settings.line_endings,
            syntax=self.settings.syntax,
            session=session,
            observer=observer,
        )

    def _serve(self, server: Server) -> Flow[None]:
        stamp = self._stamp if self.settings.received else None
        return serve_session(
            server,
            self.hooks,
            None if self._logins is None else self._logins.authenticator(),
            stamp,
            stopping=lambda: self.stopping,
            refuse_early_talkers=self.settings.refuse_early_talkers,
        )

    def _stamp(self, session: Session, envelope: Envelope) -> bytes:
        assert self.settings.clock is not None
        assert self.settings.nonce is not None
        return received_field(session, envelope, self.settings.clock(), self.settings.nonce())

    def _refused(self, session: Session, reason: str) -> Flow[None]:
        """Tell the handler that the server closed a connection before the greeting."""
        if self.hooks.rejected is not None:
            rejected = Rejected(Reply(421, "4.7.0", "closed without a greeting"), reason)
            yield from tell(self.hooks.rejected, session, rejected)
