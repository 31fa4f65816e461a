"""The client's connection: commands to bytes, bytes from a server to replies.

RFC 5321 sections 3 and 4, with the pipelining of RFC 2920.  Pipelining is not a mode: commands are
sent one after the other, and leave as early as the server allows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import LocalProtocolError, RemoteProtocolError
from ..extensions import Extension
from ..extensions.known import KNOWN
from ..limits import DEFAULT, Limits
from ..timeouts import CONTENT_CHUNK_TIMEOUT, END_OF_CONTENT_TIMEOUT, GREETING_TIMEOUT
from ..vocabulary.command_base import Command, CountedCommand, DialogueCommand, Framing
from ..vocabulary.commands import Hello, Helo, Mail, Rcpt
from ..vocabulary.events import (
    AuthResponse,
    ClientEvent,
    ConnectionClosed,
    ContentChunk,
    EndOfContent,
    Need,
)
from ..vocabulary.lenient_commands import NoDomain
from ..vocabulary.replies import Reply, ReplyReader, build_reply
from ..vocabulary.session import Offered, Protocol, Session, TLSFacts, Transaction
from ..vocabulary.states import Effect, State
from ..wire import BadLine, DotEncoder, LineEndings, LineReader
from .catalogue import catalogue, read_offers
from .client_content import OutgoingChunks
from .client_pipelining import Awaited, CommandQueue
from .command_allowed import CommandRules, InForce, not_possible
from .connection import Connection, Observer, check_line
from .table import Row

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Client"]

# The highest reply code.
_WORST = 599
_NOTHING = Offered()
# In CPython 3.11 to name a member of an enum takes three times as long as to name these.
_CLOSED, _CONTENT, _CHUNKS, _TLS = State.CLOSED, State.CONTENT, State.CHUNKS, State.TLS
_SESSION, _LMTP = Effect.SESSION, Protocol.LMTP
_NEEDS_DATA = Need.DATA
_COUNTED = Framing.COUNTED
# The codes of replies that may come unasked: none, or the end of the session.
_NO_ANSWER = (b"", b"421")


class Client(Connection):
    """The client's side of a session, without I/O.

    `send` takes commands and content, `data_to_send` gives the bytes, `next_event` the replies in
    the order of the commands, each with its `command`.  Several commands may be sent at once; what
    may not leave before a reply has come (RFC 2920 section 3.1, or no PIPELINING) is held back and
    leaves by itself.

    Arguments:
        extensions: the classes of service extensions it understands.
        limits: bounds on what a server can make it hold or do.
        protocol: SMTP or LMTP.
        line_endings: what happens to a bare CR or LF in content; `PRESERVE` is not possible.
        session: facts known from outside: `peer`, `secure`, `tls`.
        observer: called with every line and chunk, for transcripts.

    Raises:
        ValueError: `PRESERVE`.
    """

    __slots__ = (
        "_answers",
        "_best",
        "_chunks",
        "_command",
        "_encoder",
        "_error",
        "_last_mail",
        "_projected",
        "_queued",
        "_replies",
    )

    def __init__(
        self,
        extensions: Iterable[type[Extension]] = KNOWN,
        *,
        limits: Limits | None = None,
        protocol: Protocol = Protocol.SMTP,
        line_endings: LineEndings = LineEndings.REFUSE,
        session: Session | None = None,
        observer: Observer | None = None,
    ) -> None:
        limits = limits or DEFAULT
        super().__init__(
            catalogue(extensions, protocol, limits),
            Session(protocol=protocol) if session is None else replace(session, protocol=protocol),
            limits,
            line_endings,
            observer,
        )
        DotEncoder(line_endings)
        self._lines = LineReader(
            self._buffer, limits.reply_line, LineEndings.REFUSE, bare_lf_ends=True
        )
        self._replies = ReplyReader(limits)
        greeting = self._rows[State.CONNECTED]["greeting"]
        self._queued = CommandQueue(greeting, limits.unanswered)
        # Where the session would be if all that is pending succeeded; None: to be found out.
        self._projected: State | None = State.GREETED
        self._last_mail: Transaction | None = None
        # The content under way: with dots, or in chunks.
        self._encoder: DotEncoder | None = None
        self._chunks: OutgoingChunks | None = None
        # The command of the content or dialogue that goes on; how many replies were had so far to
        # its end, and the lowest code of them (LMTP).
        self._command: Command | None = None
        self._answers = 0
        self._best = _WORST
        self._error: RemoteProtocolError | None = None

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

    @property
    def pending(self) -> int:
        """How many replies are still to come for what was sent."""
        return len(self._queued)

    def data_to_send(self) -> bytes:
        queued = self._queued
        if queued.begins_unwritten and self._unread_code() not in _NO_ANSWER:
            # Something to answer it is there already: `next_event` refuses that.
            return b""
        queued.written()
        return super().data_to_send()

    def tls_established(self, facts: TLSFacts | None = None) -> None:
        if self.state is State.CONNECTED and self._replies.code:
            raise RemoteProtocolError(
                "a greeting began in plain text before the TLS handshake (RFC 8314 section 3.3)"
            )
        super().tls_established(facts)

    # --- out: commands and content to bytes ----------------------------------------------------

    def send(self, message: Command | ContentChunk | EndOfContent | AuthResponse) -> None:
        """Queue a command, a piece of content, its end, or a response within a dialogue.

        Raises:
            LocalProtocolError: it is not possible in this state, an extension it needs was not
                offered, it would be too long, or an argument holds CR, LF or NUL; nothing is queued
                then.
            RemoteProtocolError: what would answer it was there before it left; nothing is queued,
                and the connection cannot go on.
            TypeError: it is none of these; nothing is queued.
        """
        if self._error is not None:
            raise LocalProtocolError(f"the connection is broken: {self._error}")
        try:
            self._send(message)
        except RemoteProtocolError as error:
            self._break(error)
            raise

    def _send(self, message: Command | ContentChunk | EndOfContent | AuthResponse) -> None:
        if isinstance(message, Command):
            self._send_command(message)
        elif isinstance(message, ContentChunk):
            self._send_chunk(message.octets)
        elif isinstance(message, EndOfContent):
            self._send_end()
        elif isinstance(message, AuthResponse):
            self._send_response(message)
        else:
            raise TypeError(
                f"expected a Command, ContentChunk, EndOfContent or AuthResponse, found {message!r}"
            )

    def _send_command(self, command: Command) -> None:
        queued = self._queued
        state = self._projected or self._project()
        force, session = self._in_force(), self.session
        if queued.unsettled:
            force = self._catalogue.in_force(_NOTHING)
            session = replace(session, offered=_NOTHING)
        rules = force.rules(type(command))
        row = self._row(command, state, force, session)
        line = self._line(command, rules, utf8=force.utf8)
        awaited = (row, command)
        if queued.held or (queued.sent and not queued.may_leave(force.pipelining)):
            queued.hold(awaited, line)
        else:
            if not queued.sent and self._unread_code() not in _NO_ANSWER:
                raise _early(command.verb)
            self._leave(awaited, command, line)
        if row.forget is _SESSION:
            queued.unsettled += 1
        self._projected = after = row.success
        if isinstance(command, Rcpt):
            assert self._last_mail is not None
            self._last_mail.recipients.append(command)
        elif isinstance(command, Mail):
            self._last_mail = Transaction(command)
        elif after is _CHUNKS or command.framing is _COUNTED:
            self._begin_chunk(command, state)

    def _row(self, command: Command, state: State, force: InForce, session: Session) -> Row:
        """The row of a command that may be sent.

        Arguments:
            command: the command.
            state: where the session will be when it arrives.
            force: what the server offers by then.
            session: the facts, with what the server offers by then.

        Raises:
            LocalProtocolError: it is not possible in this state, or an extension is not offered or
                refuses it.
        """
        row = self._rows[state].get(command.row)
        if row is None or row.in_flight:
            raise _impossible(not_possible(command, state))
        refusal = force.refusal(command, session, self._last_mail)
        if refusal is not None:
            raise _impossible(refusal)
        if self._chunks is not None and self._chunks.owed:
            where = "a chunk is not complete (RFC 3030 section 2)"
            raise LocalProtocolError(
                f"{command.verb} is not possible here: {where}", code=503, enhanced="5.5.1"
            )
        if isinstance(command, Hello):
            self._check_hello(command)
        return row

    def _check_hello(self, command: Hello) -> None:
        if command.verb not in self._catalogue.grammar.verbs:
            raise LocalProtocolError(
                f"{command.verb} is not spoken here: {self.session.protocol.value}", code=500
            )
        if isinstance(command.name, NoDomain):
            raise LocalProtocolError(
                f"{command.verb}: expected a domain, found {command.name.name!a} "
                "(RFC 5321 section 4.1.1.1)"
            )

    def _line(self, command: Command, rules: CommandRules, *, utf8: bool) -> bytes:
        """The command line, with its CRLF.

        Raises:
            LocalProtocolError: it is too long, not ASCII where it must be, or more than one line.
        """
        text = command.line()
        line = f"{text}\r\n".encode()
        if not utf8 and not text.isascii():
            raise LocalProtocolError(
                f"{command.verb}: only ASCII, as SMTPUTF8 was not offered (RFC 5321 section 2.4)",
                code=553,
                enhanced="5.6.7",
            )
        if len(line) > rules.longest:
            raise LocalProtocolError(
                f"{command.verb}: the line has {len(line)} octets with its CRLF, "
                f"{rules.longest} are allowed (RFC 5321 section 4.5.3.1.4)"
            )
        if not text.isprintable():
            check_line(text.encode())
        return line

    def _leave(self, awaited: Awaited, command: Command, line: bytes) -> None:
        """Queue a command: its reply is the next one to come behind those that are pending."""
        self._out += line
        if self._observer is not None:
            self._observer("C", str(command).encode("utf-8"), False)
        self._queued.sent.append(awaited)
        if isinstance(command, DialogueCommand):
            self._expect_challenge()

    def _unread_code(self) -> bytes:
        """What there is of the code of a reply that was not read yet; empty if there is none.

        Where nothing waits for a reply, it was said before what it would be taken to answer.  Only
        421 may be said at any time (RFC 5321 section 3.8).
        """
        begun = self._replies.code
        if not begun and not self._buffer.octets:
            return b""
        code = b"%d" % begun if begun else self._buffer.peek(3)
        # It may be the first half.
        return b"421" if code and b"421".startswith(code) else code

    def _begin_chunk(self, command: Command, state: State) -> None:
        """A command announces a chunk, or brings content itself (RFC 4468)."""
        if self._chunks is None or state is not _CHUNKS:
            assert self._last_mail is not None
            self._chunks = OutgoingChunks(self._last_mail.mail)
        if isinstance(command, CountedCommand):
            self._chunks.announce(command)

    def _release(self) -> None:
        """Let leave what may leave (RFC 2920 section 3.1)."""
        queued = self._queued
        pipelining = self._in_force().pipelining
        while (released := queued.release(pipelining)) is not None:
            awaited, octets = released
            if awaited is None:
                self._out += octets
            else:
                assert awaited[1] is not None
                self._leave(awaited, awaited[1], octets)

    def _send_chunk(self, octets: bytes) -> None:
        if not isinstance(octets, (bytes, bytearray, memoryview)):
            raise TypeError(f"content: expected bytes, found {octets!r:.64}")
        chunks = self._chunks
        if chunks is not None and chunks.owed:
            chunks.take(octets)
            self._queued.held.append((None, bytes(octets)))
            self._release()
        elif octets or chunks is None:
            self._out += self._content_encoder().encode(octets)
        self._observe("C", octets, content=True)

    def _content_encoder(self) -> DotEncoder:
        if self._encoder is None:
            raise LocalProtocolError(
                f"content is not possible here: {self.state.value} (RFC 5321 section 4.1.1.4)"
            )
        if self.transaction is None or not self.transaction.recipients:
            raise LocalProtocolError(
                "no recipient was accepted: only the end of the content may follow "
                "(RFC 2920 section 3.1)"
            )
        return self._encoder

    def _send_end(self) -> None:
        encoder = self._encoder or self._content_encoder()
        code = self._unread_code()
        if code.startswith((b"4", b"5")):
            # A refusal within the content: `next_event` tells it, and the end must not leave.
            return
        if code:
            raise _early("the end of the content")
        self._out += encoder.finish()
        self._observe("C", b".")
        self._encoder = None
        self._queued.sent.append((self._rows[_CONTENT]["content"], self._command))
        self._projected = None

    def _send_response(self, response: AuthResponse) -> None:
        command = self._command
        if self.state is not State.EXCHANGE or self._queued.sent or command is None:
            raise LocalProtocolError(
                f"no challenge waits for a response: {self.state.value} (RFC 4954 section 4)"
            )
        assert isinstance(command, DialogueCommand)
        line = command.format_response(response.octets)
        if len(line) + 2 > self._limits.exchange_line:
            raise LocalProtocolError(
                f"the response has more than {self._limits.exchange_line} octets "
                "(RFC 4954 section 4)"
            )
        if self._unread_code() not in _NO_ANSWER:
            raise _early("the response")
        self._queue(line)
        self._observe("C", b"(response)")
        self._queued.sent.append((self._rows[State.EXCHANGE]["response"], command))
        self._expect_challenge()

    def _expect_challenge(self) -> None:
        """The next line may be longer than that of another reply (RFC 4954 section 4)."""
        self._lines.limit = max(self._limits.exchange_line, self._limits.reply_line)

    def _forget_session(self) -> None:
        # After a TLS handshake the session is elsewhere, and no reply said so.
        self._projected = None

    def _project(self) -> State:
        """Where the session will be if all that is pending succeeds."""
        self._projected = state = self._queued.state_if_all_succeed(self.state, self._rows)
        return state

    # --- in: bytes to replies -----------------------------------------------------------------

    def next_event(self) -> ClientEvent | Need:
        """The next reply, one `ConnectionClosed` at the end, or what the connection waits for.

        Raises:
            RemoteProtocolError: the server broke the protocol; the connection cannot go on, and
                every later call raises the same.
        """
        if self._error is not None:
            raise self._error
        try:
            return self._next_event()
        except RemoteProtocolError as error:
            self._break(error)
            raise

    def _break(self, error: RemoteProtocolError) -> None:
        """The server broke the protocol: nothing leaves and nothing is read any more."""
        self._error = error
        self._end(State.ERROR)

    def _next_event(self) -> ClientEvent | Need:
        while True:
            if self.state is _CLOSED or self.state is _TLS:
                return self._without_lines()
            line = self._lines.read()
            if self._lines.dropped:
                # Waiting for its end could take for ever.
                raise RemoteProtocolError(
                    f"a line of a reply has more than {self._lines.limit} octets"
                )
            if line is None:
                return self._closed(clean=False) if self._eof else _NEEDS_DATA
            sent = self._queued.sent
            if sent and isinstance(sent[0][1], DialogueCommand):
                complete = self._feed_privately(line)
            elif isinstance(line, BadLine):
                raise RemoteProtocolError(
                    f"a line of a reply is refused ({line.reason.value}): {line.start!r}"
                )
            else:
                self._observe("S", line)
                complete = self._replies.feed(line)
            if complete is not None:
                return self._reply(*complete)

    def _without_lines(self) -> ClientEvent | Need:
        if self.state is _CLOSED:
            return self._closed(clean=self._clean)
        if len(self._buffer):
            raise RemoteProtocolError(
                "octets in plain text follow the reply to STARTTLS (RFC 3207 section 4.2)"
            )
        return self._closed(clean=False) if self._eof else Need.TLS

    def _feed_privately(self, line: bytes | BadLine) -> tuple[int, list[str]] | None:
        """Read a line within a dialogue: whoever speaks there may repeat the secret it got."""
        try:
            if isinstance(line, bytes):
                complete = self._replies.feed(line)
                self._observe("S", b"334 (challenge)" if line.startswith(b"3") else line)
                return complete
        except RemoteProtocolError:
            pass
        raise RemoteProtocolError("a line in reply to AUTH is no reply line; it is not shown")

    def _reply(self, code: int, lines: list[str]) -> Reply:
        """Tie a reply to the command it answers, and do what it does."""
        queued = self._queued
        if not queued.sent:
            return self._unasked(code, lines)
        sent, command = queued.sent[0]
        recipient = None
        if self.session.protocol is _LMTP:
            recipient = self._lmtp_recipient(sent, command)
        reply = build_reply(code, lines, command, recipient)
        if code == 421:
            self._end(_CLOSED)
            return reply
        row = self._rows[self.state].get(sent.name)
        self._check_answer(code, sent.name, row)
        if recipient is not None:
            self._best = min(code, self._best)
            if self._more_recipients():
                return reply
            code, self._best, self._answers = self._best, _WORST, 0
        queued.answered()
        if not queued.sent:
            self._lines.limit = self._limits.reply_line
        if row is not None:
            if row.after[code // 100] is not row.success:
                self._projected = None
            self._answered(row, code, None if row.name == "content" else command)
            if code < 400:
                self._succeeded(reply)
        if queued.held:
            self._release()
        return reply

    def _check_answer(self, code: int, name: str, row: Row | None) -> None:
        """Refuse a reply that cannot answer what is pending.

        Raises:
            RemoteProtocolError: it cannot, or came before what it would answer was sent.
        """
        queued = self._queued
        if queued.begins_unwritten:
            raise _early(name)
        if (row is None and code < 400) or (row is not None and row.after[code // 100] is None):
            raise RemoteProtocolError(
                f"{code} cannot answer {name} here: {self.state.value} (RFC 5321 section 4.3.2)"
            )
        unfinished = self._chunks is not None and self._chunks.owed
        if unfinished and code < 400 and len(queued.sent) == 1 and not queued.held:
            raise RemoteProtocolError(
                f"{code} came before the octets of a chunk were sent (RFC 3030 section 2)"
            )

    def _unasked(self, code: int, lines: list[str]) -> Reply:
        """A reply that answers no command: only the end of the session can be meant.

        Besides 421 that is a refusal in the middle of the content: a server may not say it there
        (RFC 5321 section 4.1.1.4), those that do close, and nobody knows what they read.
        """
        in_content = self._encoder is not None and code >= 400
        if code != 421 and not in_content:
            raise RemoteProtocolError(
                f"{code} came unasked: no command waits for a reply (RFC 5321 section 4.2)"
            )
        command = self._command if in_content else None
        self._end(State.CLOSED)
        return build_reply(code, lines, command)

    def _lmtp_recipient(self, row: Row, command: Command | None) -> Rcpt | None:
        """The recipient that the next reply is about, if it is one of several (RFC 2033)."""
        if self.transaction is None:
            return None
        final = row.name == "content" or (isinstance(command, CountedCommand) and command.last)
        recipients = self.transaction.recipients
        return recipients[self._answers] if final and recipients else None

    def _more_recipients(self) -> bool:
        assert self.transaction is not None
        self._answers += 1
        return self._answers < len(self.transaction.recipients)

    def _succeeded(self, reply: Reply) -> None:
        """Keep what a positive or intermediate reply tells."""
        command = reply.command
        if reply.code >= 300:
            self._command = command
            if self.state is _CONTENT:
                self._encoder = DotEncoder(self.line_endings)
        elif command is None:
            self.session = replace(self.session, hostname=reply.lines[0].partition(" ")[0])
        elif isinstance(command, Hello):
            extended = not isinstance(command, Helo)
            offers = read_offers(reply.lines[1:], self._catalogue) if extended else Offered()
            self.session = replace(
                self.session, name=command.name, extended=extended, offered=offers
            )

    def _closed(self, *, clean: bool) -> ClientEvent | Need:
        self._end(State.CLOSED)
        if self._closing_told:
            return Need.DATA
        self._closing_told = True
        return ConnectionClosed(clean)

    def _end(self, state: State) -> None:
        """The session is over: what is pending gets no reply any more."""
        self.state = self._projected = state
        self._queued.clear()
        self._encoder = self._chunks = None
        self._buffer.clear()
        # Above all the end of some content must not leave after its failure was reported.
        self._out = bytearray()


def _impossible(reply: Reply) -> LocalProtocolError:
    """The error for a command that a server would refuse like this."""
    return LocalProtocolError(reply.text, code=reply.code, enhanced=reply.enhanced)


def _early(what: str) -> RemoteProtocolError:
    return RemoteProtocolError(
        f"a reply came before {what} was sent, which it cannot answer (RFC 5321 section 4.3.1)"
    )
