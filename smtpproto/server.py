"""The server's connection: bytes from a client to events, replies to bytes.

RFC 5321 sections 3 and 4.  Whatever the protocol itself must refuse is answered here and shown as
`Rejected`; everything else is the application's to answer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ._connection import Connection, Observer
from .commands import (
    Command,
    CountedCommand,
    DialogueCommand,
    Hello,
    Helo,
    Rcpt,
    parse,
)
from .errors import LocalProtocolError
from .events import (
    AuthResponse,
    BodyChunk,
    ConnectionClosed,
    EndOfBody,
    Need,
    Rejected,
    ServerEvent,
)
from .extensions import Catalogue, EnhancedStatusCodes, Extension
from .limits import Limits
from .replies import Reply, format_reply
from .session import Offered, Protocol, Session
from .states import State
from .wire import BadLine, ContentEnd, CountedReader, DotDecoder, LineEndings, LineFault

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Server"]

# What a reply has room for besides its code.
_TEXT_MOST = 400
_FAULTS = {
    LineFault.TOO_LONG: "the line is too long (RFC 5321 section 4.5.3.1)",
    LineFault.BARE_LF: "a line ends with CRLF, found LF alone (RFC 5321 section 2.3.8)",
    LineFault.BARE_CR: "a line ends with CRLF, found CR alone (RFC 5321 section 2.3.8)",
    LineFault.NUL: "a line holds a NUL octet (RFC 5321 section 2.4)",
}
_BAD_SEQUENCE = Reply(503, "5.5.1", "bad sequence of commands")


def _reply_to(error: LocalProtocolError) -> Reply:
    """The reply to what a parser refused."""
    text = "".join([c if c.isprintable() else "?" for c in str(error)[:_TEXT_MOST]])
    return Reply(error.code, error.enhanced, text)


class Server(Connection):
    """The server's side of a session, without I/O.

    Feed it with `receive_data`, ask `next_event` until it gives a `Need`, send what `data_to_send`
    gives.  Each command and each `EndOfBody` is answered with one reply by `send`, `accept` or
    `reject` before the next event comes; until then `next_event` says `Need.REPLY`.  That holds from
    the start: a new server owes the greeting.

    Arguments:
        hostname: its own domain, for the greeting and the reply to EHLO.
        extensions: the service extensions it offers, in the order of their EHLO lines.
        limits: bounds on what a client can make it hold or do.
        protocol: SMTP or LMTP.
        line_endings: what happens to a bare CR or LF in commands and content.
        session: facts known from outside: `peer`, `secure`, `tls`, `identity`.
        observer: called with every line and chunk, for transcripts.
        catalogue: these extensions compiled already, so that many sessions share the work.
    """

    def __init__(
        self,
        hostname: str,
        extensions: Iterable[Extension] = (),
        *,
        limits: Limits | None = None,
        protocol: Protocol = Protocol.SMTP,
        line_endings: LineEndings = LineEndings.REFUSE,
        session: Session | None = None,
        observer: Observer | None = None,
        catalogue: Catalogue | None = None,
    ) -> None:
        self._extensions = tuple(extensions)
        limits = limits or Limits()
        super().__init__(
            catalogue or Catalogue(map(type, self._extensions), protocol, limits),
            replace(session or Session(), hostname=hostname, protocol=protocol),
            limits,
            line_endings,
            observer,
        )
        self._lines.limit = self._catalogue.longest
        self._enhanced = any(isinstance(e, EnhancedStatusCodes) for e in self._extensions)
        self._content_watchers = [
            e for e in self._extensions if type(e).check_content is not Extension.check_content
        ]
        # What waits for a reply: the name of its row, the command, and how many replies are owed.
        self._row: str | None = "greeting"
        self._command: Command | None = None
        self._owed = 1
        # The content under way: its reader, its octets so far, and why it is refused already.
        self._content: DotDecoder | CountedReader | None = None
        self._octets = 0
        self._refused: Reply | None = None
        self._refused_by_core = False
        self._errors = 0
        self._utf8 = False

    @property
    def timeout(self) -> float:
        """Seconds to wait for the client (RFC 5321 section 4.5.3.2.7; 4.5.3.2.5 within content)."""
        return 180.0 if self._content is not None else 300.0

    @property
    def owed(self) -> int:
        """How many replies are due before the next event: 0, 1, or on LMTP one per recipient."""
        return 0 if self._row is None else self._owed

    # --- in: bytes to events ------------------------------------------------------------------

    def next_event(self) -> ServerEvent | Need:
        """The next event, or what the connection waits for.

        Events are commands; for the content `BodyChunk`s and then `EndOfBody`, or `Rejected` in its
        place; `Rejected` for whatever else the core answered by itself; and at the end one
        `ConnectionClosed`.  Never raises, whatever the client sent.
        """
        while True:
            event: ServerEvent | Need | None
            if self._row is not None:
                return Need.REPLY
            if self._content is not None:
                event = self._next_content(self._content)
            elif self.state is State.CLOSED:
                return self._closed(clean=True)
            elif self.state is State.TLS:
                return self._before_handshake()
            else:
                event = self._next_line()
            if event is not None:
                return event

    def _next_line(self) -> ServerEvent | Need | None:
        line = self._lines.read()
        if line is None:
            return self._closed(clean=False) if self._eof else Need.DATA
        if isinstance(line, BadLine):
            self._observe("C", line.start)
            return self._reject(Reply(500, "5.5.2", _FAULTS[line.reason]))
        if self.state is State.EXCHANGE:
            return self._next_response(line)
        try:
            command = parse(line, self._catalogue.grammar)
        except LocalProtocolError as error:
            self._observe("C", line)
            return self._reject(_reply_to(error))
        if self._observer is not None:
            self._observer("C", command.public().encode("utf-8"), False)
        refusal = self._refusal(command, len(line) + 2)
        if isinstance(command, CountedCommand):
            # Its octets follow whatever the reply will be, and must never be read as commands.
            self._refused, self._refused_by_core = refusal, refusal is not None
            self._begin_content(command, CountedReader(self._buffer, command.octets))
            return None
        if refusal is not None:
            return self._reject(refusal)
        self._command, self._row = command, command.row
        return command

    def _refusal(self, command: Command, octets: int) -> Reply | None:
        """Why a command of so many octets is not possible here and now, or None."""
        step = self._rows[self.state].get(command.row)
        if step is None or step.in_flight:
            text = f"{command.verb} is not possible here: {self.state.value}"
            return Reply(503, "5.5.1", text)
        if octets > self._limits.command_line:
            longest = self._catalogue.longest_line(type(command), self.session.offered)
            if octets > longest:
                return Reply(500, "5.5.2", _FAULTS[LineFault.TOO_LONG])
        if State.TLS in step.after and len(self._buffer):
            return Reply(421, "4.7.0", "octets follow STARTTLS in plain text (RFC 3207 section 4.2)")
        transaction = self.transaction
        if (
            type(command) is Rcpt
            and transaction is not None
            and len(transaction.recipients) >= self._limits.recipients
        ):
            return Reply(452, "4.5.3", "too many recipients (RFC 5321 section 4.5.3.1.10)")
        return self._catalogue.refusal(command, self.session, transaction)

    def _next_response(self, line: bytes) -> ServerEvent | None:
        """Read the client's part of a dialogue that the pending command began."""
        self._observe("C", b"(response)")
        self._row = "response"
        try:
            assert isinstance(self._command, DialogueCommand)
            return AuthResponse(self._command.parse_response(line))
        except LocalProtocolError as error:
            reply = _reply_to(error)
            self.send(reply)
            return self._count(Rejected(reply, reply.text))

    def _reject(self, reply: Reply, *, content: bool = False) -> Rejected:
        """Answer what the protocol refuses; the session stays where it is."""
        self._write(reply, "")
        if reply.code == 421:
            self._end()
        return self._count(Rejected(reply, reply.text, content))

    def _count(self, rejected: Rejected) -> Rejected:
        """Count an error of the client; too many close the session."""
        if rejected.reply.permanent:
            self._errors += 1
            if self._errors >= self._limits.errors and self.state is not State.CLOSED:
                self._write(Reply(421, "4.7.0", "too many errors"), "")
                self._end()
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
        if self.state is not State.CHUNKS:
            self._octets = 0

    def _next_content(self, content: DotDecoder | CountedReader) -> ServerEvent | Need | None:
        chunk = content.read()
        if chunk is None:
            return self._closed(clean=False) if self._eof else Need.DATA
        if chunk is ContentEnd.END:
            self._content = None
            if isinstance(content, DotDecoder):
                self._observe("C", b".")
            return self._end_content(content)
        if self._refused is not None:
            return None
        self._observe("C", chunk, content=True)
        self._octets += len(chunk)
        for watcher in self._content_watchers:
            refusal = watcher.check_content(self._octets, self.session)
            if refusal is not None:
                self._refused, self._refused_by_core = refusal, True
                return None
        return BodyChunk(chunk)

    def _end_content(self, content: DotDecoder | CountedReader) -> ServerEvent | None:
        """The content, or one chunk of it, is complete: who answers it, and with what?"""
        command = self._command
        row, last = "content", True
        if isinstance(command, CountedCommand):
            row, last = command.row, command.last
        refused, self._refused = self._refused, None
        if refused is None and isinstance(content, DotDecoder) and content.bad is not None:
            refused = Reply(550, "5.6.0", f"message refused: {_FAULTS[content.bad]}")
            self._refused_by_core = True
        if row not in self._rows[self.state]:
            # Counted octets behind a command that was not possible in this state.
            return self._reject(refused or _BAD_SEQUENCE, content=True)
        self._row = row
        if last and self.session.protocol is Protocol.LMTP and self.transaction is not None:
            self._owed = len(self.transaction.recipients)
        if refused is not None:
            while self._row is not None:
                self.send(refused)
            rejected = Rejected(refused, refused.text, content=True)
            return self._count(rejected) if self._refused_by_core else None
        if last:
            return EndOfBody()
        self.send(Reply(250, "2.0.0", f"{self._octets} octets received"))
        return None

    # --- out: replies to bytes ----------------------------------------------------------------

    def send(self, message: Reply) -> None:
        """Answer the command, or the end of the content, that came last.

        A negative reply while content is still arriving is kept until the content has ended, as RFC
        5321 section 4.1.1.4 demands; the rest of the content is dropped and no `EndOfBody` comes.  A
        421 may be sent at any time and ends the session.  On LMTP one reply is due for each accepted
        recipient after `EndOfBody`, in their order (RFC 2033 section 4.2).

        Raises:
            LocalProtocolError: nothing waits for a reply, the code is no answer to the command, or
                the text does not fit a line; nothing is queued then.
        """
        reply, row, command = message, self._row, self._command
        if reply.code == 421 and self.state is not State.CLOSED:
            self._write(reply, "")
            self._end()
            return
        if row is None:
            if self._content is not None and reply.negative:
                if self._refused is None:
                    self._refused, self._refused_by_core = reply, False
                return
            raise LocalProtocolError("nothing waits for a reply (RFC 5321 section 4.3.1)")
        step = self._rows[self.state][row]
        if step.after[reply.code // 100] is None:
            raise LocalProtocolError(f"{reply.code} does not answer {row} (RFC 5321 section 4.3.2)")
        named = None
        if isinstance(command, Hello) and reply.positive and row != "greeting":
            named = self._named(command)
            offers = [line.line() for line in named.offered if isinstance(line, Extension)]
            reply = replace(reply, text="\n".join([reply.text, *offers]))
        self._write(reply, row if command is None or row == "content" else command.verb)
        self._owed -= 1
        if self._owed > 0:
            return
        self._owed, self._row = 1, None
        self._move(step, reply.code)
        if named is not None:
            self.session = named
            self._utf8 = any(isinstance(e, Extension) and e.utf8 for e in named.offered)
        elif command is not None and reply.positive and row != "content":
            self._keep(command)
        if self.state is State.CONTENT and command is not None:
            self._begin_content(command, DotDecoder(self._buffer, self.line_endings))
        in_dialogue = self.state is State.EXCHANGE
        self._lines.limit = self._limits.exchange_line if in_dialogue else self._catalogue.longest

    def _named(self, command: Hello) -> Session:
        """The session as it is once the client has named itself."""
        session = replace(
            self.session,
            name=command.name,
            extended=not isinstance(command, Helo),
            offered=Offered(),
        )
        if not session.extended:
            return session
        offers = [offer for e in self._extensions if (offer := e.offer(session)) is not None]
        return replace(session, offered=Offered(offers))

    def _write(self, reply: Reply, verb: str) -> None:
        """Queue a reply."""
        lines = format_reply(reply, verb, enhanced=self._enhanced, utf8=self._utf8)
        self._queue(lines)
        if self._observer is not None:
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
            code, enhanced, usual = command.accepted
            reply = Reply(code, enhanced, text or usual)
        self.send(reply)

    def authenticated(self, identity: str) -> None:
        """Note who the client is, before AUTH is answered with 235 (RFC 4954 section 4).

        Arguments:
            identity: what handlers find in `session.identity`.
        """
        self.session = replace(self.session, identity=identity)

    def _forget_session(self) -> None:
        self._utf8 = False

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
