"""What both connections share: buffers, the cursor on the table of states, the end of the input.

Six stations lead through a connection.  Bytes go into one buffer; the reader that the state calls
for takes a line or a chunk out of it; a line is parsed to a value; the table and the extensions say
whether the value may stand here; it becomes an event.  On the way out a value is checked against
the same table, formatted, and queued by `_queue`, the one place through which every outgoing line
passes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from ..errors import LocalProtocolError, RemoteProtocolError
from ..extensions import Answered, Extension, SessionEvent, TLSBegun, TransactionOver
from ..vocabulary.command_base import Command
from ..vocabulary.commands import Mail, Rcpt
from ..vocabulary.session import Offered, Session, TLSFacts, Transaction, changed
from ..vocabulary.states import Effect, State
from ..wire import LineEndings, LineReader, ReceiveBuffer
from ..wire.line_endings import CR, LF, NUL
from .catalogue import Catalogue
from .command_allowed import InForce
from .table import Row

if TYPE_CHECKING:
    from ..limits import Limits

__all__ = ["Connection", "Observer"]

# In CPython 3.11 to name a member of an enum takes three times as long as to name these.
_NOTHING, _SESSION = Effect.NOTHING, Effect.SESSION
_CLOSED = State.CLOSED
_TRANSACTION_OVER = TransactionOver()
# Where nothing is read any more.
_OVER = (State.CLOSED, State.ERROR)

Observer = Callable[[str, bytes, bool], None]
"""Called with "C" or "S", octets, and whether they are content: a line without its CRLF, or a
chunk of content without dot transparency, that this side sent or received.  Secrets are left
out."""


class Connection:
    """The common base of `Client` and `Server`.

    Attributes:
        state: where the session stands.
        session: what is known of it.
        transaction: what MAIL and RCPT said, None outside a mail transaction.
        line_endings: what happens to a bare CR or LF in content; in lines both are refused.
    """

    _on_server: ClassVar[bool] = False
    # Thousands of idle sessions are mostly these objects.
    __slots__ = (
        "_buffer",
        "_catalogue",
        "_clean",
        "_closing_told",
        "_eof",
        "_force",
        "_force_of",
        "_limits",
        "_lines",
        "_observer",
        "_out",
        "_rows",
        "line_endings",
        "session",
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
        self.session = session
        self.transaction: Transaction | None = None
        self._catalogue = catalogue
        self._rows = catalogue.rows
        # What the extensions in force mean for the commands, and of which `offered` that was said.
        self._force_of = session.offered
        self._force = catalogue.in_force(session.offered)
        self._limits = limits
        self.line_endings = line_endings
        self._observer = observer
        self._buffer = ReceiveBuffer()
        # No policy lets a bare CR or LF into a command or a reply: `line_endings` is for content.
        self._lines = LineReader(self._buffer, limits.command_line, LineEndings.REFUSE)
        self._out = bytearray()
        self._eof = False
        self._closing_told = False
        # Whether QUIT and its reply ended the session.
        self._clean = False

    @property
    def offered(self) -> Offered:
        """The service extensions in force.

        Before EHLO and after STARTTLS none, but on a server those that are `plain`.
        """
        return self.session.offered

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the peer; `b""`, which a socket gives at the end, is `receive_eof()`.

        Nothing is parsed before `next_event` is called.  What is fed while the connection does not
        ask for it waits in memory, so feed only when it says `Need.DATA`.

        Raises:
            LocalProtocolError: bytes after the end.
            TypeError: it is no bytes.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            # Above all None, as a read gives it that would have to wait, is no end.
            raise TypeError(f"expected bytes from the peer, found {data!r:.80}")
        if not data:
            self.receive_eof()
            return
        if self._eof:
            raise LocalProtocolError("bytes came after the end of the connection")
        if self.state not in _OVER:
            self._buffer.feed(data)

    def receive_eof(self) -> None:
        """Take the end of the input: the peer closed its side.  A second call changes nothing."""
        self._eof = True

    @property
    def queued(self) -> int:
        """How many octets `data_to_send` would give."""
        return len(self._out)

    def data_to_send(self) -> bytes:
        """Everything queued since the last call; empty if there is nothing."""
        if not self._out:
            return b""
        data = bytes(self._out)
        self._out = bytearray()
        return data

    def tls_established(self, facts: TLSFacts | None = None) -> None:
        """Go on inside TLS: what was known before is forgotten (RFC 3207 section 4.2).

        Where TLS comes before all else (RFC 8314 section 3.3), it is called before the greeting.

        Arguments:
            facts: what the adapter knows of the TLS connection.

        Raises:
            LocalProtocolError: no handshake is due in this state.
            RemoteProtocolError: octets in plain text came before the handshake and were not read
                yet; the connection must not go on.
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
        self._happened(TLSBegun())
        self._forget_session()

    def _observe(self, sender: str, octets: bytes, *, content: bool = False) -> None:
        if self._observer is not None:
            self._observer(sender, octets, content)

    def _in_force(self) -> InForce:
        """What the extensions in force mean for the commands."""
        offered = self.session.offered
        if offered is not self._force_of:
            self._force_of = offered
            self._force = self._catalogue.in_force(offered)
        return self._force

    def _queue(self, *lines: bytes) -> None:
        """Queue lines, each of which gets its CRLF here.

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
        """Do what the last reply to a command does; the table allows it.

        Arguments:
            row: the row of the command in the state that the session is in.
            code: the reply code.
            command: None for the greeting and the end of the content.
        """
        after = row.after[code // 100]
        assert after is not None
        if after is _CLOSED:
            self._clean = True
        if row.forget is not _NOTHING and (code < 400 or after is not self.state):
            self.transaction = None
            if row.forget is _SESSION:
                session = self.session
                # The first EHLO of a session finds nothing to forget.
                if session.name is not None or len(session.offered):
                    self.session = changed(session, name=None, extended=False, offered=Offered())
                self._forget_session()
            if self._catalogue.concerned:
                self._happened(_TRANSACTION_OVER)
        self.state = after
        if command is None or 300 <= code < 400:
            return
        if self._catalogue.concerned:
            told = self._in_force().rules(type(command)).told
            if told:
                self._tell(told, command, code)
        if code < 300:
            if isinstance(command, Mail):
                self.transaction = Transaction(command)
            elif isinstance(command, Rcpt) and self.transaction is not None:
                self.transaction.recipients.append(command)

    def _tell(self, told: tuple[type[Extension], ...], command: Command, code: int) -> None:
        """Let the extensions that a command concerns know of the reply to it."""
        answered = Answered(command, code < 300, self._on_server)
        offered = self.session.offered
        for kind in told:
            # What a command of its own has ended is not in force any more.
            if kind in self.session.offered or type(command) in kind.commands:
                self.session = kind.after(answered, self.session)
        if self.session.offered is not offered:
            self._offers_ended()

    def _offers_ended(self) -> None:
        """A command of an extension has ended what was in force, as XCLIENT does."""

    def authenticated(self, identity: str) -> None:
        """Note who the client is; on a server, before 235 answers AUTH (RFC 4954 section 4).

        Arguments:
            identity: what `session.identity` says from now on.
        """
        self.session = changed(self.session, identity=identity)

    def _forget_session(self) -> None:
        """What a role keeps besides `session` and has to forget with it."""

    def _happened(self, event: SessionEvent) -> None:
        """Let all extensions know of something that concerns the session."""
        for kind in self._catalogue.concerned:
            self.session = kind.after(event, self.session)
