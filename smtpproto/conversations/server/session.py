"""The conversation of a server: one session, from the greeting to the end.

The core decides what is possible, the handler what is wanted; this puts the two together.  Replies
leave when the client has said all that it said at once, so a pipelined group is answered in one
write.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from ...extensions import AuthCommand
from ...timeouts import HANDSHAKE_TIMEOUT
from ...vocabulary.command_base import Command
from ...vocabulary.commands import Data, Hello, Mail
from ...vocabulary.events import ContentChunk, Deviation, EndOfContent, Need, Rejected, ServerEvent
from ...vocabulary.replies import Reply
from ...vocabulary.session import EarlyTalk
from ..envelope import Envelope
from ..requests import (
    BeginTLS,
    Budget,
    Call,
    CallWithContent,
    Draining,
    Flow,
    Look,
    Receive,
    Report,
    Send,
)
from .handler import NAMED, TOLD
from .incoming_content import NOT_TAKEN, IncomingContent, NoMemory, Over, reply_to_failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...engine.server import Server
    from ...vocabulary.session import Session, Transaction
    from .authentication import Authenticator
    from .handler import Answer, Hooks

__all__ = ["BUSY", "DRAINING", "serve_session", "tell"]

TIMED_OUT = Reply(421, "4.4.2", "timeout exceeded")
DRAINING = Reply(421, "4.3.2", "the server is being stopped, try again later")
"""What a client is told that waits for nothing when the server stops."""
BUSY = Reply(421, "4.3.2", "too many connections, try again later")
"""What a client is told that comes when the server has as many sessions as it may have."""

TOO_EARLY = Reply(554, "5.5.1", "the client spoke before it was greeted (RFC 5321 section 4.3.1)")
NO_TLS = Reply(421, "4.7.0", "no TLS, and nothing can be said without it")

LEFT = Reply(421, "4.3.0", "the session ends with a local error")
NO_MEMORY = Reply(421, "4.3.1", "no memory, try again later")

# Octets of replies that may wait for the end of a pipelined group.  They bound what a client makes
# the server hold that asks for long replies, and the work after which an adapter lets other
# sessions have their turn: this is what a group of 100 recipients gets.
_MOST_QUEUED = 2048

# Octets to read at once: of commands, of which few come together, and of content.
_COMMANDS, _CONTENT = 65536, 262144

# In CPython 3.11 to name a member of an enum takes three times as long as to name this.
_NEEDS_DATA = Need.DATA


def serve_session(
    server: Server,
    hooks: Hooks,
    desk: Authenticator | None = None,
    stamp: Callable[[Session, Envelope], bytes] | None = None,
    *,
    stopping: Callable[[], bool] | None = None,
    refuse_early_talkers: bool = False,
) -> Flow[None]:
    """Serve one session.

    Returns when the session is over, for whatever reason; the adapter closes the link then.  Errors
    of the link end it quietly, errors of the handler are answered with 451 and reported; with 452
    where the disk or the memory is full.  `SystemExit` and `KeyboardInterrupt` of a handler end the
    session with 421, and are reported.

    Arguments:
        server: a new connection; it has not greeted yet.
        hooks: what the handler wants to be asked.
        desk: where clients authenticate; None if AUTH is not among the extensions.
        stamp: gives what is to stand on top of each message.
        stopping: whether the server is to stop, so that no mail transaction begins any more.
        refuse_early_talkers: whether a client that speaks before it is greeted gets 554.
    """
    session = ServerSession(server, hooks, desk, stamp, stopping)
    session.refuses_early_talk = refuse_early_talkers
    closed = hooks.closed
    try:
        try:
            with contextlib.suppress(Over):
                yield from session.run()
        except (KeyboardInterrupt, SystemExit) as error:
            # A handler may not end the program: others have their sessions.
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
        # Thrown away: nobody would fulfil a request any more.
        closed = None
        raise
    finally:
        # Also where something interrupted the adapter.
        if closed is not None:
            yield from tell(closed, session.session)


def tell(hook: Any, *arguments: object) -> Flow[None]:
    """Let the handler know of something that it need not answer."""
    try:
        yield Call(hook, arguments)
    # Whatever a handler raises is its own affair, and the session goes on.
    except Exception as error:  # noqa: BLE001
        yield Report(error)


class ServerSession:
    """A session under way: what the conversation has to remember besides the core."""

    __slots__ = (
        "announced",
        "budget",
        "desk",
        "draining",
        "hooks",
        "refuses_early_talk",
        "server",
        "spends",
        "stamp",
        "stopping",
    )

    def __init__(
        self,
        server: Server,
        hooks: Hooks,
        desk: Authenticator | None,
        stamp: Callable[[Session, Envelope], bytes] | None,
        stopping: Callable[[], bool] | None,
    ) -> None:
        self.server = server
        self.hooks = hooks
        self.desk = desk
        self.stamp = stamp
        self.stopping = stopping
        self.refuses_early_talk = False
        # Whether the conversation was told that the server is to stop.
        self.draining = False
        # The time for the transaction, or the content, that is under way: which one, and how much.
        self.spends: object = None
        self.budget: Budget | None = None
        # The transaction whose content DATA has asked for.
        self.announced: Transaction | None = None

    @property
    def session(self) -> Session:
        """The session as the handler sees it: with the mail transaction so far."""
        server = self.server
        session = server.session
        if session.transaction is not server.transaction:
            session = server.session = session.within(server.transaction)
        return session

    def envelope(self) -> Envelope:
        """Who sends a message, and to whom."""
        transaction = self.server.transaction
        assert transaction is not None
        return Envelope(transaction.mail, tuple(transaction.recipients))

    def run(self) -> Flow[None]:
        """From the greeting to the end of the session."""
        server = self.server
        unasked = self.hooks.unasked
        yield from self.greet()
        following: ServerEvent | None = None
        while True:
            # `next_event` and `command` do the same; a generator for each event is what costs here.
            event = following or server.next_event()
            following = None
            kind = type(event)
            if kind is Need:
                event = yield from self.wait(event)
                kind = type(event)
            if kind is Mail and self.stops():
                self.end(DRAINING)
            if kind in unasked:
                server.accept()
            elif isinstance(event, (ContentChunk, EndOfContent)):
                yield from self.content(event)
            elif isinstance(event, AuthCommand):
                following = yield from self.authenticate(event)
            elif isinstance(event, Command):
                yield from self.command(event)
            elif isinstance(event, Rejected):
                yield from self.rejected(event)
            elif isinstance(event, Deviation):
                yield from self.deviated(event)
            else:
                # `ConnectionClosed`: a response comes within a dialogue alone.
                return
            if server.queued > _MOST_QUEUED:
                yield Send(server.data_to_send(), server.timeout)

    def greet(self) -> Flow[None]:
        """Greet the client, and see whether it has waited for that."""
        server, hook = self.server, self.hooks.connect
        answer: Answer | Sequence[Answer] = None
        try:
            if hook is not None:
                answer = _answer_of(hook, (yield Call(hook, (self.session,))))
            # Only now: the handler may have taken its time, which is what such clients lack.
            if (yield Look()):
                server.session = server.session.with_fact(EarlyTalk())
                refused = isinstance(answer, Reply) and answer.negative
                if self.refuses_early_talk and not refused:
                    yield from self.rejected(Rejected(TOO_EARLY, TOO_EARLY.text))
                    answer = TOO_EARLY
            self.answer(answer)
        except Exception as error:  # noqa: BLE001  the handler's
            yield from self.failed(error)

    # --- waiting ------------------------------------------------------------------------------

    def stops(self) -> bool:
        """Whether the server is to stop."""
        return self.draining or (self.stopping is not None and self.stopping())

    def next_event(self) -> Flow[ServerEvent]:
        """The next event, with as much reading and writing as it takes."""
        event = yield from self.event_at_hand()
        if event is None:
            event = yield from self.wait(self.server.next_event())
        return event

    def event_at_hand(self) -> Flow[ServerEvent | None]:
        """The next event if the client need not be waited for, otherwise None."""
        event = self.server.next_event()
        if isinstance(event, Need):
            return None
        if self.server.queued > _MOST_QUEUED:
            yield Send(self.server.data_to_send(), self.server.timeout)
        return event

    def wait(self, event: ServerEvent | Need) -> Flow[ServerEvent]:
        """The next event, where the connection needs something before there is one."""
        server = self.server
        fresh = True
        while isinstance(event, Need):
            for_data = event is _NEEDS_DATA
            if for_data and server.transaction is None and self.stops():
                self.end(DRAINING)
            timeout = server.timeout
            data = server.data_to_send()
            if data:
                yield Send(data, timeout)
            if for_data:
                try:
                    within = self.find_budget()
                    in_content = server.in_content
                    most = _CONTENT if in_content else _COMMANDS
                    received = yield Receive(timeout, fresh or in_content, most, within)
                except Draining:
                    self.draining = True
                except TimeoutError:
                    self.end(TIMED_OUT)
                else:
                    fresh = False
                    if within is not None:
                        within.seconds += len(received) / server.limits.transaction_rate
                    server.receive_data(received)
            else:
                yield from self.start_tls()
            event = server.next_event()
        return event

    def find_budget(self) -> Budget | None:
        """The time for what is under way: a transaction, or content outside of one."""
        server = self.server
        spends: object = server.transaction or (server.in_content or None)
        if spends is not self.spends:
            self.spends = spends
            self.budget = None if spends is None else Budget(server.limits.transaction_time)
        return self.budget

    def start_tls(self) -> Flow[None]:
        """Do the TLS handshake; an error of the link ends the session."""
        try:
            facts = yield BeginTLS(HANDSHAKE_TIMEOUT)
        except OSError as error:
            yield from self.rejected(Rejected(NO_TLS, f"the TLS handshake failed: {error}"))
            raise Over from error
        self.server.tls_established(facts)

    def end(self, reply: Reply) -> NoReturn:
        """Close the session with a 421."""
        self.server.send(reply)
        raise Over

    def authenticate(self, command: AuthCommand) -> Flow[ServerEvent | None]:
        """Answer AUTH; what is to be looked at next, if anything."""
        if self.desk is None:
            # Whoever offers it without a desk must not let everybody in.
            self.server.reject(454, "4.7.0", "Temporary authentication failure")
            return None
        return (yield from self.desk.examine(self.server, command, self.next_event))

    # --- commands -----------------------------------------------------------------------------

    def command(self, command: Command) -> Flow[None]:
        """Answer a command, as the handler wishes where it is to be asked."""
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

    def ask(self, hook: Any, *arguments: object, unanswered: Reply | None = None) -> Flow[None]:
        """Answer what waits for a reply with what a hook says.

        Arguments:
            hook: None if the handler has none.
            arguments: of the hook.
            unanswered: the answer where the hook has none.
        """
        if hook is None:
            self.answer(unanswered)
            return
        try:
            answer = _answer_of(hook, (yield Call(hook, arguments)))
            self.answer(unanswered if answer is None else answer)
        except Exception as error:  # noqa: BLE001  the handler's
            yield from self.failed(error)

    def answer(self, answer: Answer | Sequence[Answer]) -> None:
        """Answer with what a hook returned."""
        server = self.server
        if answer is None and server.owed == 1:
            # By far the most frequent, and `Sequence` is an abstract class, slow to ask.
            server.accept()
            return
        if isinstance(answer, Sequence):
            if len(answer) != server.owed:
                raise ValueError(f"{server.owed} replies are due, the handler gave {len(answer)}")
            answers = answer
        else:
            answers = [answer] * server.owed
        for one in answers:
            if one is None:
                server.accept()
            else:
                server.send(one)

    def failed(self, error: Exception) -> Flow[None]:
        """A hook failed: 451 or 452, whatever is still to be answered."""
        yield Report(error)
        for _ in range(self.server.owed):
            self.server.send(reply_to_failure(error))

    def rejected(self, rejected: Rejected) -> Flow[None]:
        """Let the handler know what the protocol refused."""
        if self.hooks.rejected is not None:
            yield from tell(self.hooks.rejected, self.session, rejected)

    def deviated(self, deviation: Deviation) -> Flow[None]:
        """Let the handler know of a command line that is wrong, and is read nevertheless."""
        if self.hooks.deviated is not None:
            yield from tell(self.hooks.deviated, self.session, deviation)

    # --- content ------------------------------------------------------------------------------

    def content(self, first: ContentChunk | EndOfContent) -> Flow[None]:
        """Hand the content of a message to the handler, and answer its end."""
        content = IncomingContent(self, first)
        about = (self.session, self.envelope())
        try:
            refusal = yield from self.refusal(*about)
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
                    # Kept by the core until the content has ended.
                    self.server.send(reply_to_failure(error))
                yield from self.failed(error)
        if isinstance(content.lost, Exception):
            raise content.lost

    def refusal(self, session: Session, envelope: Envelope) -> Flow[Reply | None]:
        """What the handler says against content that comes without DATA; None to take it."""
        hook = self.hooks.data
        if hook is None or self.announced is self.server.transaction:
            return None
        answer = _answer_of(hook, (yield Call(hook, (session, envelope))))
        if answer is None or (isinstance(answer, Reply) and answer.negative):
            return answer
        raise ValueError(
            f"BDAT has no reply before its content: expected None or a refusal, found "
            f"{answer!r:.80}"
        )

    def answer_content(self, hook: Any, answer: Any, content: IncomingContent) -> Flow[None]:
        """Answer the end of the content; a handler may have stopped reading before."""
        if not content.complete and isinstance(answer, Reply) and answer.negative:
            self.server.send(answer)
            return
        yield from content.rest()
        # By their types: a mock has any attribute.
        if hasattr(type(answer), "__next__"):
            yield from self.answer_each(hook, next, answer, content)
        elif hasattr(type(answer), "__anext__"):
            yield from self.answer_each(hook, anext, answer, content)
        else:
            self.answer(_answer_of(hook, answer))

    def answer_each(
        self, hook: Any, step: Any, answers: Any, content: IncomingContent
    ) -> Flow[None]:
        """Send the reply to each recipient as soon as the handler has it (RFC 2033 section 4.2).

        Arguments:
            hook: where the answers come from.
            step: gives the next one of an iterator.
            answers: the iterator, which is the handler's code as well.
            content: what is answered.

        Raises:
            ValueError: there are fewer answers than recipients, or more.
        """
        server, end = self.server, object()
        while server.owed:
            answer = yield Call(step, (answers, end))
            if answer is end:
                raise ValueError(f"{server.owed} replies are due, the handler gave none")
            reply = _answer_of(hook, answer)
            if reply is None:
                server.accept()
            else:
                server.send(_one(reply))
            try:
                yield Send(server.data_to_send(), server.timeout)
            except OSError as error:
                # That of the link, not of the handler.
                content.lost = error
                raise
        if (yield Call(step, (answers, end))) is not end:
            raise ValueError("the handler gave more replies than there are recipients")


def _one(answer: Answer | Sequence[Answer]) -> Reply:
    if isinstance(answer, Reply):
        return answer
    raise ValueError(f"expected None or a Reply for one recipient, found {answer!r:.80}")


def _answer_of(hook: Any, answer: Any) -> Answer | Sequence[Answer]:
    """What a hook returned, if it is an answer; text, as other servers take it, is none."""
    if answer is None or isinstance(answer, Reply):
        return answer
    if isinstance(answer, Sequence) and not isinstance(answer, (str, bytes)):
        return answer
    name = getattr(hook, "__qualname__", repr(hook))
    raise TypeError(f"{name} returned {answer!r:.80}: expected None or a Reply")
