"""The base of both connections: buffers, the place in the table of states, the end of the input.

A connection works in six steps.  Bytes go into one buffer.  The reader for the current state takes
a line or a chunk out of it.  A line is parsed to a value.  The table and the extensions decide
whether the value is allowed.  The value becomes an event.  On the way out a value is checked
against the same table, formatted and queued; no line with CR, LF or NUL within it is queued.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import NoneType
from typing import TYPE_CHECKING, ClassVar

from ..errors import LocalProtocolError, RemoteProtocolError
from ..extensions import Answered, Extension, SessionEvent, TLSBegun, TransactionOver
from ..field_types import check_callable, check_type, refuse_async
from ..vocabulary.command_base import Command
from ..vocabulary.commands import Mail, Rcpt
from ..vocabulary.session_facts import (
    NOTHING_OFFERED,
    Offered,
    Session,
    TLSFacts,
    Transaction,
    changed,
)
from ..vocabulary.states import Effect, State
from ..wire import LineEndings, LineReader, ReceiveBuffer
from ..wire.line_endings import CR, LF, NUL
from .compiled_extensions import Catalogue
from .transition_table import Row

if TYPE_CHECKING:
    from ..limits import Limits

__all__ = ["Connection", "Observer", "check_arguments", "check_observer"]

# CPython 3.11 takes three times as long to look up an enum's member than a global name.
_NOTHING, _SESSION = Effect.NOTHING, Effect.SESSION
_CLOSED = State.CLOSED
_TRANSACTION_OVER = TransactionOver()
# The states in which a connection reads nothing more.
_OVER = frozenset({State.CLOSED, State.ERROR})

Observer = Callable[[str, bytes, bool], None]
"""Called with "C" or "S", octets, and whether they are content: a line without its CRLF, or a
chunk of content without dot transparency, that this side sent or received.  Secrets are left
out."""


def check_arguments(
    line_endings: LineEndings, session: Session | None, observer: Observer | None
) -> None:
    """Refuse arguments of a connection that have another type.

    Raises:
        TypeError: there is one, or the observer takes other arguments.
    """
    check_type("line_endings", line_endings, LineEndings)
    check_type("session", session, Session, NoneType)
    check_observer(observer)


def check_observer(observer: Observer | None) -> None:
    """Refuse what cannot be called as an `Observer`, such as the class `Transcript` itself.

    Raises:
        TypeError: it is no function, takes other arguments, or is async.
    """
    if observer is not None:
        check_callable("observer", observer, ["sender", "octets", "content"], "a connection")
        refuse_async(observer=observer)


class Connection:
    """The common base of `Client` and `Server`.

    Attributes:
        state: the state of the session.
        transaction: what MAIL and RCPT said; None outside a mail transaction.
        limits: the bounds on what the peer can make it hold or do.
        line_endings: what happens to a bare CR or LF in content; in lines both are refused.
    """

    _on_server: ClassVar[bool] = False
    # Slots, because thousands of idle sessions consist mostly of these objects.
    __slots__ = (
        "_buffer",
        "_catalogue",
        "_clean",
        "_closing_told",
        "_eof",
        "_in_force",
        "_lines",
        "_observer",
        "_out",
        "_rows",
        "_session",
        "limits",
        "line_endings",
        "state",
        "transaction",
    )

    def __init__(
        self,
        catalogue: Catalogue,
        session: Session,
        limits: Limits,
        line_endings: LineEndings,
        observer: Observer | None,
    ) -> None:
        self.state = State.CONNECTED
        self._session = session
        self.transaction: Transaction | None = None
        self._catalogue = catalogue
        self._rows = catalogue.rows
        # The rules of the extensions in use.
        self._in_force = catalogue.in_force(session.offered)
        self.limits = limits
        self.line_endings = line_endings
        self._observer = observer
        self._buffer = ReceiveBuffer()
        # No policy lets a bare CR or LF into a command or a reply: `line_endings` is for content.
        self._lines = LineReader(self._buffer, limits.command_line)
        self._out = bytearray()
        self._eof = False
        self._closing_told = False
        # Whether QUIT and its reply ended the session.
        self._clean = False

    @property
    def session(self) -> Session:
        """The facts of the session; a connection replaces the value when one changes."""
        return self._session

    @session.setter
    def session(self, session: Session) -> None:
        if session.offered is not self._session.offered:
            self._in_force = self._catalogue.in_force(session.offered)
        self._session = session

    @property
    def offered(self) -> Offered:
        """The service extensions in use.

        Before EHLO and after STARTTLS there are none; on a server only those that are `plain`.
        """
        return self._session.offered

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the peer; `b""`, which a socket gives at the end, is `receive_eof()`.

        Nothing is parsed before `next_event` is called.  Bytes that the connection did not ask for
        stay in memory, so call this only after `Need.DATA`.

        Raises:
            LocalProtocolError: bytes came after the end.
            TypeError: `data` is not bytes.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            # A non-blocking read may return None, which does not mean the end.
            raise TypeError(f"expected bytes from the peer, found {data!r:.80}")
        if not data:
            self.receive_eof()
            return
        if self._eof:
            raise LocalProtocolError("bytes came after the end of the connection")
        if self.state not in _OVER:
            self._buffer.feed(data)

    def receive_eof(self) -> None:
        """Take the end of the input: the peer closed its side.  Further calls change nothing."""
        self._eof = True

    @property
    def queued(self) -> int:
        """How many octets `data_to_send` would return."""
        return len(self._out)

    def data_to_send(self) -> bytes:
        """Return everything queued since the last call; empty if there is nothing."""
        if not self._out:
            return b""
        data = bytes(self._out)
        self._out = bytearray()
        return data

    def tls_established(self, facts: TLSFacts | None = None) -> None:
        """Begin TLS: forget what was known before (RFC 3207 section 4.2).

        If TLS comes before everything else (RFC 8314 section 3.3), call it before the greeting.

        Arguments:
            facts: the adapter's facts of the TLS connection.

        Raises:
            LocalProtocolError: no handshake is due in this state.
            RemoteProtocolError: octets in plain text came before the handshake and were not read;
                close the connection.
        """
        begun = self.state is not State.CONNECTED
        if begun and self.state is not State.TLS:
            raise LocalProtocolError(f"no TLS handshake is due: {self.state.value}")
        if len(self._buffer):
            raise RemoteProtocolError(
                "octets in plain text came before the TLS handshake (RFC 3207 section 4.2)"
            )
        if begun:
            self.state = State.GREETED
        self.session = Session(
            hostname=self.session.hostname,
            protocol=self.session.protocol,
            peer=self.session.peer,
            secure=True,
            tls=facts,
            facts=self.session.facts,
            peer_port=self.session.peer_port,
            state=self.session.state,
        )
        self._happened(TLSBegun(), self._catalogue.concerned)
        self._forget_session()

    def _observe(self, sender: str, octets: bytes, *, content: bool = False) -> None:
        if self._observer is not None:
            self._observer(sender, octets, content)

    def _queue(self, lines: Sequence[bytes]) -> None:
        """Queue lines; this adds the CRLF to each.

        Raises:
            LocalProtocolError: a line holds CR, LF or NUL, which would make it more than one line;
                nothing is queued.
        """
        for line in lines:
            if LF in line or CR in line or NUL in line:
                raise LocalProtocolError(
                    "a line to be sent holds CR, LF or NUL (RFC 5321 section 2.3.8)"
                )
        self._out += b"\r\n".join(lines) + b"\r\n"

    def _answered(self, row: Row, code: int, command: Command | None) -> None:
        """Apply the last reply to a command, which the table allows.

        Arguments:
            row: the row of the command in the current state.
            code: the reply code.
            command: None for the greeting and the end of the content.
        """
        after = row.after[code // 100]
        assert after is not None
        if row.forget is not _NOTHING and (code < 400 or after is not self.state):
            self.transaction = None
            if row.forget is _SESSION:
                self._forget_session()
            if self._catalogue.concerned:
                self._happened(_TRANSACTION_OVER, self._catalogue.concerned)
        if code < 300:
            if isinstance(command, Rcpt):
                if self.transaction is not None:
                    self.transaction.recipients.append(command)
            elif isinstance(command, Mail):
                self.transaction = Transaction(command)
            elif after is _CLOSED:
                self._clean = True
        self.state = after
        if self._catalogue.concerned and command is not None and not 300 <= code < 400:
            told = self._in_force.rules[type(command)].told
            if told:
                self._tell(told, command, code)

    def _tell(self, told: tuple[type[Extension], ...], command: Command, code: int) -> None:
        """Tell the extensions of a command about the reply to it."""
        answered = Answered(command, code < 300, self._on_server)
        offered = self.session.offered
        self._happened(answered, told)
        if self.session.offered is not offered:
            self._offers_ended()

    def _offers_ended(self) -> None:
        """Handle a command that ends the extensions in use, as XCLIENT does."""

    def authenticated(self, identity: str) -> None:
        """Set the client's identity; on a server, before 235 answers AUTH (RFC 4954 section 4).

        Arguments:
            identity: the new value of `session.identity`.
        """
        self.session = changed(self.session, identity=identity)

    def _forget_session(self) -> None:
        """Forget the name of the client, and the extensions that are in use after EHLO."""
        session, offered = self.session, self._offered_always()
        # The first EHLO of a session has nothing to forget.
        if session.name is not None or session.offered is not offered:
            self.session = changed(session, name=None, extended=False, offered=offered)

    def _offered_always(self) -> Offered:
        """Return the extensions that are in use also before EHLO."""
        return NOTHING_OFFERED

    def _happened(self, event: SessionEvent, kinds: Iterable[type[Extension]]) -> None:
        """Tell these extensions about an event of the session."""
        session = self._session
        for kind in kinds:
            session = kind.after(event, session)
        self.session = session
