"""The conversation of a server: one session, from the greeting to the end.

The engine decides what the protocol allows, and the handler decides what the user wants; this file
combines the two.  The server sends its replies when it has read everything that arrived, so it
answers a pipelined group in one write.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from ...extensions import AuthCommand
from ...timeouts import HANDSHAKE_TIMEOUT
from ...vocabulary.command_base import Command
from ...vocabulary.commands import Data, Hello, Mail
from ...vocabulary.events import ContentChunk, Deviation, EndOfContent, Need, Rejected, ServerEvent
from ...vocabulary.replies import Reply
from ...vocabulary.session_facts import EarlyTalk
from ..envelope import Envelope
from ..io_requests import (
    BeginTLS,
    Budget,
    Call,
    CallWithContent,
    Draining,
    Flow,
    HasUnread,
    Receive,
    Report,
    Send,
)
from .handler import NAMED, TOLD
from .handler_answers import HandlerAnswers, answer_of, tell
from .handler_failures import NOT_TAKEN, NoMemory, Over, reply_to_failure
from .incoming_content import IncomingContent

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...engine.server import Server
    from ...vocabulary.session_facts import Session, Transaction
    from .authentication import Authenticator
    from .handler import Answer, Hooks

__all__ = ["BUSY", "STOPPING", "serve_session"]

TIMED_OUT = Reply(421, "4.4.2", "timeout exceeded")
STOPPING = Reply(421, "4.3.2", "the server is being stopped, try again later")
"""The reply to idle clients when the server stops."""
BUSY = Reply(421, "4.3.2", "too many connections, try again later")
"""The reply to a new client when the server has its maximum of sessions."""

TOO_EARLY = Reply(554, "5.5.1", "the client spoke before it was greeted (RFC 5321 section 4.3.1)")
NO_TLS = Reply(421, "4.7.0", "the TLS handshake failed")

LEFT = Reply(421, "4.3.0", "the session ends with a local error")
NO_MEMORY = Reply(421, "4.3.1", "no memory, try again later")

# Octets of replies that may wait for the end of a pipelined group; a group of 100 recipients takes
# this much.  It bounds the memory for long replies, and the work before other sessions continue.
_MOST_QUEUED = 2048

# The most octets to read at once, and the most after a full read.  For a few octets a large buffer
# takes longer than the read itself.
_READ, _READ_MORE = 65536, 262144

# CPython 3.11 takes three times as long to look up an enum's member than a global name.
_NEEDS_DATA = Need.DATA


def serve_session(
    server: Server,
    hooks: Hooks,
    authenticator: Authenticator | None = None,
    stamp: Callable[[Session, Envelope], bytes] | None = None,
    *,
    stopping: Callable[[], bool] | None = None,
    refuse_early_talkers: bool = False,
) -> Flow[None]:
    """Serve one session.

    It returns when the session is over; the adapter then closes the link.  Errors of the link end
    the session silently.  After an error of the handler the server replies 451, or 452 if the disk
    or the memory is full, and reports the error.  `SystemExit` and `KeyboardInterrupt` of a handler
    end the session with 421, and are reported.

    Arguments:
        server: a new connection; it has not greeted yet.
        hooks: the handler's methods.
        authenticator: authenticates clients; None if AUTH is not among the extensions.
        stamp: returns the trace fields for the top of a message; None: there are none.
        stopping: returns whether the server is stopping; then no mail transaction begins.
        refuse_early_talkers: whether a client that sends something before the greeting gets 554.
    """
    session = ServerSession(server, hooks, authenticator, stamp, stopping)
    session.refuses_early_talk = refuse_early_talkers
    closed = hooks.closed
    try:
        try:
            yield from session.run()
        except Over:
            pass
        except (KeyboardInterrupt, SystemExit) as error:
            # The program has other sessions, so a handler must not end it.
            yield Report(error)
            server.send(LEFT)
        except MemoryError as error:
            yield Report(NoMemory(f"no memory was left for a session: {error}"))
            server.send(NO_MEMORY)
        data = server.data_to_send()
        if data:
            yield Send(data, server.timeout)
    except OSError:
        pass
    except GeneratorExit:
        # The adapter closes this generator, and fulfils no more requests.
        closed = None
        raise
    finally:
        # Call the hook also if something interrupted the adapter.
        if closed is not None:
            yield from tell(closed, session.session)


class ServerSession(HandlerAnswers):
    """A running session: the state that the conversation keeps in addition to the engine's."""

    __slots__ = (
        "announced",
        "authenticator",
        "budget",
        "draining",
        "reads",
        "refuses_early_talk",
        "spends",
        "stamp",
        "stopping",
    )

    def __init__(
        self,
        server: Server,
        hooks: Hooks,
        authenticator: Authenticator | None,
        stamp: Callable[[Session, Envelope], bytes] | None,
        stopping: Callable[[], bool] | None,
    ) -> None:
        super().__init__(server, hooks)
        self.authenticator = authenticator
        self.stamp = stamp
        self.stopping = stopping
        self.refuses_early_talk = False
        # Whether `Draining` has told the conversation that the server is stopping.
        self.draining = False
        # How many octets to read next.
        self.reads = _READ
        # The current transaction or content, and its time limit.
        self.spends: object = None
        self.budget: Budget | None = None
        # The transaction for which DATA asked for content.
        self.announced: Transaction | None = None

    def envelope(self) -> Envelope:
        """Return the sender and recipients of the current transaction."""
        transaction = self.server.transaction
        assert transaction is not None
        return Envelope(transaction.mail, tuple(transaction.recipients))

    def run(self) -> Flow[None]:
        """Run the session from the greeting to the end."""
        server, unasked = self.server, self.hooks.unasked
        yield from self.greet()
        while True:
            # This repeats `next_event`, because a generator for each event is slow.
            event = server.next_event()
            if type(event) is Need:
                event = yield from self.wait(event)
            elif server.queued > _MOST_QUEUED:
                yield Send(server.data_to_send(), server.timeout)
            kind = type(event)
            if kind is Mail and self.stops():
                self.end(STOPPING)
            if kind in unasked:
                server.accept()
            else:
                yield from self.handle(event)

    def handle(self, event: ServerEvent) -> Flow[None]:
        """Handle an event; ask the handler if it has a hook for it."""
        if isinstance(event, (ContentChunk, EndOfContent)):
            yield from self.content(event)
        elif isinstance(event, AuthCommand):
            yield from self.authenticate(event)
        elif isinstance(event, Command):
            yield from self.command(event)
        elif isinstance(event, Rejected):
            yield from self.rejected(event)
        elif isinstance(event, Deviation):
            yield from self.deviated(event)
        else:
            # `ConnectionClosed`: a response comes within a dialogue only.
            raise Over

    def greet(self) -> Flow[None]:
        """Greet the client, and check whether it spoke too early."""
        server, hook = self.server, self.hooks.connect
        answer: Answer | Sequence[Answer] = None
        try:
            if hook is not None:
                answer = answer_of(hook, (yield Call(hook, (self.session,))))
        except Exception as error:  # noqa: BLE001  the handler's
            yield from self.failed(error)
            return
        # Check after the handler, because the client may send something while it runs.
        if (yield HasUnread()):
            server.session = server.session.with_fact(EarlyTalk())
            refused = isinstance(answer, Reply) and answer.negative
            if self.refuses_early_talk and not refused:
                yield from self.rejected(Rejected(TOO_EARLY, TOO_EARLY.text))
                answer = TOO_EARLY
        try:
            self.answer(answer)
        except Exception as error:  # noqa: BLE001  the handler's
            yield from self.failed(error)

    # --- waiting ------------------------------------------------------------------------------

    def stops(self) -> bool:
        """Return whether the server is stopping."""
        return self.draining or (self.stopping is not None and self.stopping())

    def next_event(self) -> Flow[ServerEvent]:
        """Return the next event; write and read as needed."""
        event = yield from self.event_at_hand()
        return event or (yield from self.wait(_NEEDS_DATA))

    def event_at_hand(self) -> Flow[ServerEvent | None]:
        """Return the next event, or None if the client has to send something first."""
        event = self.server.next_event()
        if type(event) is Need:
            return None
        if self.server.queued > _MOST_QUEUED:
            yield Send(self.server.data_to_send(), self.server.timeout)
        return event

    def wait(self, need: Need) -> Flow[ServerEvent]:
        """Do what the connection needs until it returns an event."""
        server = self.server
        fresh = True
        event: ServerEvent | Need = need
        while type(event) is Need:
            for_data = event is _NEEDS_DATA
            if for_data and server.transaction is None and self.stops():
                self.end(STOPPING)
            timeout = server.timeout
            data = server.data_to_send()
            if data:
                yield Send(data, timeout)
            # While the session waits, its last replies must not stay in memory.
            del data
            if for_data:
                spends = server.transaction or server.in_content
                if spends is not self.spends:
                    self.spends = spends
                    self.budget = Budget(server.limits.transaction_time) if spends else None
                within, fresh = self.budget, fresh or server.in_content
                try:
                    received = yield Receive(timeout, fresh, self.reads, within)
                except Draining:
                    self.draining = True
                except TimeoutError:
                    self.end(TIMED_OUT)
                else:
                    fresh = False
                    self.reads = _READ if len(received) < _READ else _READ_MORE
                    if within is not None:
                        within.seconds += len(received) / server.limits.transaction_rate
                    server.receive_data(received)
            else:
                yield from self.start_tls()
            event = server.next_event()
        return event

    def start_tls(self) -> Flow[None]:
        """Do the TLS handshake; an error of the link ends the session."""
        try:
            facts = yield BeginTLS(HANDSHAKE_TIMEOUT)
        except Draining as error:
            raise Over from error
        except OSError as error:
            yield from self.rejected(Rejected(NO_TLS, f"the TLS handshake failed: {error}"))
            raise Over from error
        self.server.tls_established(facts)

    def end(self, reply: Reply) -> NoReturn:
        """Reply 421 and close the session."""
        self.server.send(reply)
        raise Over

    def authenticate(self, command: AuthCommand) -> Flow[None]:
        """Answer AUTH, and handle what came instead of a response."""
        if self.authenticator is None:
            # A server that offers AUTH without an authenticator must not let all clients in.
            self.server.reject(454, "4.7.0", "Temporary authentication failure")
            return
        following = yield from self.authenticator.examine(self.server, command, self.next_event)
        if following is not None:
            yield from self.handle(following)

    # --- commands -----------------------------------------------------------------------------

    def command(self, command: Command) -> Flow[None]:
        """Answer a command; ask the handler if it has a hook for it."""
        if isinstance(command, Hello):
            hook = self.hooks.ehlo
        else:
            hook = getattr(self.hooks, NAMED.get(type(command), "command"))
        if isinstance(command, TOLD):
            if hook is not None:
                yield from tell(hook, self.session, command)
            self.server.accept()
        elif isinstance(command, Data):
            self.announced = self.server.transaction
            yield from self.ask(hook, self.session, self.envelope())
        else:
            unanswered = NOT_TAKEN if command.brings_content else None
            yield from self.ask(hook, self.session, command, unanswered=unanswered)

    # --- content ------------------------------------------------------------------------------

    def content(self, first: ContentChunk | EndOfContent) -> Flow[None]:
        """Pass the content of a message to the handler, and reply to its end."""
        content = IncomingContent(self, first)
        about = (self.session, self.envelope())
        try:
            if self.hooks.data is not None and self.announced is not self.server.transaction:
                refusal = yield from self.refusal(self.hooks.data, *about)
                if refusal is not None:
                    self.server.send(refusal)
                    return
            if self.stamp is not None:
                content.top = self.stamp(*about)
            if self.hooks.message is not None:
                whole = yield from content.whole()
                hook = self.hooks.message
                answer = yield Call(hook, (*about, whole))
            else:
                assert self.hooks.content is not None
                hook = self.hooks.content
                answer = yield CallWithContent(hook, about, content.read)
            if content.lost is None:
                yield from self.answer_content(hook, answer, content)
        except Exception as error:  # noqa: BLE001  the handler's
            if content.lost is None:
                if not content.complete:
                    # The engine keeps the reply until the content has ended.
                    self.server.send(reply_to_failure(error))
                yield from self.failed(error)
        lost = content.lost
        if isinstance(lost, Exception):
            # The error refers to this frame: a reference back would keep the session in memory
            # until the garbage collector runs.  Lost content stays lost.
            content.lost = Over()
            try:
                raise lost
            finally:
                del lost

    def refusal(self, hook: Any, session: Session, envelope: Envelope) -> Flow[Reply | None]:
        """Return the handler's refusal of content that comes without DATA; None to accept it."""
        answer = answer_of(hook, (yield Call(hook, (session, envelope))))
        if answer is None or (isinstance(answer, Reply) and answer.negative):
            return answer
        raise ValueError(
            f"the hook 'data' for BDAT: expected None or a negative Reply, found {answer!r:.80}"
        )

    def answer_content(self, hook: Any, answer: Any, content: IncomingContent) -> Flow[None]:
        """Reply to the end of the content; the handler may have stopped reading before."""
        if not content.complete:
            if isinstance(answer, Reply) and answer.negative:
                self.server.send(answer)
                return
            yield from content.rest()
        # Check the type, because a mock has any attribute.
        if answer is None or isinstance(answer, Reply):
            self.answer(answer)
        elif hasattr(type(answer), "__next__"):
            yield from self.answer_each(hook, next, answer, content)
        elif hasattr(type(answer), "__anext__"):
            yield from self.answer_each(hook, anext, answer, content)
        else:
            self.answer(answer_of(hook, answer))
