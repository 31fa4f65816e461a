"""The server's connection: bytes from a client to events, replies to bytes.

RFC 5321 sections 3 and 4.  Whatever the protocol itself must refuse is answered here and shown as
`Rejected`; everything else is the application's to answer.
"""

from __future__ import annotations

import functools
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import LocalProtocolError
from ..extensions import EnhancedStatusCodes, Extension
from ..extensions.chunking import is_binary
from ..limits import DEFAULT, Limits
from ..timeouts import CONTENT_CHUNK_TIMEOUT, NEXT_COMMAND_TIMEOUT
from ..vocabulary.command_base import Command, CountedCommand, DialogueCommand, Syntax
from ..vocabulary.commands import Hello, Helo, Rcpt, Rset
from ..vocabulary.events import (
    AuthResponse,
    ConnectionClosed,
    ContentChunk,
    Deviation,
    EndOfContent,
    Need,
    Rejected,
    ServerEvent,
)
from ..vocabulary.lenient_commands import read
from ..vocabulary.replies import Reply, format_reply, sendable
from ..vocabulary.session import Offered, Protocol, Session
from ..vocabulary.states import State
from ..wire import (
    BadLine,
    ContentEnd,
    CountedReader,
    CountedText,
    DotDecoder,
    LineEndings,
    LineFault,
)
from .catalogue import catalogue
from .connection import Connection, Observer
from .table import Row

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Server"]

# In CPython 3.11 to name a member of an enum takes three times as long as to name these.
_OWES_REPLY, _NEEDS_DATA = Need.REPLY, Need.DATA
_EXCHANGE, _TLS = State.EXCHANGE, State.TLS
# Where no line is read.
_WITHOUT_LINES = frozenset({State.CLOSED, State.TLS})

# What a reply has room for besides its code.
_TEXT_MOST = 400
_FAULTS = {
    LineFault.TOO_LONG: "the line is too long (RFC 5321 section 4.5.3.1)",
    LineFault.BARE_LF: "a line ends with CRLF, found LF alone (RFC 5321 section 2.3.8)",
    LineFault.BARE_CR: "a line ends with CRLF, found CR alone (RFC 5321 section 2.3.8)",
    LineFault.NUL: "a line holds a NUL octet (RFC 5321 section 2.4)",
}
_BAD_SEQUENCE = Reply(503, "5.5.1", "bad sequence of commands")
_ENDLESS = Reply(421, "4.7.0", "too long lines (RFC 5321 section 4.5.3.1.4)")
_INJECTED = Reply(421, "4.7.0", "octets follow STARTTLS in plain text (RFC 3207 section 4.2)")
_CLOSING = Reply(421, "4.7.0", "closing: what follows cannot be told from commands")
_TOO_MANY = Reply(421, "4.7.0", "too many commands without a message")
_HTTP = Reply(421, "4.7.0", "this is a mail server, and does not speak HTTP")
_TLS_TOO_EARLY = Reply(421, "4.7.0", "found a TLS handshake: this connection begins without TLS")
_NO_COMMAND = Reply(500, "5.5.2", "the line is not a command (RFC 5321 section 4.1.1)")
# What observers see of a line that may be a secret.
_HIDDEN = b"(a line that is no command)"
_AUTH = re.compile(rb"AUTH", re.IGNORECASE)
# Within the line of another command "AUTH=" is a parameter, and the word may be part of an address.
_AUTH_AND_MORE = re.compile(rb"(?:^|[^A-Za-z])AUTH(?=[ \t])", re.IGNORECASE)
# What a client meant as its verb, whatever is wrong with the rest of the line.
_VERB = re.compile(rb"[ \t]*([A-Za-z]+)")
# RFC 9110 section 9: what follows is for another protocol, and may hold commands for this one.
_HTTP_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI"}
)
# How a TLS record with a ClientHello begins (RFC 8446 section 5.1).
_HANDSHAKE = b"\x16\x03"
# Where a transaction has recipients; from here its content leads back to READY.
_WITH_RECIPIENTS = frozenset({State.RCPT, State.CONTENT, State.CHUNKS})


@functools.lru_cache(maxsize=64)
def _usual(accepted: tuple[int, str, str]) -> Reply:
    """The usual reply of a class of commands, made and checked once."""
    return Reply(*accepted)


def _with_offers(reply: Reply, session: Session) -> Reply:
    """The reply to EHLO with the lines of what is offered."""
    if not session.extended:
        return reply
    offers = [each.line() for each in session.offered if isinstance(each, Extension)]
    return replace(reply, text="\n".join([reply.text, *offers]))


def _reply_to(error: LocalProtocolError) -> Reply:
    """The reply to what a parser refused."""
    text = "".join([c if " " <= c <= "~" else "?" for c in str(error)[:_TEXT_MOST]])
    # An extension may have said one for another class of code.
    enhanced = error.enhanced if error.enhanced[:1] == str(error.code)[:1] else ""
    return Reply(error.code, enhanced, text)


class Server(Connection):
    """The server's side of a session, without I/O.

    Feed it with `receive_data`, ask `next_event` until it gives a `Need`, send what `data_to_send`
    gives.  Each command and each `EndOfContent` is answered with one reply by `send`, `accept` or
    `reject` before the next event comes; until then `next_event` says `Need.REPLY`.  That holds
    from the start: a new server owes the greeting.

    Arguments:
        hostname: its own domain, for the greeting and the reply to EHLO.
        extensions: the service extensions it offers, in the order of their EHLO lines.
        limits: bounds on what a client can make it hold or do.
        protocol: SMTP or LMTP.
        line_endings: what happens to a bare CR or LF in content; in commands they are refused.
        syntax: whether command lines that real clients get wrong are read; see docs/lenient.md.
        session: facts known from outside: `peer`, `secure`, `tls`, `identity`.
        observer: called with every line and chunk, for transcripts.
    """

    _on_server = True
    __slots__ = (
        "_began",
        "_best",
        "_command",
        "_commands",
        "_content",
        "_content_watchers",
        "_demanding",
        "_deviant",
        "_enhanced",
        "_errors",
        "_extensions",
        "_failed",
        "_grammar",
        "_octets",
        "_owed",
        "_plain",
        "_refused",
        "_refused_by_core",
        "_row",
        "_secrets_follow",
        "_text",
    )

    def __init__(
        self,
        hostname: str,
        extensions: Iterable[Extension] = (),
        *,
        limits: Limits | None = None,
        protocol: Protocol = Protocol.SMTP,
        line_endings: LineEndings = LineEndings.REFUSE,
        syntax: Syntax = Syntax.STRICT,
        session: Session | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._extensions = tuple(extensions)
        limits = limits or DEFAULT
        super().__init__(
            catalogue(map(type, self._extensions), protocol, limits, syntax),
            Session(hostname, protocol)
            if session is None
            else replace(session, hostname=hostname, protocol=protocol),
            limits,
            line_endings,
            observer,
        )
        self._lines.limit = self._catalogue.longest
        self._enhanced = any(isinstance(e, EnhancedStatusCodes) for e in self._extensions)
        self._content_watchers = [
            e for e in self._extensions if type(e).check_content is not Extension.check_content
        ]
        self._plain = [e for e in self._extensions if e.plain]
        self._demanding = [e for e in self._extensions if type(e).demand is not Extension.demand]
        # A command that was read leniently and comes after the event that says so, with its octets.
        self._deviant: tuple[Command, int] | None = None
        # What waits for a reply: the name of its row, the command, and how many replies are owed.
        self._row: str | None = "greeting"
        self._command: Command | None = None
        self._owed = 1
        # The lowest code so far of several replies to one command (LMTP).
        self._best = 559
        # The content under way: its reader, what watches its line endings where it is counted text,
        # its octets so far, and why it is refused already.
        self._content: DotDecoder | CountedReader | None = None
        self._text: CountedText | None = None
        self._octets = 0
        self._refused: Reply | None = None
        self._refused_by_core = False
        self._errors = 0
        # Lines since the last message; whether the last reply was negative; whether any line came.
        self._commands = 0
        self._failed = False
        self._began = False
        self._secrets_follow = False
        self._forget_session()

    @property
    def timeout(self) -> float:
        """Seconds to wait for the client (RFC 5321 section 4.5.3.2.7; 4.5.3.2.5 within content)."""
        return NEXT_COMMAND_TIMEOUT if self._content is None else CONTENT_CHUNK_TIMEOUT

    @property
    def limits(self) -> Limits:
        """The bounds on what a client can make it hold or do."""
        return self._limits

    @property
    def in_content(self) -> bool:
        """Whether content is being read, also such as will be refused.

        Octets that come renew the time limit then (RFC 5321 section 4.5.3.2.5); in a command line
        they do not.
        """
        return self._content is not None

    @property
    def owed(self) -> int:
        """How many replies are due before the next event: 0, 1, or on LMTP one per recipient."""
        return 0 if self._row is None else self._owed

    # --- in: bytes to events ------------------------------------------------------------------

    def next_event(self) -> ServerEvent | Need:
        """The next event, or what the connection waits for.

        Events are commands; for the content `ContentChunk`s and then `EndOfContent`, or `Rejected`
        in its place; `Rejected` for all else that the core answered by itself; `Deviation` before a
        command that was read leniently; and at the end one `ConnectionClosed`.  No octets from the
        client make it raise.
        """
        while True:
            if self._row is not None:
                return _OWES_REPLY
            if self._content is not None:
                event = self._next_content(self._content)
            elif self.state in _WITHOUT_LINES:
                return self._without_lines()
            else:
                event = self._next_line()
            if event is not None:
                return event

    def _without_lines(self) -> ServerEvent | Need:
        if self.state is State.CLOSED:
            return self._closed(clean=self._clean)
        return self._before_handshake()

    def _next_line(self) -> ServerEvent | Need | None:
        if self._deviant is not None:
            (command, octets), self._deviant = self._deviant, None
            return self._admit(command, octets)
        if not self._began:
            # A client that speaks TLS here may well send no CRLF at all.
            if self._buffer.peek(2) == _HANDSHAKE:
                return self._reject(_TLS_TOO_EARLY)
            self._began = len(self._buffer) > 1
        line = self._lines.read()
        if self._lines.dropped > self._limits.overlong:
            # A line that never ends would be read for ever.
            return self._reject(_ENDLESS)
        if line is None:
            return self._closed(clean=False) if self._eof else _NEEDS_DATA
        self._commands += 1
        if self._commands > self._limits.commands:
            return self._reject(_TOO_MANY)
        if isinstance(line, BadLine):
            reply = Reply(500, "5.5.2", _FAULTS[line.reason])
            if self.state is State.EXCHANGE:
                return self._refuse_response(reply)
            self._observe("C", self._shown(line.start))
            return self._refuse_line(reply, line.start)
        if self.state is _EXCHANGE:
            return self._next_response(line)
        try:
            command, fault = read(line, self._grammar)
        except LocalProtocolError as error:
            shown = self._shown(line)
            self._observe("C", shown)
            hidden = shown is not line and error.code == 500
            return self._refuse_line(_NO_COMMAND if hidden else _reply_to(error), line)
        if fault:
            self._deviant = (command, len(line) + 2)
            return Deviation(fault, command)
        return self._admit(command, len(line) + 2)

    def _admit(self, command: Command, octets: int) -> ServerEvent | None:
        """Give a command that had so many octets to the application, or refuse it."""
        if self._observer is not None:
            self._observer("C", str(command).encode("utf-8"), False)
        if isinstance(command, DialogueCommand):
            self._secrets_follow = True
        row = command.row
        refusal = self._refusal(command, row, octets)
        if isinstance(command, CountedCommand):
            # Its octets follow whatever the reply will be, and must never be read as commands.
            self._begin_chunk(command, refusal)
            return None
        if refusal is not None:
            in_flight = self._is_in_flight(row)
            rejected = self._reject(refusal, counts=not (in_flight and self._failed))
            self._failed = not in_flight
            return rejected
        self._command, self._row = command, row
        if self._text is not None and self.state is State.CHUNKS:
            return self._between_chunks(command, self._text)
        return command

    def _shown(self, line: bytes) -> bytes:
        """A line that is no command, as observers may see it.

        It may be AUTH with a password behind it, or, once the client has tried AUTH and was
        refused, the password alone.
        """
        match = _VERB.match(line)
        verb = match[1].decode().upper() if match is not None else ""
        is_command = verb in self._grammar.verbs or verb in self._grammar.known
        found = (_AUTH_AND_MORE if is_command else _AUTH).search(line)
        if found is not None:
            self._secrets_follow = True
            return line[: found.end()] + b" (not shown)"
        kind = self._grammar.verbs.get(verb)
        if kind is not None and kind.__str__ is not Command.__str__:
            self._secrets_follow |= issubclass(kind, DialogueCommand)
            return f"{verb} (not shown)".encode("ascii")
        return line if is_command or not self._secrets_follow else _HIDDEN

    def _between_chunks(self, command: Command, text: CountedText) -> ServerEvent:
        """A command between chunks: if it brings content too, the text before it is complete."""
        if command.brings_content:
            if text.finish():
                text.bad = text.bad or LineFault.BARE_CR
            if text.bad is not None:
                refused = Reply(550, "5.6.0", f"message refused: {_FAULTS[text.bad]}")
                self.send(refused)
                return self._count(Rejected(refused, refused.text, content=True))
        return command

    def _refuse_line(self, reply: Reply, line: bytes) -> Rejected:
        """Answer a line that could not be read.

        If it was to announce content that follows at once, nobody can say how much: to go on would
        mean to take a message's content for the client's commands, so the session ends.
        """
        match = _VERB.match(line)
        verb = match[1].decode().upper() if match is not None else ""
        kind = self._grammar.verbs.get(verb)
        if kind is None and verb in _HTTP_METHODS:
            return self._reject(_HTTP)
        rejected = self._reject((kind and self._demanded(kind)) or reply)
        if kind is not None and issubclass(kind, CountedCommand):
            self._close(_CLOSING)
        return rejected

    def _is_in_flight(self, row: str) -> bool:
        """Whether a refusal may only follow from one just before it, to what was pipelined."""
        step = self._rows[self.state].get(row)
        return step is not None and step.in_flight

    def _refusal(self, command: Command, row: str, octets: int) -> Reply | None:
        """Why a command of so many octets is not possible here and now, or None."""
        demanded = self._demanded(command)
        if demanded is not None:
            return demanded
        if octets > self._limits.command_line:
            longest = self._catalogue.longest_line(type(command), self.session.offered)
            if octets > longest:
                return Reply(500, "5.5.2", _FAULTS[LineFault.TOO_LONG])
        transaction = self.transaction
        refusal = self._catalogue.refusal(command, self.state, self.session, transaction)
        if refusal is not None:
            return refusal
        if (
            type(command) is Rcpt
            and transaction is not None
            and len(transaction.recipients) >= self._limits.recipients
        ):
            return Reply(452, "4.5.3", "too many recipients (RFC 5321 section 4.5.3.1.10)")
        if _TLS in self._rows[self.state][row].after and len(self._buffer):
            # Asked last: what is refused anyhow must not depend on what has arrived behind it.
            return _INJECTED
        return None

    def _demanded(self, command: Command | type[Command]) -> Reply | None:
        """Why a command has to wait for something, such as TLS, wherever it stands; or None."""
        for extension in self._demanding:
            refusal = extension.demand(command, self.session)
            if refusal is not None:
                return refusal
        return None

    def _next_response(self, line: bytes) -> ServerEvent | None:
        """Read the client's part of a dialogue that the pending command began."""
        self._observe("C", b"(response)")
        self._row = "response"
        try:
            assert isinstance(self._command, DialogueCommand)
            return AuthResponse(self._command.parse_response(line))
        except LocalProtocolError as error:
            return self._refuse_response(_reply_to(error))

    def _refuse_response(self, reply: Reply) -> Rejected:
        """End a dialogue whose response cannot be read (RFC 4954 section 4); it is not shown."""
        self._row = "response"
        self.send(reply)
        return self._count(Rejected(reply, reply.text))

    def _reject(self, reply: Reply, *, content: bool = False, counts: bool = True) -> Rejected:
        """Answer what the protocol refuses; the session stays where it is."""
        self._write(reply, "")
        if reply.code == 421:
            self._end()
        rejected = Rejected(reply, reply.text, content)
        return self._count(rejected) if counts else rejected

    def _close(self, reply: Reply) -> None:
        """Say 421 and end the session, unless it has ended already."""
        if self.state is not State.CLOSED:
            self._write(reply, "")
            self._end()

    def _count(self, rejected: Rejected) -> Rejected:
        """Count an error of the client; too many close the session."""
        if rejected.reply.permanent:
            self._errors += 1
            if self._errors >= self._limits.errors:
                self._close(Reply(421, "4.7.0", "too many errors"))
        return rejected

    def _before_handshake(self) -> ServerEvent | Need:
        if self._eof:
            return self._closed(clean=False)
        if not len(self._buffer):
            return Need.TLS
        # No reply: the client expects a handshake and nothing else.
        self._end()
        reply = Reply(421, "4.7.0", "octets in plain text before the TLS handshake")
        return Rejected(reply, reply.text)

    def _closed(self, *, clean: bool) -> ServerEvent | Need:
        self._end()
        if self._closing_told:
            return Need.DATA
        self._closing_told = True
        return ConnectionClosed(clean)

    def _end(self) -> None:
        """The session is over: nothing more is read, and content under way is lost."""
        self.state = State.CLOSED
        self.transaction = None
        self._content = None
        self._row = None
        self._buffer.clear()

    # --- content ------------------------------------------------------------------------------

    def _begin_content(self, command: Command, reader: DotDecoder | CountedReader) -> None:
        self._command = command
        self._content = reader
        self._octets = 0
        self._refused = None

    def _begin_chunk(self, command: CountedCommand, refusal: Reply | None) -> None:
        reader = CountedReader(self._buffer, command.octets)
        if self.state is not State.CHUNKS:
            self._begin_pieces()
        self._command, self._content = command, reader
        # So much is known beforehand: no chunk is handed out that will be refused in the end.
        refusal = refusal or self._too_much(self._octets + command.octets)
        if refusal is not None:
            self._refused, self._refused_by_core = refusal, True

    def _begin_pieces(self) -> None:
        """Content in pieces begins: chunks, and what other commands bring (RFC 4468)."""
        self._octets = 0
        self._refused = None
        transaction = self.transaction
        binary = transaction is None or is_binary(transaction.mail)
        self._text = None if binary else CountedText(self.line_endings)

    def _too_much(self, octets: int) -> Reply | None:
        """The reply that refuses content of so many octets, or None."""
        for watcher in self._content_watchers:
            refusal = watcher.check_content(octets, self.session)
            if refusal is not None:
                return refusal
        return None

    def _next_content(self, content: DotDecoder | CountedReader) -> ServerEvent | Need | None:
        chunk = content.read()
        if chunk is None:
            return self._closed(clean=False) if self._eof else _NEEDS_DATA
        if isinstance(chunk, ContentEnd):
            return self._end_content(content)
        if self._refused is not None:
            return None
        self._observe("C", chunk, content=True)
        self._octets += len(chunk)
        if isinstance(content, DotDecoder):
            refusal = self._too_much(self._octets)
            if refusal is not None:
                self._refused, self._refused_by_core = refusal, True
                return None
        elif self._text is not None:
            chunk = self._text.feed(chunk)
        return ContentChunk(chunk) if chunk else None

    def _end_content(self, content: DotDecoder | CountedReader) -> ServerEvent | None:
        """The content, or one chunk of it, is complete: who answers it, and with what?"""
        command, text = self._command, self._text
        row, last, bad = "content", True, None
        if isinstance(content, DotDecoder):
            self._observe("C", b".")
            bad = content.bad
        else:
            assert isinstance(command, CountedCommand)
            row, last = command.row, command.last
            if last and text is not None and self._refused is None:
                rest = text.finish()
                if rest:
                    # The reader says once more that it has nothing left.
                    return ContentChunk(rest)
                bad = text.bad
        self._content = None
        if bad is not None and self._refused is None:
            self._refused = Reply(550, "5.6.0", f"message refused: {_FAULTS[bad]}")
            self._refused_by_core = True
        if row not in self._rows[self.state]:
            # Counted octets behind a command that has no meaning here, such as before EHLO.
            return self._reject(self._refused or _BAD_SEQUENCE, content=True)
        return self._answer_content(row, last=last)

    def _answer_content(self, row: str, *, last: bool) -> ServerEvent | None:
        """Answer complete content if the core is to do that."""
        follows = self._failed and self._is_in_flight(row)
        refused, self._refused = self._refused, None
        self._row = row
        if last and self.session.protocol is Protocol.LMTP and self.transaction is not None:
            self._owed = max(1, len(self.transaction.recipients))
        if refused is not None:
            while self.owed:
                self.send(refused)
            # Only chunks of the same content follow from this.
            self._failed = not last
            rejected = Rejected(refused, refused.text, content=True)
            if not self._refused_by_core:
                return None
            return rejected if follows else self._count(rejected)
        if last:
            return EndOfContent()
        self.send(Reply(250, "2.0.0", f"{self._octets} octets received"))
        return None

    # --- out: replies to bytes ----------------------------------------------------------------

    def send(self, message: Reply) -> None:
        """Answer the command, or the end of the content, that came last.

        A negative reply while content is still arriving is kept until the content has ended (RFC
        5321 section 4.1.1.4); the rest of the content is dropped and no `EndOfContent` comes.
        A 421 may be sent at any time and ends the session.  On LMTP one reply is due for each
        accepted recipient after `EndOfContent`, in their order (RFC 2033 section 4.2).

        A reply that a client received with a code that RFC 5321 section 4.2 does not have is passed
        on with the general one of its class: 571 leaves as 554.

        Raises:
            LocalProtocolError: nothing waits for a reply, the code is no answer to the command, or
                the text does not fit a line; nothing is queued then.
            TypeError: it is no `Reply`; nothing is queued.
        """
        if not isinstance(message, Reply):
            raise TypeError(f"expected a Reply, found {message!r}")
        reply, row, command = sendable(message), self._row, self._command
        code = reply.code
        if code == 421 and self.state is not State.CLOSED:
            self._write(reply, "")
            self._end()
            return
        if row is None:
            self._refuse_content(reply)
            return
        step = self._rows[self.state][row]
        if step.after[code // 100] is None:
            raise LocalProtocolError(f"{code} does not answer {row} (RFC 5321 section 4.3.2)")
        named = None
        if isinstance(command, Hello) and code < 300 and row != "greeting":
            named = self._named(command)
            reply = _with_offers(reply, named)
        if not reply.text.isascii() and command is not None:
            reply = self._fit(reply, command)
        self._write(reply, row if command is None or row == "content" else command.verb)
        if self._owed > 1 or self._best < 559:
            # The lowest of several codes decides.
            self._best = code = min(self._best, code)
            self._owed -= 1
            if self._owed:
                return
            self._owed, self._best = 1, 559
        self._row = None
        self._answered(step, code, None if row == "content" else command)
        if named is not None:
            self._begin_session(named)

    def _answered(self, step: Row, code: int, command: Command | None) -> None:
        """Do what the reply to a command does; None: to the greeting, or the end of content."""
        before = self.state
        self._move(step, code)
        if code < 300:
            self._forgive(command, before)
        if command is not None:
            offered = self.session.offered
            self._tell(command, code)
            if self.session.offered is not offered:
                self._offers_changed()
            if code < 400:
                self._keep(command, code)
        after = self.state
        if after is before:
            return
        if after is State.CONTENT and command is not None:
            self._begin_content(command, DotDecoder(self._buffer, self.line_endings))
        elif after is State.CHUNKS and not isinstance(command, CountedCommand):
            self._begin_pieces()
        elif after is State.EXCHANGE:
            self._lines.limit = self._limits.exchange_line
        elif before is State.EXCHANGE:
            self._lines.limit = self._catalogue.longest

    def _forgive(self, command: Command | None, before: State) -> None:
        """A positive reply: what brings a message nearer does not count."""
        if type(command) is Rcpt or (isinstance(command, CountedCommand) and command.octets):
            self._commands -= 1
        accepted = before in _WITH_RECIPIENTS and self.state is State.READY
        if accepted and not isinstance(command, (Hello, Rset)):
            self._commands = 0

    def _refuse_content(self, reply: Reply) -> None:
        """Keep a refusal of content under way until the content, or its chunk, has ended."""
        if not reply.negative or (self._content is None and self.state is not State.CHUNKS):
            raise LocalProtocolError("nothing waits for a reply (RFC 5321 section 4.3.1)")
        if self._refused is None:
            self._refused, self._refused_by_core = reply, False

    def _begin_session(self, session: Session) -> None:
        """The client has named itself, and knows what is offered."""
        # Facts may have been forgotten since.
        self.session = replace(session, facts=self.session.facts)
        self._choose_grammar()

    def _choose_grammar(self) -> None:
        utf8 = any(isinstance(e, Extension) and e.utf8 for e in self.session.offered)
        self._grammar = self._catalogue.utf8_grammar if utf8 else self._catalogue.grammar

    def _offers_changed(self) -> None:
        """A command of an extension has ended what was in force, as XCLIENT does."""
        if self.state is State.GREETED:
            self._forget_session()
        else:
            self._choose_grammar()

    def _named(self, command: Hello) -> Session:
        """The session as it is once the client has named itself."""
        session = replace(
            self.session,
            name=command.name,
            extended=not isinstance(command, Helo),
            offered=Offered(),
        )
        offering = self._extensions if session.extended else self._plain
        return replace(session, offered=self._offers(offering, session))

    @staticmethod
    def _offers(extensions: Iterable[Extension], session: Session) -> Offered:
        """What these extensions offer in a session."""
        offers = [extension.offer(session) for extension in extensions]
        return Offered([offer for offer in offers if offer is not None])

    def _fit(self, reply: Reply, command: Command) -> Reply:
        """A reply with other characters than ASCII, as it may be sent (RFC 6531 section 3.7.4)."""
        for extension in self.session.offered:
            if isinstance(extension, Extension) and extension.utf8:
                reply = extension.fit_reply(reply, command, self.transaction)
        return reply

    def _write(self, reply: Reply, verb: str) -> None:
        """Queue a reply."""
        # What the core says by itself answers nothing that may be answered in UTF-8.
        utf8 = self._grammar.utf8 and verb != ""
        lines = format_reply(reply, verb, enhanced=self._enhanced, utf8=utf8)
        self._queue(*lines)
        self._failed = reply.negative
        if self._observer is not None:
            if reply.intermediate and isinstance(self._command, DialogueCommand):
                # What the client said may be in it.
                lines = (b"334 (challenge)",)
            for line in lines:
                self._observer("S", line, False)

    def accept(self, text: str = "") -> None:
        """Answer with the usual positive reply to what waits for one (RFC 5321 section 4.3.2).

        Arguments:
            text: in place of the usual text; in the greeting and the reply to EHLO, HELO and LHLO
                it follows the server's host name.

        Raises:
            LocalProtocolError: as `send`.
        """
        hostname = self.session.hostname
        command = self._command
        if self._row == "greeting":
            usual = "LMTP" if self.session.protocol is Protocol.LMTP else "ESMTP"
            reply = Reply(220, "", f"{hostname} {text or usual}")
        elif self._row == "content" or command is None or isinstance(command, CountedCommand):
            reply = Reply(250, "2.0.0", text or "OK")
        elif isinstance(command, Hello):
            reply = Reply(250, "", f"{hostname} {text}".rstrip())
        else:
            # Another text is not for keeping: it may be long, and another each time.
            code, enhanced, _ = command.accepted
            reply = Reply(code, enhanced, text) if text else _usual(command.accepted)
        self.send(reply)

    def _forget_session(self) -> None:
        self._grammar = self._catalogue.grammar
        if self._plain:
            self.session = replace(self.session, offered=self._offers(self._plain, self.session))

    def reject(self, code: int = 550, enhanced: str = "", text: str = "") -> None:
        """Answer with a negative reply.

        Arguments:
            code: 400 to 559.
            enhanced: the enhanced status code; if empty, the general one for this code.
            text: for people.

        Raises:
            LocalProtocolError: as `send`, or the code is not negative.
        """
        if code < 400:
            raise LocalProtocolError(f"{code} rejects nothing (RFC 5321 section 4.2.1)")
        self.send(Reply(code, enhanced, text))
