"""The conversation of a server: one session, from the greeting to the end.

The core decides what is possible, the handler what is wanted; this puts the two together.  Replies
leave when the client has said all that it said at once, so a pipelined group is answered in one
write.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from ..commands import Command, Data, Expn, Hello, Help, Mail, Noop, Quit, Rcpt, Rset, Vrfy
from ..events import (
    BodyChunk,
    Deviation,
    EndOfBody,
    Need,
    Rejected,
    ServerEvent,
)
from ..extensions import Atrn, Authenticate, Burl, Size, TransactionId
from ..extensions.checkpoint import go_on_at
from ..replies import Reply
from .outcome import Envelope
from .relaying import relay
from .requests import Call, CallWithContent, Draining, Flow, Receive, Report, Send, StartTLS

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeGuard

    from ..server import Server
    from ..session import Session
    from .authenticate import Desk
    from .handler import Answer, Hooks

__all__ = ["BUSY", "DRAINING", "HANDSHAKE_TIMEOUT", "ContentLost", "serve_session", "tell"]

FAILED = Reply(451, "4.3.0", "local error in processing")
TIMED_OUT = Reply(421, "4.4.2", "timeout exceeded")
DRAINING = Reply(421, "4.3.2", "the server is being stopped, try again later")
"""What a client is told that waits for nothing when the server stops."""
BUSY = Reply(421, "4.3.2", "too many connections, try again later")
"""What a client is told that comes when the server has as many sessions as it may have."""

NOT_FOUND = Reply(554, "5.6.6", "the URL leads nowhere")
NO_TLS = Reply(421, "4.7.0", "no TLS, and nothing can be said without it")

HANDSHAKE_TIMEOUT = 60.0
"""Seconds for the TLS handshake: a few round trips."""

# Octets of replies that may wait for the end of a pipelined group: what one read can bring, so that
# nobody makes the server hold fifty times that by asking for long replies.
_MOST_QUEUED = 65536
# What concerns the protocol alone: no hook is asked.
_BASIC = (Data, Rset, Noop, Quit)


class ContentLost(Exception):
    """The content of a message does not become complete: nothing may be delivered."""


class _Over(Exception):
    """The session is over; what is queued may still be sent."""


def serve_session(
    server: Server,
    hooks: Hooks,
    desk: Desk | None = None,
    stamp: Callable[[Session, Envelope], bytes] | None = None,
) -> Flow[None]:
    """Serve one session.

    Returns when the session is over, for whatever reason; the adapter closes the link then.  Errors
    of the link end it quietly, errors of the handler are answered with 451 and reported.

    Arguments:
        server: a new connection; it has not greeted yet.
        hooks: what the handler wants to be asked.
        desk: where clients authenticate; None if AUTH is not among the extensions.
        stamp: gives what is to stand on top of each message.
    """
    session = _Session(server, hooks, desk, stamp)
    closed = hooks.closed
    try:
        with contextlib.suppress(_Over):
            yield from session.run()
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
            yield from tell(closed, server.session)


def tell(hook: Any, *arguments: object) -> Flow[None]:
    """Let the handler know of something that it need not answer."""
    try:
        yield Call(hook, arguments)
    # Whatever a handler raises is its own affair, and the session goes on.
    except Exception as error:  # noqa: BLE001
        yield Report(error)


class _Session:
    """A session under way: what the conversation has to remember besides the core."""

    def __init__(
        self,
        server: Server,
        hooks: Hooks,
        desk: Desk | None,
        stamp: Callable[[Session, Envelope], bytes] | None,
    ) -> None:
        self.server = server
        self.hooks = hooks
        self.desk = desk
        self.stamp = stamp
        self.draining = False
        self.asks: dict[type[Command], Any] = {
            Mail: hooks.mail,
            Rcpt: hooks.rcpt,
            Vrfy: hooks.vrfy,
            Expn: hooks.expn,
            Help: hooks.help,
        }
        # These are accepted without a question: no hook, or none that would be asked.
        self.unasked = {*_BASIC, *(kind for kind, hook in self.asks.items() if hook is None)}
        if hooks.resume is not None:
            self.unasked.discard(Mail)

    def run(self) -> Flow[None]:
        """From the greeting to the end of the session."""
        server = self.server
        yield from self.ask(self.hooks.connect, server.session)
        following: ServerEvent | None = None
        while True:
            # `next_event` and `command` do the same; a generator for each event is what costs here.
            event = following or server.next_event()
            following = None
            if isinstance(event, Need):
                event = yield from self.wait(event)
            if type(event) in self.unasked:
                server.accept()
            elif isinstance(event, Authenticate):
                following = yield from self.authenticate(event)
            elif isinstance(event, (BodyChunk, EndOfBody)) or self.is_content(event):
                yield from self.content(event)
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

    # --- waiting ------------------------------------------------------------------------------

    def next_event(self) -> Flow[ServerEvent]:
        """The next event, with as much reading and writing as it takes."""
        event = self.server.next_event()
        if isinstance(event, Need):
            return (yield from self.wait(event))
        if self.server.queued > _MOST_QUEUED:
            yield Send(self.server.data_to_send(), self.server.timeout)
        return event

    def wait(self, event: ServerEvent | Need) -> Flow[ServerEvent]:
        """The next event, where the connection needs something before there is one."""
        server = self.server
        fresh = True
        while isinstance(event, Need):
            for_data = event is Need.DATA
            if for_data and self.draining and server.transaction is None:
                self.end(DRAINING)
            data = server.data_to_send()
            if data:
                yield Send(data, server.timeout)
            if for_data:
                try:
                    received = yield Receive(server.timeout, fresh)
                except Draining:
                    self.draining = True
                except TimeoutError:
                    self.end(TIMED_OUT)
                else:
                    fresh = False
                    server.receive_data(received)
            elif event is Need.TLS:
                yield from self.start_tls()
            else:
                yield from relay(server, self.hooks)
                raise _Over
            event = server.next_event()
        return event

    def start_tls(self) -> Flow[None]:
        """Do the TLS handshake; an error of the link ends the session."""
        try:
            facts = yield StartTLS(HANDSHAKE_TIMEOUT)
        except OSError as error:
            yield from self.rejected(Rejected(NO_TLS, f"the TLS handshake failed: {error}"))
            raise _Over from error
        self.server.tls_established(facts)

    def end(self, reply: Reply) -> NoReturn:
        """Close the session with a 421."""
        self.server.send(reply)
        raise _Over

    def authenticate(self, command: Authenticate) -> Flow[ServerEvent | None]:
        """Answer AUTH; what is to be looked at next, if anything."""
        if self.desk is None:
            # Whoever offers it without a desk must not let everybody in.
            self.server.reject(454, "4.7.0", "Temporary authentication failure")
            return None
        return (yield from self.desk.examine(self.server, command, self.next_event))

    # --- commands -----------------------------------------------------------------------------

    def command(self, command: Command) -> Flow[None]:
        """Answer a command, as the handler wishes where it is to be asked."""
        kind = type(command)
        if isinstance(command, Burl):
            # Nobody would get what it leads to, and a positive reply says that somebody did.
            self.server.reject(554, "5.3.3", "content by URL is not taken here")
            return
        if isinstance(command, Atrn) and self.hooks.waiting is None:
            # Nobody is here who would have anything to send.
            self.server.reject(502, "5.5.1", "ATRN is not served here")
            return
        if isinstance(command, Mail) and self.hooks.resume is not None:
            yield from self.mail(command)
            return
        if isinstance(command, Hello):
            hook = self.hooks.ehlo
        elif kind in self.asks:
            hook = self.asks[kind]
        else:
            hook = None if kind in _BASIC else self.hooks.command
        yield from self.ask(hook, self.server.session, command)

    def mail(self, mail: Mail) -> Flow[None]:
        """Answer MAIL where a mail transaction may have been interrupted (RFC 1845)."""
        hooks, session = self.hooks, self.server.session
        assert hooks.resume is not None
        saved = None
        try:
            answer: Answer = None
            if hooks.mail is not None:
                answer = _answer_of(hooks.mail, (yield Call(hooks.mail, (session, mail))))
            if answer is None and mail.get(TransactionId) is not None:
                saved = yield Call(hooks.resume, (session, mail))
            if saved is None:
                self.answer(answer)
                return
            recipients, offset = tuple(saved[0]), saved[1]
            self.server.send(go_on_at(offset))
        except Exception as error:  # noqa: BLE001  the handler's
            yield from self.failed(error)
            return
        transaction = self.server.transaction
        assert transaction is not None
        transaction.recipients.extend(recipients)

    def ask(self, hook: Any, *arguments: object) -> Flow[None]:
        """Answer what waits for a reply with what a hook says."""
        if hook is None:
            self.server.accept()
            return
        try:
            self.answer(_answer_of(hook, (yield Call(hook, arguments))))
        except Exception as error:  # noqa: BLE001  the handler's
            yield from self.failed(error)

    def answer(self, answer: Answer) -> None:
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
        """A hook failed: 451, whatever is still to be answered."""
        yield Report(error)
        for _ in range(self.server.owed):
            self.server.send(FAILED)

    def rejected(self, rejected: Rejected) -> Flow[None]:
        """Let the handler know what the protocol refused."""
        if self.hooks.rejected is not None:
            yield from tell(self.hooks.rejected, self.server.session, rejected)

    def deviated(self, deviation: Deviation) -> Flow[None]:
        """Let the handler know of a command line that is wrong, and is read nevertheless."""
        if self.hooks.deviated is not None:
            yield from tell(self.hooks.deviated, self.server.session, deviation)

    # --- content ------------------------------------------------------------------------------

    def is_content(self, event: ServerEvent) -> TypeGuard[Burl]:
        """Whether this is BURL, and there is somebody who can say what its URL leads to."""
        return isinstance(event, Burl) and self.hooks.resolve is not None

    def content(self, first: BodyChunk | EndOfBody | Burl) -> Flow[None]:
        """Hand the content of a message to the handler, and answer its end."""
        transaction = self.server.transaction
        assert transaction is not None
        envelope = Envelope(transaction.mail, tuple(transaction.recipients))
        content = _Content(self, first, envelope)
        about = (self.server.session, envelope)
        try:
            if self.stamp is not None:
                content.top = self.stamp(*about)
            if self.hooks.message is not None:
                whole = yield from content.whole()
                hook = self.hooks.message
                answer = yield Call(hook, (*about, whole))
            else:
                assert self.hooks.body is not None
                hook = self.hooks.body
                answer = yield CallWithContent(hook, about, content.read)
            if content.lost is None:
                yield from self.answer_content(_answer_of(hook, answer), content)
        except Exception as error:  # noqa: BLE001  the handler's
            if content.lost is None and not content.complete and not content.by_url:
                # Kept by the core until the content has ended.
                self.server.send(FAILED)
            with contextlib.suppress(ContentLost):
                if content.by_url:
                    yield from content.rest()
            if content.lost is None:
                yield from self.failed(error)
        if isinstance(content.lost, Exception):
            raise content.lost

    def answer_content(self, answer: Answer, content: _Content) -> Flow[None]:
        """Answer the end of the content; a handler may have stopped reading before."""
        early = not content.complete and not content.by_url
        if early and isinstance(answer, Reply) and answer.negative:
            self.server.send(answer)
            return
        yield from content.rest()
        self.answer(answer)


def _answer_of(hook: Any, answer: Any) -> Answer:
    """What a hook returned, if it is an answer; text, as other servers take it, is none."""
    if answer is None or isinstance(answer, Reply):
        return answer
    if isinstance(answer, Sequence) and not isinstance(answer, (str, bytes)):
        return answer
    name = getattr(hook, "__qualname__", repr(hook))
    raise TypeError(f"{name} returned {answer!r:.80}: expected None or a Reply")


class _Content:
    """The content of one message on its way to the handler.

    Attributes:
        top: what the handler gets before the first chunk.
        by_url: whether a part of it was not sent, but resolved (RFC 4468).
        complete: whether its end was read.
        lost: what ended it otherwise: a refusal by the core, a command that ended the transaction,
            or an error of the link.
    """

    def __init__(
        self, session: _Session, first: BodyChunk | EndOfBody | Burl, envelope: Envelope
    ) -> None:
        self.session = session
        self.first: BodyChunk | EndOfBody | Burl | None = first
        self.envelope = envelope
        self.top = b""
        self.by_url = False
        self.size = 0
        self.complete = False
        self.lost: ServerEvent | Exception | None = None

    def read(self) -> Flow[bytes | None]:
        """The next chunk; None at the end.

        Raises:
            ContentLost: the content does not become complete.
        """
        if self.complete:
            return None
        if self.top:
            top, self.top = self.top, b""
            return top
        event: ServerEvent | None
        event, self.first = self.first, None
        if event is None:
            event = yield from self.next_event()
        while isinstance(event, (Command, Deviation)) or (
            isinstance(event, Rejected) and not event.content
        ):
            if self.session.is_content(event):
                return (yield from self.resolve(event))
            yield from self.between_chunks(event)
            event = yield from self.next_event()
        if isinstance(event, BodyChunk):
            self.size += len(event.octets)
            return event.octets
        if isinstance(event, EndOfBody):
            self.complete = True
            return None
        if isinstance(event, Rejected):
            self.lost = event
            yield from self.session.rejected(event)
            raise ContentLost(event.reason)
        self.lost = _Over()
        raise ContentLost("the client closed before the end of the content")

    def resolve(self, burl: Burl) -> Flow[bytes]:
        """What the URL of BURL leads to.

        Raises:
            ContentLost: nothing that can be taken.
        """
        server, hook = self.session.server, self.session.hooks.resolve
        refusal: Reply | None = None
        octets = b""
        try:
            assert hook is not None
            found = yield Call(hook, (server.session, self.envelope, burl))
            if found is None or (isinstance(found, Reply) and found.negative):
                refusal = found or NOT_FOUND
            elif isinstance(found, bytes):
                octets = found
            else:
                raise TypeError(f"resolve returned {found!r:.80}: expected bytes")
        except Exception as error:  # noqa: BLE001  the handler's
            yield Report(error)
            refusal = FAILED
        self.size += len(octets)
        size = server.session.offered.get(Size)
        if refusal is None and size is not None:
            refusal = size.check_content(self.size, server.session)
        if refusal is not None:
            server.send(refusal)
            self.lost = burl
            raise ContentLost(f"BURL was refused: {refusal}")
        self.by_url = True
        if burl.last:
            self.complete = True
        else:
            server.accept()
        return octets

    def rest(self) -> Flow[None]:
        """Read to the end, where the handler did not."""
        while not self.complete:
            yield from self.read()

    def between_chunks(self, event: Command | Deviation | Rejected) -> Flow[None]:
        """What a client says between two chunks (RFC 3030): nothing, or that it gives up.

        Raises:
            ContentLost: the mail transaction is over.
        """
        session = self.session
        if isinstance(event, Rejected):
            yield from session.rejected(event)
        elif isinstance(event, Deviation):
            yield from session.deviated(event)
        else:
            yield from session.command(event)
        if session.server.transaction is None:
            self.lost = event
            raise ContentLost("the mail transaction was over before the end of the content")

    def next_event(self) -> Flow[ServerEvent]:
        if self.lost is not None:
            raise ContentLost("the content was lost before")
        try:
            return (yield from self.session.next_event())
        except (OSError, _Over) as error:
            self.lost = error
            raise ContentLost(f"the link was lost within the content: {error}") from error

    def whole(self) -> Flow[bytes]:
        """All of the content."""
        chunks = []
        while (chunk := (yield from self.read())) is not None:
            chunks.append(chunk)
        return b"".join(chunks)
