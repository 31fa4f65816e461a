"""The server's connection: octets from a client to events (RFC 5321 sections 3 and 4).

The server itself refuses what the protocol forbids, and returns `Rejected`.  The application
replies to everything else.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from ..errors import LocalProtocolError
from ..extensions import Extension
from ..field_types import check_type
from ..limits import DEFAULT, Limits
from ..timeouts import CONTENT_CHUNK_TIMEOUT, NEXT_COMMAND_TIMEOUT
from ..vocabulary.addresses import Domain
from ..vocabulary.command_base import (
    Command,
    CountedCommand,
    DialogueCommand,
    Framing,
    Grammar,
    Syntax,
)
from ..vocabulary.command_parser import parse
from ..vocabulary.commands import Rcpt
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
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Protocol, Session, changed
from ..vocabulary.states import State
from ..wire import BadLine, LineEndings, LineFault
from . import server_refusals as refusals
from .command_allowed import not_possible
from .compiled_extensions import all_of, catalogue
from .connection import Observer, check_arguments
from .server_content import ServerContent
from .server_replies import ServerReplies
from .transition_table import Row

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Server"]

# CPython 3.11 takes three times as long to look up an enum's member than a global name.
_OWES_REPLY, _NEEDS_DATA = Need.REPLY, Need.DATA
_CLOSED, _CHUNKS = State.CLOSED, State.CHUNKS
_EXCHANGE, _TLS = State.EXCHANGE, State.TLS
_COUNTED = Framing.COUNTED
_END = EndOfContent()

# Up to this many times the bound on commands, recipients beyond the limit do not count.
_FOR_LONG_LISTS = 10
# The beginning of a TLS record with a ClientHello (RFC 8446 section 5.1).
_HANDSHAKE = b"\x16\x03"


@functools.lru_cache(maxsize=64)
def check_hostname(hostname: str) -> None:
    """Refuse a host name that the reply to EHLO cannot have (RFC 5321 section 4.1.1.1)."""
    check_type("hostname", hostname, str)
    try:
        Domain.parse(hostname)
    except LocalProtocolError as error:
        raise LocalProtocolError(f"hostname {hostname!r}: {error}") from None


class Server(ServerReplies):
    """The server's side of a session, without I/O.

    Feed it with `receive_data`, call `next_event` until it returns a `Need`, and send the result of
    `data_to_send`.  Reply to each command and each `EndOfContent` once, with `send`, `accept` or
    `reject`; until then `next_event` returns `Need.REPLY`.  This holds from the start: a new server
    owes the greeting.

    Arguments:
        hostname: its own domain, for the greeting and the reply to EHLO.
        extensions: the service extensions it offers, in the order of their EHLO lines.
        limits: bounds on what a client can make it hold or do.
        protocol: SMTP or LMTP.
        line_endings: what happens to a bare CR or LF in content; in commands they are refused.
        syntax: whether to accept common mistakes in command lines; see docs/lenient.md.
        session: facts known from outside: `peer`, `secure`, `tls`, `identity`.
        observer: called with every line and chunk, for transcripts.

    Raises:
        LocalProtocolError: `hostname` is no domain.
        TypeError: an argument has another type, or the observer takes other arguments.
    """

    __slots__ = ("_began", "_deviant", "_secret_follows")

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
        check_hostname(hostname)
        check_arguments(line_endings, session, observer)
        extensions = all_of(extensions)
        limits = limits or DEFAULT
        super().__init__(
            catalogue(map(type, extensions), protocol, limits, syntax),
            changed(session or Session(), hostname=hostname, protocol=protocol),
            limits,
            line_endings=line_endings,
            observer=observer,
            extensions=extensions,
        )
        self._forget_session()
        self._lines.limit = self._catalogue.longest
        # A leniently read command and its octets; `Deviation` comes first, then this command.
        self._deviant: tuple[Command, int] | None = None
        # Whether any line came; whether the next line may be a secret.
        self._began = self._secret_follows = False

    @property
    def timeout(self) -> float:
        """Seconds to wait for the client (RFC 5321 section 4.5.3.2.7; 4.5.3.2.5 within content)."""
        return CONTENT_CHUNK_TIMEOUT if self.in_content else NEXT_COMMAND_TIMEOUT

    @property
    def in_content(self) -> bool:
        """Whether content is being read, also content that will be refused.

        Then each arrival of octets renews the time limit (RFC 5321 section 4.5.3.2.5), unlike in a
        command line.
        """
        return self._content is not None and self._content.reader is not None

    def next_event(self) -> ServerEvent | Need:
        """Return the next event, or what the connection waits for.

        Events are commands; for content `ContentChunk`s and then `EndOfContent`, or `Rejected`
        instead; `Rejected` for everything that the engine has answered itself; `Deviation` before a
        leniently read command; and one `ConnectionClosed` at the end.  No octets from the client
        make it raise an exception.
        """
        while True:
            if self._row is not None:
                return _OWES_REPLY
            content, state = self._content, self.state
            if content is not None and content.reader is not None:
                event = self._next_content(content)
            elif state is _EXCHANGE:
                event = self._next_response()
            elif state is _CLOSED or state is _TLS:
                return self._without_lines()
            elif self._buffer.octets or self._eof or self._deviant is not None:
                event = self._next_command()
            else:
                return _NEEDS_DATA
            if event is not None:
                return event

    def _without_lines(self) -> ServerEvent | Need:
        if self.state is _CLOSED:
            return self._closed(clean=self._clean)
        if self._eof:
            return self._closed(clean=False)
        if not len(self._buffer):
            return Need.TLS
        # Sends no reply: the client expects only a handshake.
        self._end()
        reply = refusals.TOO_LATE_FOR_TLS
        return Rejected(reply, reply.text)

    def _next_line(self) -> bytes | BadLine | ServerEvent | Need:
        """Return the next line, or the event or `Need` if there is no line to parse."""
        line = self._lines.read()
        if not isinstance(line, bytes) and self._lines.dropped > self.limits.overlong:
            # Stop reading a line that has no end.
            return self._reject(refusals.ENDLESS_LINE)
        if line is None:
            return self._closed(clean=False) if self._eof else _NEEDS_DATA
        self._commands += 1
        if self._commands > self.limits.commands:
            return self._reject(refusals.TOO_MANY_COMMANDS)
        return line

    def _next_command(self) -> ServerEvent | Need | None:
        if self._deviant is not None:
            (command, octets), self._deviant = self._deviant, None
            return self._admit(command, octets)
        if not self._began:
            # A client that begins TLS here may send no CRLF at all.
            if self._buffer.peek(2) == _HANDSHAKE:
                return self._reject(refusals.TLS_TOO_EARLY)
            self._began = len(self._buffer) > 1
        line = self._next_line()
        if not isinstance(line, bytes):
            if not isinstance(line, BadLine):
                return line
            self._show(line.start)
            return self._refuse_line(refusals.bad_line(line.reason), line.start)
        grammar = self._in_force.grammar
        try:
            command = parse(line, grammar)
        except LocalProtocolError as error:
            return self._misread(line, grammar, error)
        return self._admit(command, len(line) + 2)

    def _misread(self, line: bytes, grammar: Grammar, error: LocalProtocolError) -> ServerEvent:
        """Refuse a malformed line, unless a lenient server can correct it."""
        if grammar.syntax is Syntax.LENIENT:
            try:
                command, fault = read(line, grammar)
            except LocalProtocolError as remaining:
                error = remaining
            else:
                self._deviant = (command, len(line) + 2)
                return Deviation(fault, command)
        hidden = self._show(line) and error.code == 500
        return self._refuse_line(refusals.NOT_SHOWN if hidden else refusals.reply_to(error), line)

    def _admit(self, command: Command, octets: int) -> ServerEvent | None:
        """Return a command of so many octets as an event, or refuse it."""
        if self._observer is not None:
            self._observer("C", str(command).encode("utf-8"), False)
        if isinstance(command, DialogueCommand):
            self._secret_follows = True
        row = self._rows[self.state].get(command.row)
        refusal = self._refusal(command, row, octets)
        if command.framing is _COUNTED:
            assert isinstance(command, CountedCommand)
            # The client sends these octets with any reply; they are never commands.
            self._begin_chunk(command, refusal)
            return None
        if refusal is not None:
            if refusal is refusals.TOO_MANY_RECIPIENTS:
                self._excuse()
            in_flight = row is not None and row.in_flight
            rejected = self._reject(refusal, counts=not (in_flight and self._failed))
            self._failed = not in_flight
            return rejected
        self._command, self._row = command, row
        if self.state is _CHUNKS and command.brings_content and self._content is not None:
            refused = self._content.finish_text()
            if refused is not None:
                self.send(refused)
                return self._count(Rejected(refused, refused.text, content=True))
        return command

    def _excuse(self) -> None:
        """Do not count a recipient beyond the limit (RFC 5321 section 4.5.3.1.10)."""
        self._excess += 1
        if self._excess <= self.limits.commands * _FOR_LONG_LISTS:
            self._commands -= 1

    def _show(self, line: bytes) -> bool:
        """Show observers a line that is no command; return True if it is hidden as a secret."""
        shown = refusals.show(line, self._in_force.grammar, secret_follows=self._secret_follows)
        self._secret_follows = shown.secret_follows
        self._observe("C", shown.line)
        return shown.hidden

    def _refuse_line(self, reply: Reply, line: bytes) -> Rejected:
        """Answer a malformed line.

        A malformed BDAT hides the size of its chunk.  Reading on would treat content as commands,
        so reply 421 and close.
        """
        verb = refusals.intended_verb(line)
        kind = self._in_force.grammar.verbs.get(verb)
        if kind is None:
            return self._reject(refusals.HTTP if refusals.is_http(verb) else reply)
        rejected = self._reject(self._demanded(kind) or reply)
        if issubclass(kind, CountedCommand):
            self._close(refusals.CLOSING)
        return rejected

    def _refusal(self, command: Command, row: Row | None, octets: int) -> Reply | None:
        """Return why a command of so many octets is not allowed now, or None."""
        if self._extensions.demanding:
            demanded = self._demanded(command)
            if demanded is not None:
                return demanded
        rules = self._in_force.rules[type(command)]
        if octets > rules.longest:
            return refusals.bad_line(LineFault.TOO_LONG)
        if row is None or row.in_flight:
            return not_possible(command, self.state)
        transaction = self.transaction
        refusal = rules.refusal(command, self._session, transaction)
        if refusal is not None:
            return refusal
        if (
            type(command) is Rcpt
            and transaction is not None
            and len(transaction.recipients) >= self.limits.recipients
        ):
            return refusals.TOO_MANY_RECIPIENTS
        if row.success is _TLS and len(self._buffer):
            # This is the last check, so that other refusals do not depend on when octets arrive.
            return refusals.AFTER_STARTTLS
        return None

    def _demanded(self, command: Command | type[Command]) -> Reply | None:
        """Return the refusal if the client must do something first, such as TLS; or None."""
        for extension in self._extensions.demanding:
            refusal = extension.demand(command, self.session)
            if refusal is not None:
                return refusal
        return None

    def _next_response(self) -> ServerEvent | Need:
        """Read the client's next line of the pending command's dialogue."""
        line = self._next_line()
        if not isinstance(line, (bytes, BadLine)):
            return line
        self._row = self._rows[_EXCHANGE]["response"]
        if isinstance(line, BadLine):
            return self._refuse_response(refusals.bad_line(line.reason))
        self._observe("C", b"(response)")
        try:
            assert isinstance(self._command, DialogueCommand)
            return AuthResponse(self._command.parse_response(line))
        except LocalProtocolError as error:
            return self._refuse_response(refusals.reply_to(error))

    def _refuse_response(self, reply: Reply) -> Rejected:
        """End a dialogue after a malformed response (RFC 4954 section 4); it is not shown."""
        self.send(reply)
        return self._count(Rejected(reply, reply.text))

    def _closed(self, *, clean: bool) -> ServerEvent | Need:
        self._end()
        if self._closing_told:
            return Need.DATA
        self._closing_told = True
        return ConnectionClosed(clean)

    def _begin_chunk(self, command: CountedCommand, refusal: Reply | None) -> None:
        content = self._content
        if content is None or self.state is not _CHUNKS:
            content = self._begin_content(None)
        self._command = command
        content.begin_chunk(self._buffer, command.octets, refusal)

    def _next_content(self, content: ServerContent) -> ServerEvent | Need | None:
        chunk = content.read()
        if isinstance(chunk, bytes):
            return ContentChunk(chunk) if chunk else None
        if chunk is not None:
            return self._end_content(content)
        return self._closed(clean=False) if self._eof else _NEEDS_DATA

    def _end_content(self, content: ServerContent) -> ServerEvent | None:
        """Handle the end of the content, or of one chunk."""
        command, last, name = self._command, True, "content"
        if isinstance(command, CountedCommand):
            last, name = command.last, command.row
        rest = content.finish(last=last)
        if rest:
            # Call again: the reader then returns the end.
            return ContentChunk(rest)
        row = self._rows[self.state].get(name)
        if row is None:
            # Counted octets after a command that is not allowed here, such as before EHLO.
            return self._reject(content.refused or refusals.BAD_SEQUENCE, content=True)
        self._row = row
        if last and self._session.protocol is Protocol.LMTP and self.transaction is not None:
            self._owed = max(1, len(self.transaction.recipients))
        if content.refused is not None:
            return self._refuse_complete(content, content.refused, last=last)
        if last:
            return _END
        self.send(Reply(250, "2.0.0", f"{content.octets} octets received"))
        return None

    def _refuse_complete(
        self, content: ServerContent, refused: Reply, *, last: bool
    ) -> ServerEvent | None:
        """Refuse complete content; return an event unless the application refused it itself."""
        follows = self._failed and self._row is not None and self._row.in_flight
        content.refused = None
        while self.owed:
            self.send(refused)
        # Only further chunks of the same content come after this.
        self._failed = not last
        rejected = Rejected(refused, refused.text, content=True)
        if not content.refused_by_core:
            return None
        return rejected if follows else self._count(rejected)
