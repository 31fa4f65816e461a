"""What a server sends: replies to octets (RFC 5321 section 4.2).

Each reply answers one command, or the end of the content, and changes the state by the table.
"""

from __future__ import annotations

import functools

from ..errors import LocalProtocolError
from ..extensions import Extension
from ..extensions.eight_bit_mime import is_binary
from ..limits import Limits
from ..vocabulary.command_base import Command, CountedCommand, DialogueCommand
from ..vocabulary.commands import Hello, Rcpt, Rset
from ..vocabulary.events import Rejected
from ..vocabulary.replies import Reply, format_reply, sendable
from ..vocabulary.session_facts import NOTHING_OFFERED, Offered, Protocol, Session, changed
from ..vocabulary.states import Effect, State
from ..wire import CountedText, DotDecoder, LineEndings
from .compiled_extensions import Catalogue
from .connection import Connection, Observer
from .server_content import ServerContent
from .server_hello import named, offers, with_offers
from .server_refusals import TOO_MANY_ERRORS
from .transition_table import Row

__all__ = ["ServerReplies"]

# CPython 3.11 takes three times as long to look up an enum's member than a global name.
_CLOSED, _READY, _CONTENT, _CHUNKS = State.CLOSED, State.READY, State.CONTENT, State.CHUNKS
_EXCHANGE, _SESSION = State.EXCHANGE, Effect.SESSION

# The usual reply to content (RFC 5321 section 4.3.2).
_ACCEPTED = (250, "2.0.0", "OK")
# The states of a transaction with recipients; the end of its content leads back to READY.
_WITH_RECIPIENTS = frozenset({State.RCPT, State.CONTENT, State.CHUNKS})
# The highest code that a server sends.
_WORST = 559


@functools.lru_cache(maxsize=256)
def _usual(
    accepted: tuple[int, str, str],
    verb: str,
    enhanced: bool,  # noqa: FBT001
) -> tuple[Reply, tuple[bytes, ...]]:
    """Return the usual reply to a command, and its lines; both are made and checked once."""
    reply = Reply(*accepted)
    return reply, format_reply(reply, verb, enhanced=enhanced)


class ServerReplies(Connection):
    """The half of a server's connection that sends replies; `Server` adds the other half.

    Arguments:
        catalogue: the extensions, compiled.
        session: facts known from outside.
        limits: bounds on what a client can make it hold or do.
        line_endings: what happens to a bare CR or LF in content.
        observer: called with every line and chunk, for transcripts.
        extensions: the service extensions it offers, in the order of their EHLO lines.
    """

    _on_server = True
    __slots__ = (
        "_best",
        "_command",
        "_commands",
        "_content",
        "_errors",
        "_excess",
        "_extensions",
        "_failed",
        "_owed",
        "_row",
    )

    def __init__(
        self,
        catalogue: Catalogue,
        session: Session,
        limits: Limits,
        *,
        line_endings: LineEndings,
        observer: Observer | None,
        extensions: tuple[Extension, ...],
    ) -> None:
        super().__init__(catalogue, session, limits, line_endings, observer)
        self._extensions = catalogue.of_server(extensions)
        # What waits for a reply: its row, the command, and how many replies are owed.
        self._row: Row | None = self._rows[State.CONNECTED]["greeting"]
        self._command: Command | None = None
        self._owed = 1
        # The lowest code so far of several replies to one command (LMTP).
        self._best = _WORST
        # The current content; kept between its chunks.
        self._content: ServerContent | None = None
        # Lines since the last message, those for recipients beyond the limit, and errors.
        self._commands = self._excess = self._errors = 0
        # Whether the last reply was negative.
        self._failed = False

    @property
    def owed(self) -> int:
        """How many replies are due before the next event: 0, 1, or on LMTP one per recipient."""
        return 0 if self._row is None else self._owed

    def send(self, message: Reply) -> None:
        """Reply to the last command, or to the end of the content.

        A negative reply while content is still arriving is kept until the content has ended (RFC
        5321 section 4.1.1.4); the rest of the content is dropped and no `EndOfContent` comes.
        A 421 may be sent at any time and ends the session.  On LMTP one reply is due for each
        accepted recipient after `EndOfContent`, in their order (RFC 2033 section 4.2).

        A reply that a client received may have a code that RFC 5321 section 4.2 does not list.  It
        is sent with the general code of its class: 571 becomes 554.

        Raises:
            LocalProtocolError: nothing waits for a reply, the code does not answer the command, or
                the text does not fit a line; nothing is queued.
            TypeError: it is not a `Reply`; nothing is queued.
        """
        if not isinstance(message, Reply):
            raise TypeError(f"expected a Reply, found {message!r}")
        reply, row = sendable(message), self._row
        if reply.code == 421 and self.state is not _CLOSED:
            self._close(reply)
        elif row is None:
            self._refuse_content(reply)
        elif row.forget is _SESSION and reply.positive and isinstance(self._command, Hello):
            self._send_hello(reply, row, self._command)
        else:
            command = self._command
            if command is not None and not reply.text.isascii():
                reply = self._fit(reply, command)
            verb = command.verb if command is not None and row.name != "content" else row.name
            self._send(reply, self._format(reply, verb), row)

    def _send(self, reply: Reply, lines: tuple[bytes, ...], row: Row) -> None:
        """Send the reply to what waits for one."""
        code = reply.code
        if row.after[code // 100] is None:
            raise LocalProtocolError(f"{code} does not answer {row.name} (RFC 5321 section 4.3.2)")
        self._write(reply, lines)
        if self._owed > 1 or self._best < _WORST:
            # The lowest of several codes decides.
            self._best = code = min(self._best, code)
            self._owed -= 1
            if self._owed:
                return
            self._owed, self._best = 1, _WORST
        before, self._row = self.state, None
        command = None if row.name == "content" else self._command
        self._answered(row, code, command)
        after = self.state
        if code < 300 and (type(command) is Rcpt or before in _WITH_RECIPIENTS):
            self._forgive(command)
        if after is not before:
            self._entered(after, before, command)

    def _entered(self, after: State, before: State, command: Command | None) -> None:
        """Prepare for the next input in a new state."""
        if after is _CONTENT:
            self._begin_content(DotDecoder(self._buffer, self.line_endings))
        elif after is _CHUNKS and not isinstance(command, CountedCommand):
            self._begin_content(None)
        elif after is _EXCHANGE:
            self._lines.limit = self.limits.exchange_line
        elif before is _EXCHANGE:
            self._lines.limit = self._catalogue.longest

    def _begin_content(self, reader: DotDecoder | None) -> ServerContent:
        """Begin content; None: it comes in chunks, or by other commands (RFC 4468)."""
        text = None
        if reader is None and not (self.transaction and is_binary(self.transaction.mail)):
            text = CountedText(self.line_endings)
        content = self._content = ServerContent(
            reader, text, self._session, self._extensions.watchers, self._observer
        )
        return content

    def _send_hello(self, reply: Reply, row: Row, command: Hello) -> None:
        """Reply to EHLO, HELO or LHLO; from now on the offered extensions are in use."""
        session = named(command, self.session, self._extensions, self._catalogue)
        reply = with_offers(reply, session)
        if not reply.text.isascii():
            reply = self._fit(reply, command)
        self._send(reply, self._format(reply, command.verb), row)
        if self.session.facts is not session.facts:
            # Extensions have changed some facts when the reply was sent.
            session = changed(session, facts=self.session.facts)
        self.session = session

    def _forgive(self, command: Command | None) -> None:
        """After a positive reply reset the count of commands, or do not count this one."""
        if self.state is _READY:
            if not isinstance(command, (Hello, Rset)):
                self._commands = self._excess = 0
        elif type(command) is Rcpt or (isinstance(command, CountedCommand) and command.octets):
            self._commands -= 1

    def _refuse_content(self, reply: Reply) -> None:
        """Keep a refusal of content until the content, or its chunk, has ended."""
        content = self._content
        under_way = content is not None and (content.reader is not None or self.state is _CHUNKS)
        if content is None or not under_way or not reply.negative:
            raise LocalProtocolError("nothing waits for a reply (RFC 5321 section 4.3.1)")
        if content.refused is None:
            content.refused, content.refused_by_core = reply, False

    def accept(self, text: str = "") -> None:
        """Send the usual positive reply to what waits for one (RFC 5321 section 4.3.2).

        Arguments:
            text: replaces the usual text; in the greeting and the reply to EHLO, HELO and LHLO
                it follows the server's host name.

        Raises:
            LocalProtocolError: as `send`.
        """
        command, row = self._command, self._row
        if command is None:
            hostname, protocol = self.session.hostname, self.session.protocol
            usual = "LMTP" if protocol is Protocol.LMTP else "ESMTP"
            accepted, verb = (220, "", f"{hostname} {usual}"), "greeting"
            text = f"{hostname} {text}" if text else ""
        elif row is not None and row.name == "content":
            accepted, verb = _ACCEPTED, "content"
        elif row is not None and row.forget is _SESSION and isinstance(command, Hello):
            self.send(Reply(250, "", f"{self.session.hostname} {text}".rstrip()))
            return
        else:
            accepted, verb = command.accepted, command.verb
        if text or row is None:
            # Do not cache another text, which may be long and different each time.
            code, enhanced, usual = accepted
            self.send(Reply(code, enhanced, text or usual))
        else:
            reply, lines = _usual(accepted, verb, self._extensions.enhanced)
            self._send(reply, lines, row)

    def reject(self, code: int = 550, enhanced: str = "", text: str = "") -> None:
        """Send a negative reply.

        Arguments:
            code: 400 to 559.
            enhanced: the enhanced status code; if empty, the general one for this code.
            text: for people.

        Raises:
            LocalProtocolError: as `send`, or the code is not negative.
        """
        if code < 400:
            raise LocalProtocolError(
                f"reject: expected a code from 400 to 559, found {code} (RFC 5321 section 4.2.1)"
            )
        self.send(Reply(code, enhanced, text))

    def _offers_ended(self) -> None:
        if self.state is State.GREETED:
            self.session = changed(self.session, offered=self._offered_always())

    def _offered_always(self) -> Offered:
        plain = self._extensions.plain
        return offers(plain, self.session, self._catalogue) if plain else NOTHING_OFFERED

    def _fit(self, reply: Reply, command: Command) -> Reply:
        """Convert a reply with text outside ASCII for the client (RFC 6531 section 3.7.4)."""
        for extension in self.session.offered:
            if isinstance(extension, Extension) and extension.utf8:
                reply = extension.fit_reply(reply, command, self.transaction)
        return reply

    def _format(self, reply: Reply, verb: str) -> tuple[bytes, ...]:
        """Return the lines of a reply; a verb of "" means that the engine itself sends it."""
        # The engine's own replies answer no command that allows UTF-8.
        utf8 = verb != "" and self._in_force.utf8
        return format_reply(reply, verb, enhanced=self._extensions.enhanced, utf8=utf8)

    def _write(self, reply: Reply, lines: tuple[bytes, ...]) -> None:
        """Queue a reply."""
        self._queue(lines)
        self._failed = reply.code >= 400
        if self._observer is not None:
            if reply.intermediate and isinstance(self._command, DialogueCommand):
                # The text may repeat what the client sent.
                lines = (b"334 (challenge)",)
            for line in lines:
                self._observer("S", line, False)

    def _reject(self, reply: Reply, *, content: bool = False, counts: bool = True) -> Rejected:
        """Send a reply that the engine chose itself; the state stays the same."""
        self._write(reply, self._format(reply, ""))
        if reply.code == 421:
            self._end()
        rejected = Rejected(reply, reply.text, content)
        return self._count(rejected) if counts else rejected

    def _count(self, rejected: Rejected) -> Rejected:
        """Count an error of the client; close the session after too many."""
        if rejected.reply.permanent:
            self._errors += 1
            if self._errors >= self.limits.errors:
                self._close(TOO_MANY_ERRORS)
        return rejected

    def _close(self, reply: Reply) -> None:
        """Reply 421 and end the session, unless it has ended already."""
        if self.state is not _CLOSED:
            self._write(reply, self._format(reply, ""))
            self._end()

    def _end(self) -> None:
        """End the session: nothing more is read, and unfinished content is lost."""
        self.state = _CLOSED
        self.transaction = None
        self._content = None
        self._row = None
        self._buffer.clear()
