"""What a client sends: commands and content to octets (RFC 5321 section 4.1).

Commands are checked against the state that the session will be in when they arrive.
"""

from __future__ import annotations

from collections import deque

from ..errors import LocalProtocolError, RemoteProtocolError
from ..limits import Limits
from ..vocabulary.command_base import Command, CountedCommand, DialogueCommand, Framing
from ..vocabulary.commands import Hello, Mail, Rcpt
from ..vocabulary.events import AuthResponse, ContentChunk, EndOfContent
from ..vocabulary.lenient_commands import NoDomain
from ..vocabulary.replies import Reply, ReplyReader
from ..vocabulary.session_facts import NOTHING_OFFERED, Session, Transaction, changed
from ..vocabulary.states import Effect, State
from ..wire import DotEncoder, LineEndings, LineReader
from .client_chunks import OutgoingChunks
from .command_allowed import not_offered, not_possible
from .compiled_extensions import Catalogue
from .connection import Connection, Observer
from .transition_table import Row

__all__ = ["Awaited", "ClientCommands", "early"]

# CPython 3.11 takes three times as long to look up an enum's member than a global name.
_CONTENT, _CHUNKS = State.CONTENT, State.CHUNKS
_SESSION = Effect.SESSION
_COUNTED = Framing.COUNTED
Awaited = tuple[Row, Command | None]
"""A pending reply: the row of its command when that was sent, and the command.  The command is DATA
for the end of content, None for the greeting."""

# The codes of replies that may come unasked: none, or the end of the session.
_NO_ANSWER = (b"", b"421")


class ClientCommands(Connection):
    """The half of a client's connection that sends; `Client` adds the other half.

    Arguments:
        catalogue: the extensions, compiled.
        session: facts known from outside.
        limits: bounds on what a server can make it hold or do.
        line_endings: what happens to a bare CR or LF in content; `PRESERVE` is not possible.
        observer: called with every line and chunk, for transcripts.
    """

    __slots__ = (
        "_chunks",
        "_command",
        "_encoder",
        "_error",
        "_held",
        "_last_mail",
        "_projected",
        "_released",
        "_replies",
        "_sent",
        "_unsettled",
    )

    def __init__(
        self,
        catalogue: Catalogue,
        session: Session,
        limits: Limits,
        line_endings: LineEndings,
        observer: Observer | None,
    ) -> None:
        super().__init__(catalogue, session, limits, line_endings, observer)
        DotEncoder(line_endings)
        self._lines = LineReader(self._buffer, limits.reply_line, bare_lf_ends=True)
        self._replies = ReplyReader(limits)
        # The pending replies to sent commands, oldest first.
        self._sent: deque[Awaited] = deque([(self._rows[State.CONNECTED]["greeting"], None)])
        # The commands that are held back, each with its line and the octets that follow it.
        self._held: deque[tuple[Row, Command, bytearray]] = deque()
        # How many of both make both sides forget the offered extensions.
        self._unsettled = 0
        # The index in `_sent` of the first command that was held back and is not written yet; -1:
        # there is none.
        self._released = -1
        # The state if all pending commands succeed; None: to be computed.
        self._projected: State | None = State.GREETED
        self._last_mail: Transaction | None = None
        # The content being sent: with dots, or in chunks.
        self._encoder: DotEncoder | None = None
        self._chunks: OutgoingChunks | None = None
        # The command whose content or dialogue is not finished.
        self._command: Command | None = None
        self._error: RemoteProtocolError | None = None

    @property
    def pending(self) -> int:
        """How many replies to sent commands are still due."""
        return len(self._sent) + len(self._held)

    def data_to_send(self) -> bytes:
        if self._released == 0 and self._unread_code() not in _NO_ANSWER:
            # A reply has come too early: `next_event` raises the error.
            return b""
        self._released = -1
        return super().data_to_send()

    def send(self, *messages: Command | ContentChunk | EndOfContent | AuthResponse) -> None:
        """Queue commands, pieces of content, its end, or a response within a dialogue, in order.

        Of several messages, those before one that raises an error stay queued.

        Raises:
            LocalProtocolError: the state does not allow it, its extension was not offered, it is
                too long, or an argument holds CR, LF or NUL; it is not queued.
            RemoteProtocolError: a reply to it came before it was sent; it is not queued, and the
                connection cannot go on.
            TypeError: it is none of these; it is not queued.
        """
        if self._error is not None:
            raise LocalProtocolError(f"the connection is broken: {self._error}")
        try:
            for message in messages:
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
                        "expected a Command, ContentChunk, EndOfContent or AuthResponse, found "
                        f"{message!r}"
                    )
        except RemoteProtocolError as error:
            self._break(error)
            raise

    def _send_command(self, command: Command) -> None:
        state = self._projected or self._project()
        force, session = self._in_force, self._session
        if self._unsettled:
            force = self._catalogue.in_force(NOTHING_OFFERED)
            session = changed(session, offered=NOTHING_OFFERED)
        row = self._rows[state].get(command.row)
        owes_octets = self._chunks is not None and self._chunks.owed
        if row is None or row.in_flight or owes_octets:
            raise self._not_possible(command, state, row)
        rules = force.rules[type(command)]
        refusal = rules.refusal(command, session, self._last_mail)
        if refusal is not None:
            raise _impossible(refusal)
        if row.forget is _SESSION and isinstance(command, Hello):
            self._check_hello(command)
        text = command.line()
        line = f"{text}\r\n".encode()
        ascii_or_utf8 = text.isascii() or force.utf8
        if len(line) > rules.longest or not (ascii_or_utf8 and text.isprintable()):
            _check_line(command.verb, text, rules.longest, utf8=force.utf8)
        if not self._sent and self._unread_code() not in _NO_ANSWER:
            raise early(command.verb)
        if self._held or (self._sent and not self._may_leave()):
            self._held.append((row, command, bytearray(line)))
        else:
            self._leave(row, command, line)
        if row.forget is _SESSION:
            self._unsettled += 1
        self._projected = after = row.success
        if isinstance(command, Rcpt):
            assert self._last_mail is not None
            self._last_mail.recipients.append(command)
        elif isinstance(command, Mail):
            self._last_mail = Transaction(command)
        elif after is _CHUNKS or command.framing is _COUNTED:
            self._begin_chunk(command, state)

    def _not_possible(self, command: Command, state: State, row: Row | None) -> LocalProtocolError:
        """Return the error for a command that cannot be sent in a state."""
        if not any(command.row in rows for rows in self._rows.values()):
            # An extension that no server has offered adds no rows.
            return _impossible(not_offered(type(command)))
        if row is None or row.in_flight:
            return _impossible(not_possible(command, state))
        where = "a chunk is not complete (RFC 3030 section 2)"
        return _impossible(Reply(503, "5.5.1", f"{command.verb} is not possible here: {where}"))

    def _check_hello(self, command: Hello) -> None:
        if command.verb not in self._catalogue.grammar.verbs:
            raise LocalProtocolError(
                f"{command.verb} does not exist in {self.session.protocol.value}", code=500
            )
        if isinstance(command.name, NoDomain):
            raise LocalProtocolError(
                f"{command.verb}: expected a domain, found {command.name.name!a} "
                "(RFC 5321 section 4.1.1.1)"
            )

    def _may_leave(self) -> bool:
        """Return whether another command may be sent now, after those that were held back."""
        sent = self._sent
        if not sent:
            return True
        if not self._in_force.pipelining or len(sent) >= self.limits.unanswered:
            return False
        row, command = sent[-1]
        return command is not None and (not command.ends_group or row.name == "content")

    def _leave(self, row: Row, command: Command, octets: bytes | bytearray) -> None:
        """Queue a command; its reply comes after those that are pending."""
        self._out += octets
        if self._observer is not None:
            self._observer("C", str(command).encode("utf-8"), False)
        self._sent.append((row, command))

    def _unread_code(self) -> bytes:
        """Return what has arrived of the code of an unread reply; empty if there is none.

        If no command is pending, such a reply came too early for the next one.  Only 421 may come
        at any time (RFC 5321 section 3.8).
        """
        begun = self._replies.code
        if not begun and not self._buffer.octets:
            return b""
        code = b"%d" % begun if begun else self._buffer.peek(3)
        # This may be its first half.
        return b"421" if code and b"421".startswith(code) else code

    def _begin_chunk(self, command: Command, state: State) -> None:
        """Begin a chunk that a command announces, or content that it brings itself (RFC 4468)."""
        if self._chunks is None or state is not _CHUNKS:
            assert self._last_mail is not None
            self._chunks = OutgoingChunks(self._last_mail.mail)
        if isinstance(command, CountedCommand):
            self._chunks.announce(command)

    def _release(self) -> None:
        """Queue held-back commands that may now be sent (RFC 2920 section 3.1)."""
        while self._held and self._may_leave():
            if self._released < 0:
                self._released = len(self._sent)
            self._leave(*self._held.popleft())

    def _send_chunk(self, octets: bytes) -> None:
        octets = bytes(octets)  # the items of a memoryview may have more than one octet
        chunks = self._chunks
        if chunks is not None and chunks.owed:
            chunks.take(octets)
            # They belong to the command that was sent last.
            out = self._held[-1][2] if self._held else self._out
            out += octets
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
            # A refusal came within the content: `next_event` returns it, and the end must not be
            # sent.
            return
        if code:
            raise early("the end of the content")
        self._out += encoder.finish()
        self._observe("C", b".")
        self._encoder = None
        row = self._rows[_CONTENT]["content"]
        self._sent.append((row, self._command))
        self._projected = row.success

    def _send_response(self, response: AuthResponse) -> None:
        command = self._command
        if self.state is not State.EXCHANGE or self._sent or command is None:
            raise LocalProtocolError(
                f"no challenge waits for a response: {self.state.value} (RFC 4954 section 4)"
            )
        assert isinstance(command, DialogueCommand)
        line = command.format_response(response.octets)
        if len(line) + 2 > self.limits.exchange_line:
            raise LocalProtocolError(
                f"the response has more than {self.limits.exchange_line} octets "
                "(RFC 4954 section 4)"
            )
        if self._unread_code() not in _NO_ANSWER:
            raise early("the response")
        self._queue([line])
        self._observe("C", b"(response)")
        self._sent.append((self._rows[State.EXCHANGE]["response"], command))

    def _forget_session(self) -> None:
        super()._forget_session()
        # The TLS handshake has changed the state, without a reply.
        self._projected = None

    def _project(self) -> State:
        """Return the state if all pending commands succeed."""
        state = self.state
        for name in [row.name for row, _ in self._sent] + [row.name for row, *_ in self._held]:
            row = self._rows[state].get(name)
            if row is not None:
                state = row.success
        self._projected = state
        return state

    def _break(self, error: RemoteProtocolError) -> None:
        """Stop sending and reading, because the server broke the protocol."""
        self._error = error
        self._end(State.ERROR)

    def _end(self, state: State) -> None:
        """End the session: pending commands get no replies."""
        self.state = self._projected = state
        self._sent.clear()
        self._held.clear()
        self._unsettled, self._released = 0, -1
        self._encoder = self._chunks = None
        self._buffer.clear()
        # The end of content must not be sent after its failure was reported.
        self._out = bytearray()


def _impossible(reply: Reply) -> LocalProtocolError:
    """Return the error for a command, from the reply by which a server would refuse it."""
    return LocalProtocolError(reply.text, code=reply.code, enhanced=reply.enhanced)


def early(what: str) -> RemoteProtocolError:
    """Return the error for a reply that came before what it answers was sent."""
    return RemoteProtocolError(
        f"a reply came before {what} was sent, which it cannot answer (RFC 5321 section 4.3.1)"
    )


def _check_line(verb: str, text: str, longest: int, *, utf8: bool) -> None:
    """Refuse a command line that is too long, not ASCII where it must be, or more than one line.

    Raises:
        LocalProtocolError: it is.
    """
    if not utf8 and not text.isascii():
        raise LocalProtocolError(
            f"{verb}: expected ASCII, because the server does not offer SMTPUTF8 (RFC 5321 section "
            "2.4)",
            code=553,
            enhanced="5.6.7",
        )
    octets = len(text.encode()) + 2
    if octets > longest:
        raise LocalProtocolError(
            f"{verb}: expected at most {longest} octets with CRLF, found {octets} "
            "(RFC 5321 section 4.5.3.1.4)"
        )
    if any(end in text for end in "\r\n\0"):
        raise LocalProtocolError("a line to be sent holds CR, LF or NUL (RFC 5321 section 2.3.8)")
