"""What both connections share: the buffers, the cursor on the table of states, the end of the input.

Six stations lead through a connection.  Bytes go into one buffer; the reader that the state calls for
takes a line or a chunk out of it; a line is parsed to a value; the table and the extensions say whether
the value may stand here; it becomes an event.  On the way out a value is checked against the same table,
formatted, and queued by `_queue`, the one place through which every outgoing line passes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Callable

from .commands import Command, Mail, Rcpt
from .errors import LocalProtocolError
from .extensions import Catalogue
from .session import Offered, Session, TLSFacts, Transaction
from .states import Forget, State, Step
from .wire import LineReader, ReceiveBuffer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .limits import Limits
    from .wire import LineEndings

__all__ = ["Connection", "Observer"]

Observer = Callable[[str, bytes, bool], None]
"""Called with "C" or "S", octets, and whether they are content: a line without its CRLF, or a chunk of
content without dot transparency, that this side sent or received.  Secrets are left out."""


class Connection:
    """The common base of `Client` and `Server`.

    Attributes:
        state: where the session stands.
        session: what is known of it.
        transaction: what MAIL and RCPT said, None outside a mail transaction.
        line_endings: what happens to a bare CR or LF.
    """

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
        self._limits = limits
        self.line_endings = line_endings
        self._observer = observer
        self._buffer = ReceiveBuffer()
        self._lines = LineReader(self._buffer, limits.command_line, line_endings)
        self._out = bytearray()
        self._eof = False
        self._closing_told = False

    @property
    def offered(self) -> Offered[object]:
        """The service extensions in force; empty before EHLO and after STARTTLS."""
        return self.session.offered

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the peer; `b""` means that it closed its side.

        Nothing is parsed before `next_event` is called.  What is fed while the connection does not
        ask for it waits in memory, so feed only when it says `Need.DATA`.

        Raises:
            LocalProtocolError: bytes after the end.
        """
        if not data:
            self._eof = True
            return
        if self._eof:
            raise LocalProtocolError("bytes came after the end of the connection")
        if self.state is not State.CLOSED:
            self._buffer.feed(data)

    def data_to_send(self) -> bytes:
        """Everything queued since the last call; empty if there is nothing."""
        if not self._out:
            return b""
        data = bytes(self._out)
        self._out = bytearray()
        return data

    def tls_established(self, facts: TLSFacts | None = None) -> None:
        """Go on inside TLS: what was known before the handshake is forgotten (RFC 3207 section 4.2).

        Arguments:
            facts: what the adapter knows of the TLS connection.

        Raises:
            LocalProtocolError: no handshake is due in this state.
        """
        if self.state is not State.TLS:
            raise LocalProtocolError(f"no TLS handshake is due: {self.state.value}")
        self.state = State.GREETED
        self.session = Session(
            hostname=self.session.hostname,
            protocol=self.session.protocol,
            peer=self.session.peer,
            secure=True,
            tls=facts,
        )
        self._forget_session()

    def _observe(self, sender: str, octets: bytes, *, content: bool = False) -> None:
        if self._observer is not None:
            self._observer(sender, octets, content)

    def _queue(self, lines: Sequence[bytes]) -> None:
        """Queue lines, each of which gets its CRLF here.

        Raises:
            LocalProtocolError: a line holds CR, LF or NUL, which would make it more than one line;
                nothing is queued.
        """
        for line in lines:
            self._check_line(line)
        self._out += b"\r\n".join(lines) + b"\r\n"

    @staticmethod
    def _check_line(line: bytes) -> None:
        if b"\n" in line or b"\r" in line or b"\0" in line:
            raise LocalProtocolError(
                "a line to be sent holds CR, LF or NUL (RFC 5321 section 2.3.8)"
            )

    def _move(self, step: Step, code: int) -> None:
        """Do what a reply does to the state; the table allows it."""
        after = State.CLOSED if code == 421 else step.after[code // 100]
        assert after is not None
        if step.forget is not Forget.NOTHING and (code < 400 or after is not self.state):
            self.transaction = None
            if step.forget is Forget.SESSION:
                self.session = replace(
                    self.session, name=None, extended=False, offered=Offered()
                )
                self._forget_session()
        self.state = after

    def _forget_session(self) -> None:
        """What a role keeps besides `session` and has to forget with it."""

    def _keep(self, command: Command) -> None:
        """Keep what MAIL and RCPT said, now that they were answered positively."""
        if isinstance(command, Rcpt):
            if self.transaction is not None:
                self.transaction.recipients.append(command)
        elif isinstance(command, Mail):
            self.transaction = Transaction(command)
