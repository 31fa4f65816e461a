"""What the sessions of one server share, whatever carries them: settings, hooks, admission."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..extensions import Extension, standard
from ..limits import Limits
from ..server import Server
from ..session import Protocol, Session
from ..wire import LineEndings
from .handler import Hooks
from .serve import BUSY, serve_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .._connection import Observer
    from .requests import Flow

__all__ = ["Admission", "Service"]


@dataclass(frozen=True, slots=True)
class Admission:
    """How many sessions a server has at once.

    Arguments:
        most: in all.
        each: from one peer address; None: no bound of its own.
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
        admission: how many sessions at once.
        observer: called for each session; gives the observer of its transcript, or None.
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
        admission: Admission | None = None,
        observer: Callable[[Session], Observer | None] | None = None,
    ) -> None:
        self.hooks = Hooks.of(handler)
        self.hostname = hostname
        self.extensions = tuple(standard() if extensions is None else extensions)
        self.limits = limits or Limits()
        self.protocol = protocol
        self.line_endings = line_endings
        self.admission = admission or Admission()
        self._observer = observer
        self._sessions: Counter[str] = Counter()

    @property
    def sessions(self) -> int:
        """How many sessions there are."""
        return self._sessions.total()

    def open(self, session: Session) -> Flow[None] | None:
        """The conversation of a new session, or None if there are too many; say `busy()` then.

        Arguments:
            session: what is known of the peer: `peer`, `secure`, `tls`.

        Every session that this opened has to be closed with `close`.
        """
        peer, each = session.peer, self.admission.each
        if self.sessions >= self.admission.most:
            return None
        if each is not None and self._sessions[peer] >= each:
            return None
        self._sessions[peer] += 1
        server = Server(
            self.hostname,
            self.extensions,
            limits=self.limits,
            protocol=self.protocol,
            line_endings=self.line_endings,
            session=session,
            observer=self._observer(session) if self._observer is not None else None,
        )
        return serve_session(server, self.hooks)

    def close(self, session: Session) -> None:
        """A session is over."""
        self._sessions[session.peer] -= 1
        if not self._sessions[session.peer]:
            del self._sessions[session.peer]

    def busy(self) -> bytes:
        """What to tell a client for whom there is no session, before closing."""
        server = Server(self.hostname)
        server.send(BUSY)
        return server.data_to_send()
