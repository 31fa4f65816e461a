"""The client's connection: commands to bytes, bytes from a server to replies.

RFC 5321 sections 3 and 4, with the pipelining of RFC 2920.  Pipelining is not a mode: commands are
sent one after the other, and leave as early as the server allows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import RemoteProtocolError
from ..extensions.known import of_keywords
from ..limits import DEFAULT, Limits
from ..timeouts import CONTENT_CHUNK_TIMEOUT, END_OF_CONTENT_TIMEOUT, GREETING_TIMEOUT
from ..vocabulary.command_base import Command, CountedCommand, DialogueCommand
from ..vocabulary.commands import Hello, Helo, Rcpt
from ..vocabulary.events import ClientEvent, ConnectionClosed, Need
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import NOTHING_OFFERED, Protocol, Session, TLSFacts, changed
from ..vocabulary.states import State
from ..wire import BadLine, DotEncoder, LineEndings
from .client_commands import ClientCommands, early
from .compiled_extensions import catalogue, read_offers
from .connection import Observer
from .transition_table import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..extensions import Extension

__all__ = ["Client"]

# The highest reply code.
_WORST = 599
# CPython 3.11 takes three times as long to look up an enum's member than a global name.
_CLOSED, _CONTENT = State.CLOSED, State.CONTENT
_LMTP = Protocol.LMTP
_NEEDS_DATA = Need.DATA
# The states in which no reply may come.
_NO_REPLIES = frozenset({State.CLOSED, State.TLS})


class Client(ClientCommands):
    """The client's side of a session, without I/O.

    `send` takes commands and content, and `data_to_send` returns the bytes.  `next_event` returns
    the replies in the order of the commands, each with its `command`.  You may send several
    commands at once.  A command that must wait for a reply (RFC 2920 section 3.1, or there is no
    PIPELINING) is held back until `next_event` has read that reply.

    Arguments:
        extensions: the classes of service extensions it understands; None for all of `KNOWN`, of
            which it loads those that the server offers.
        limits: bounds on what a server can make it hold or do.
        protocol: SMTP or LMTP.
        line_endings: what happens to a bare CR or LF in content; `PRESERVE` is not possible.
        session: facts known from outside: `peer`, `secure`, `tls`.
        observer: called with every line and chunk, for transcripts.

    Raises:
        ValueError: `PRESERVE`.
    """

    __slots__ = ("_answers", "_best", "_loads")

    def __init__(
        self,
        extensions: Iterable[type[Extension]] | None = None,
        *,
        limits: Limits | None = None,
        protocol: Protocol = Protocol.SMTP,
        line_endings: LineEndings = LineEndings.REFUSE,
        session: Session | None = None,
        observer: Observer | None = None,
    ) -> None:
        limits = limits or DEFAULT
        super().__init__(
            catalogue(extensions or (), protocol, limits),
            Session(protocol=protocol) if session is None else changed(session, protocol=protocol),
            limits,
            line_endings,
            observer,
        )
        self._loads = extensions is None
        # On LMTP: how many replies to the end of the content have come, and the lowest code.
        self._answers = 0
        self._best = _WORST

    @property
    def timeout(self) -> float:
        """Seconds to wait for the server (RFC 5321 section 4.5.3.2)."""
        if self._encoder is not None:
            return CONTENT_CHUNK_TIMEOUT
        sent = self._queued.sent
        if not sent:
            return GREETING_TIMEOUT
        row, command = sent[0]
        if row.name == "content":
            return END_OF_CONTENT_TIMEOUT
        return GREETING_TIMEOUT if command is None else command.timeout

    def tls_established(self, facts: TLSFacts | None = None) -> None:
        if self.state is State.CONNECTED and self._replies.code:
            raise RemoteProtocolError(
                "a greeting began in plain text before the TLS handshake (RFC 8314 section 3.3)"
            )
        super().tls_established(facts)

    def next_event(self) -> ClientEvent | Need:
        """Return the next reply, one `ConnectionClosed` at the end, or a `Need`.

        Raises:
            RemoteProtocolError: the server broke the protocol; the connection cannot go on, and
                every later call raises the same.
        """
        if self._error is not None:
            raise self._error
        try:
            while self.state not in _NO_REPLIES:
                line = self._lines.read()
                if not isinstance(line, bytes):
                    return self._no_line(line)
                sent = self._queued.sent
                if sent:
                    command = sent[0][1]
                else:
                    # Within content a refusal is about the content.
                    command = self._command if self._encoder is not None else None
                if isinstance(command, DialogueCommand):
                    reply = self._feed_privately(line, command)
                else:
                    if self._observer is not None:
                        self._observer("S", line, False)
                    recipient = None
                    if self._session.protocol is _LMTP and sent:
                        recipient = self._lmtp_recipient(*sent[0])
                    reply = self._replies.feed(line, command, recipient)
                if reply is not None:
                    self._settle(reply)
                    return reply
            return self._without_lines()
        except RemoteProtocolError as error:
            self._break(error)
            raise

    def _no_line(self, bad: BadLine | None) -> ClientEvent | Need:
        """Handle a refused line, a line that is too long, or the lack of a line."""
        if self._lines.dropped:
            # The line may have no end.
            raise RemoteProtocolError(f"a line of a reply has more than {self._lines.limit} octets")
        if bad is None:
            return self._closed(clean=False) if self._eof else _NEEDS_DATA
        sent = self._queued.sent
        if sent and isinstance(sent[0][1], DialogueCommand):
            raise _no_reply_to_auth()
        raise RemoteProtocolError(
            f"a line of a reply is refused ({bad.reason.value}): {bad.start!r}"
        )

    def _without_lines(self) -> ClientEvent | Need:
        if self.state is _CLOSED:
            return self._closed(clean=self._clean)
        if len(self._buffer):
            raise RemoteProtocolError(
                "octets in plain text follow the reply to STARTTLS (RFC 3207 section 4.2)"
            )
        return self._closed(clean=False) if self._eof else Need.TLS

    def _feed_privately(self, line: bytes, command: DialogueCommand) -> Reply | None:
        """Read a line within a dialogue; errors do not show it, because it may repeat a secret."""
        try:
            reply = self._replies.feed(line, command)
        except RemoteProtocolError:
            raise _no_reply_to_auth() from None
        self._observe("S", b"334 (challenge)" if line.startswith(b"3") else line)
        if reply is not None:
            self._lines.limit = self.limits.reply_line
        return reply

    def _settle(self, reply: Reply) -> None:
        """Change the state by a reply to the oldest command that waits for one."""
        queued, code = self._queued, reply.code
        if code == 421 or not queued.sent:
            self._end_early(code)
            return
        sent, command = queued.sent[0]
        row = self._rows[self.state].get(sent.name)
        fits = row is not None and row.after[code // 100] is not None
        if not fits or queued.released == 0 or self._chunks is not None:
            self._check_answer(code, sent.name, row)
        if reply.recipient is not None:
            self._best = min(code, self._best)
            if self._more_recipients():
                return
            code, self._best, self._answers = self._best, _WORST, 0
        queued.answered()
        if row is not None:
            self._answered(row, code, None if row.name == "content" else command)
            if self.state is not row.success:
                self._projected = None
            if code < 300:
                if command is None or isinstance(command, Hello):
                    self._learn(command, reply)
            elif code < 400:
                self._go_on(command)
        if queued.held:
            self._release()

    def _check_answer(self, code: int, name: str, row: Row | None) -> None:
        """Refuse a reply that does not fit the oldest command that waits for one.

        Raises:
            RemoteProtocolError: it does not fit, or came before the command was sent.
        """
        queued = self._queued
        if queued.released == 0:
            raise early(name)
        if (row is None and code < 400) or (row is not None and row.after[code // 100] is None):
            raise RemoteProtocolError(
                f"{code} cannot answer {name} here: {self.state.value} (RFC 5321 section 4.3.2)"
            )
        unfinished = self._chunks is not None and self._chunks.owed
        if unfinished and code < 400 and len(queued.sent) == 1 and not queued.held:
            raise RemoteProtocolError(
                f"{code} came before the octets of a chunk were sent (RFC 3030 section 2)"
            )

    def _end_early(self, code: int) -> None:
        """End the session with 421, or with a refusal in the middle of the content.

        RFC 5321 section 4.1.1.4 does not allow the latter; servers that send it close, and it is
        unknown how much they have read.

        Raises:
            RemoteProtocolError: it is neither.
        """
        if code < 400 or not (code == 421 or self._encoder is not None):
            raise RemoteProtocolError(
                f"{code} came, but no command waits for a reply (RFC 5321 section 4.2)"
            )
        self._end(_CLOSED)

    def _lmtp_recipient(self, row: Row, command: Command | None) -> Rcpt | None:
        """Return the recipient of the next reply, if each recipient gets a reply (RFC 2033)."""
        if self.transaction is None:
            return None
        final = row.name == "content" or (isinstance(command, CountedCommand) and command.last)
        recipients = self.transaction.recipients
        return recipients[self._answers] if final and recipients else None

    def _more_recipients(self) -> bool:
        assert self.transaction is not None
        self._answers += 1
        return self._answers < len(self.transaction.recipients)

    def _go_on(self, command: Command | None) -> None:
        """Prepare for the content, or the next response, that the server asks for."""
        self._command = command
        if self.state is _CONTENT:
            self._encoder = DotEncoder(self.line_endings)

    def _learn(self, command: Hello | None, reply: Reply) -> None:
        """Store what the greeting, or the reply to EHLO, says about the server."""
        if command is None:
            self.session = changed(self.session, hostname=reply.lines[0].partition(" ")[0])
        else:
            extended = not isinstance(command, Helo)
            if extended and self._loads:
                self._load(reply.lines[1:])
            offers = read_offers(reply.lines[1:], self._catalogue) if extended else NOTHING_OFFERED
            self.session = changed(
                self.session, name=command.name, extended=extended, offered=offers
            )

    def _load(self, lines: Sequence[str]) -> None:
        """Understand the extensions that a reply to EHLO announces, in addition to earlier ones."""
        # Some old servers write "AUTH=LOGIN".
        words = [line.strip(" ").replace("=", " ").partition(" ")[0].upper() for line in lines]
        kinds = of_keywords([*self._catalogue.kinds, *words])
        self._catalogue = catalogue(kinds, self.session.protocol, self.limits)
        self._rows = self._catalogue.rows

    def _closed(self, *, clean: bool) -> ClientEvent | Need:
        self._end(State.CLOSED)
        if self._closing_told:
            return Need.DATA
        self._closing_told = True
        return ConnectionClosed(clean)


def _no_reply_to_auth() -> RemoteProtocolError:
    return RemoteProtocolError("a line in reply to AUTH is no reply line; it is not shown")
