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
from ..vocabulary.replies import Reply, reply_as_read
from ..vocabulary.session_facts import NOTHING_OFFERED, Protocol, Session, TLSFacts, changed
from ..vocabulary.states import Effect, State
from ..wire import DotEncoder, LineEndings
from .client_commands import Awaited, ClientCommands, early
from .compiled_extensions import catalogue, read_offers
from .connection import Observer, check_arguments
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
_SESSION = Effect.SESSION
# The states in which no reply may come.
_NO_REPLIES = frozenset({State.CLOSED, State.ERROR, State.TLS})
_UNASKED = Row("", (None,) * 6, State.CLOSED, Effect.NOTHING, in_flight=False)
# Octets of the longest line that a client keeps.
_SHORT = 64


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
        TypeError: an argument has another type, or the observer takes other arguments.
        ValueError: `line_endings` is `PRESERVE`.
    """

    __slots__ = ("_answers", "_best", "_known", "_loads")

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
        check_arguments(line_endings, session, observer)
        limits = limits or DEFAULT
        super().__init__(
            catalogue(extensions or (), protocol, limits),
            Session(protocol=protocol) if session is None else changed(session, protocol=protocol),
            limits,
            line_endings,
            observer,
        )
        self._loads = extensions is None
        # The last short reply to each command, and its line: servers say the same to all recipients
        # of all messages.
        self._known: dict[str, tuple[bytes, Reply]] = {}
        # On LMTP: how many replies to the end of the content have come, and the lowest code.
        self._answers = 0
        self._best = _WORST

    @property
    def timeout(self) -> float:
        """Seconds to wait for the server (RFC 5321 section 4.5.3.2)."""
        if self._encoder is not None:
            return CONTENT_CHUNK_TIMEOUT
        sent = self._sent
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
        try:
            if self.state in _NO_REPLIES:
                return self._without_replies()
            buffer, sent = self._buffer, self._sent
            if not buffer.octets:
                return self._no_octets()
            row, command = sent[0] if sent else self._unasked()
            lmtp = self._session.protocol is _LMTP
            recipient = self._lmtp_recipient(row, command) if lmtp else None
            known = None if self._replies.code else self._known.get(row.name)
            if known is None or not buffer.octets.startswith(known[0], buffer.offset):
                reply = self._read(row, command, recipient)
                if reply is None:
                    return self._no_octets()
            else:
                line, reply = known
                buffer.skip(len(line))
                if self._observer is not None:
                    self._observer("S", line[:-2], False)
                if reply.command is not command or reply.recipient is not recipient:
                    reply = reply_as_read(
                        reply.code, reply.enhanced, reply.text, command, recipient
                    )
            self._settle(reply, row, command)
        except RemoteProtocolError as error:
            self._break(error)
            raise
        return reply

    def _no_octets(self) -> ClientEvent | Need:
        return self._closed(clean=False) if self._eof else _NEEDS_DATA

    def _unasked(self) -> Awaited:
        """Return what a reply is about if no command waits for one: the content, or nothing."""
        return _UNASKED, self._command if self._encoder is not None else None

    def _read(self, row: Row, command: Command | None, recipient: Rcpt | None) -> Reply | None:
        """Read lines up to the end of a reply; return None if more octets must arrive."""
        lines, limits = self._lines, self.limits
        private = isinstance(command, DialogueCommand)
        # A challenge may be longer (RFC 4954 section 4).
        lines.limit = max(limits.reply_line, limits.exchange_line * private)
        while isinstance(line := lines.read(), bytes):
            if private:
                reply = self._feed_privately(line, command)
            else:
                self._observe("S", line)
                reply = self._replies.feed(line, command, recipient)
            if reply is not None:
                if not private and len(line) <= _SHORT and "\n" not in reply.text:
                    self._known[row.name] = line + b"\r\n", reply
                return reply
        if lines.dropped:
            # The line may have no end.
            raise RemoteProtocolError(f"a line of a reply has more than {lines.limit} octets")
        if line is None:
            return None
        if private:
            raise _no_reply_to_auth()
        raise RemoteProtocolError(
            f"a line of a reply is refused ({line.reason.value}): {line.start!r}"
        )

    def _without_replies(self) -> ClientEvent | Need:
        if self._error is not None:
            raise self._error
        if self.state is _CLOSED:
            return self._closed(clean=self._clean)
        if len(self._buffer):
            raise RemoteProtocolError(
                "octets in plain text follow the reply to STARTTLS (RFC 3207 section 4.2)"
            )
        return self._closed(clean=False) if self._eof else Need.TLS

    def _feed_privately(self, line: bytes, command: Command | None) -> Reply | None:
        """Read a line within a dialogue; errors do not show it, because it may repeat a secret."""
        try:
            reply = self._replies.feed(line, command)
        except RemoteProtocolError:
            raise _no_reply_to_auth() from None
        self._observe("S", b"334 (challenge)" if line.startswith(b"3") else line)
        return reply

    def _settle(self, reply: Reply, sent: Row, command: Command | None) -> None:
        """Change the state by a reply to the oldest command that waits for one."""
        code = reply.code
        if code == 421 or not self._sent:
            self._end_early(code)
            return
        row = self._rows[self.state].get(sent.name)
        if row is None or not row.after[code // 100] or self._released == 0 or self._chunks:
            self._check_answer(code, sent.name, row)
        if reply.recipient is not None and not (code := self._code_of_all(code)):
            return
        self._sent.popleft()
        if self._released > 0:
            self._released -= 1
        if row is not None:
            self._answered(row, code, None if row.name == "content" else command)
            if self.state is not row.success:
                self._projected = None
            if 300 <= code < 400:
                self._go_on(command)
        if command is None or sent.forget is _SESSION:
            self._learn(command, reply)
        if self._held:
            self._release()

    def _check_answer(self, code: int, name: str, row: Row | None) -> None:
        """Refuse a reply that does not fit the oldest command that waits for one.

        Raises:
            RemoteProtocolError: it does not fit, or came before the command was sent.
        """
        if self._released == 0:
            raise early(name)
        if (row is None and code < 400) or (row is not None and row.after[code // 100] is None):
            raise RemoteProtocolError(
                f"{code} cannot answer {name} here: {self.state.value} (RFC 5321 section 4.3.2)"
            )
        unfinished = self._chunks is not None and self._chunks.owed
        if unfinished and code < 400 and len(self._sent) == 1 and not self._held:
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

    def _code_of_all(self, code: int) -> int:
        """Return the lowest code of the replies for all recipients; 0 as long as more must come."""
        assert self.transaction is not None
        self._answers += 1
        self._best = min(code, self._best)
        if self._answers < len(self.transaction.recipients):
            return 0
        code, self._best, self._answers = self._best, _WORST, 0
        return code

    def _go_on(self, command: Command | None) -> None:
        """Prepare for the content, or the next response, that the server asks for."""
        self._command = command
        if self.state is _CONTENT:
            self._encoder = DotEncoder(self.line_endings)

    def _learn(self, command: Command | None, reply: Reply) -> None:
        """Store what the greeting, or the reply to EHLO, says about the server."""
        lines = reply.lines
        if command is None:
            if reply.positive:
                self.session = changed(self.session, hostname=lines[0].partition(" ")[0])
            return
        self._unsettled -= 1
        if reply.positive and isinstance(command, Hello):
            extended = not isinstance(command, Helo)
            if extended and self._loads:
                self._load(lines[1:])
            offers = read_offers(lines[1:], self._catalogue) if extended else NOTHING_OFFERED
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
