"""A server's session: the handler is asked, and whatever it does the client gets its replies."""

from __future__ import annotations

import contextlib
import io
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from email import message_from_bytes
from typing import Any

import pytest

from smtpproto import (
    Deviation,
    Limits,
    Noop,
    Protocol,
    Quit,
    Rejected,
    Reply,
    Server,
    Session,
    Syntax,
)
from smtpproto.conversations import (
    ContentLost,
    Envelope,
    Handler,
    ServerSettings,
    ServerTLS,
    SessionFactory,
    TLSMode,
)
from smtpproto.conversations import client as submit
from smtpproto.conversations.io_requests import (
    Call,
    CallWithContent,
    Draining,
    HasUnread,
    Receive,
    Report,
    Send,
)
from smtpproto.conversations.server.handler import Hooks
from smtpproto.conversations.server.handler_failures import NoMemory
from smtpproto.conversations.server.session import serve_session
from smtpproto.extensions import (
    Auth,
    Chunking,
    EightBitMime,
    Etrn,
    ExpnExtension,
    HelpExtension,
    Pipelining,
    Size,
)
from smtpproto.testing import Link
from smtpproto.vocabulary.session_facts import EarlyTalk
from tests.conversations.driver import NO, Inbox, begin, deliver, serve, statuses

HELLO = b"EHLO client.example\r\n"
ENVELOPE = b"MAIL FROM:<a@client.example>\r\nRCPT TO:<b@mx.example>\r\n"
MESSAGE = b"DATA\r\nSubject: x\r\n\r\nbody\r\n.\r\n"
ALL = (Pipelining(), Chunking(), Size(100), HelpExtension(), ExpnExtension(), EightBitMime())


def start(handler: object | None = None, **settings: Any) -> Link:
    """A session past EHLO."""
    link = serve(handler, **{"extensions": ALL, **settings})
    link.feed(b"LHLO client.example\r\n" if "protocol" in settings else HELLO)
    return link


def codes(answer: bytes) -> list[int]:
    """The codes of the last lines of replies."""
    return [int(line[:3]) for line in answer.split(b"\r\n") if line[3:4] == b" " or len(line) == 3]


# --- commands ---------------------------------------------------------------------------------


def test_a_group_is_answered_in_one_write() -> None:
    link = start()
    before = len(link.server.requests)
    link.feed(ENVELOPE + b"RSET\r\nNOOP\r\n" + ENVELOPE + MESSAGE)
    sends = [each for each in link.server.requests[before:] if isinstance(each, Send)]
    assert [codes(each.data) for each in sends] == [[250] * 6 + [354, 250]]


def test_the_replies_to_a_flood_do_not_wait_for_its_end() -> None:
    """That to EHLO has ten times the octets of its command, and the client may read none of it."""
    link = start(limits=Limits(commands=10_000))
    before = len(link.server.requests)
    link.feed(b"EHLO a\r\n" * 3000)
    sent = [len(each.data) for each in link.server.requests[before:] if isinstance(each, Send)]
    assert sum(sent) > 3 * 65536
    assert max(sent) < 66_000


@pytest.mark.parametrize(
    "answers, lines, found",
    [
        ({"mail": NO}, ENVELOPE, [550, 503]),
        ({"rcpt": NO}, ENVELOPE, [250, 550]),
        ({"rcpt": ValueError("bug")}, ENVELOPE, [250, 451]),
        ({"mail": Reply(354)}, ENVELOPE, [451, 503]),
        ({"mail": "yes"}, ENVELOPE, [451, 503]),
        ({"ehlo": Reply(550, "5.7.1", "no")}, HELLO, [550]),
        ({"message": Reply(250, "2.0.0", "queued as 1")}, ENVELOPE + MESSAGE, [250, 250, 354, 250]),
        ({"message": [None]}, ENVELOPE + MESSAGE, [250, 250, 354, 250]),
        ({"message": [None, None]}, ENVELOPE + MESSAGE, [250, 250, 354, 451]),
        ({"message": OSError("disk full")}, ENVELOPE + MESSAGE, [250, 250, 354, 451]),
        ({"mail": Reply(421, "4.3.2", "bye")}, ENVELOPE, [421]),
        ({}, b"VRFY bob\r\nEXPN list\r\nHELP\r\nNOOP\r\nQUIT\r\n", [252, 252, 214, 250, 221]),
    ],
)
def test_answers(answers: dict[str, Any], lines: bytes, found: list[int]) -> None:
    link = serve(Inbox(answers), extensions=ALL)
    if lines != HELLO:
        link.feed(HELLO)
    assert codes(link.feed(lines))[-len(found) :] == found
    assert len(link.server.reports) == found.count(451)


@pytest.mark.parametrize(
    "answer, greeting",
    [
        (None, [220]),
        (Reply(554, "5.3.2", "not you"), [554]),
        (Reply(421, "4.3.2", "later"), [421]),
        (ValueError("bug"), [451]),
        (Reply(354, "", "no greeting"), [451]),
    ],
)
def test_the_greeting(answer: Any, greeting: list[int]) -> None:
    link = serve(Inbox({"connect": answer}))
    assert codes(link.feed(b"")) == greeting
    assert link.server.done is (greeting == [421])


def test_a_link_that_is_lost_before_the_greeting_is_no_error_of_the_handler() -> None:
    link = serve(Inbox())
    link.server.faults[1] = ConnectionAbortedError()
    assert link.feed(b"") == b""
    assert isinstance(link.server.requests[1], HasUnread)
    assert link.server.reports == []
    assert link.server.done


class Everything(Handler):
    """A handler that is asked for more."""

    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        """Forget it."""

    def vrfy(self, session: Session, vrfy: Any) -> Reply:
        return Reply(250, "2.1.5", f"{vrfy.string} is here")

    def expn(self, session: Session, expn: Any) -> Reply:
        return Reply(550, "5.1.1", "no such list")

    def help(self, session: Session, question: Any) -> Reply:
        return Reply(214, "", "ask the postmaster")

    def command(self, session: Session, command: Any) -> Reply:
        return Reply(450, "4.7.0", f"{command.verb} refused")


def test_other_commands() -> None:
    link = start(Everything())
    assert b"250 bob is here" in link.feed(b"VRFY bob\r\n")
    assert codes(link.feed(b"EXPN list\r\nHELP\r\nNOOP\r\n")) == [550, 214, 250]


def test_a_command_of_an_extension() -> None:
    link = start(Everything(), extensions=(Etrn(),))
    assert codes(link.feed(HELLO + b"ETRN example.org\r\n")) == [250, 450]


def test_auth_without_anybody_who_knows_the_users() -> None:
    server = Server("mx.example", [Auth(("PLAIN",), allow_plaintext=("PLAIN",))])
    link = Link(serve_session(server, Hooks.of(Inbox())))
    link.feed(HELLO)
    assert codes(link.feed(b"AUTH PLAIN AGEAYg==\r\n")) == [454]


def test_what_a_lenient_server_mends() -> None:
    link = start(syntax=Syntax.LENIENT)
    assert codes(link.feed(b"MAIL FROM: a@client.example\r\n")) == [250]


def test_the_handler_hears_what_was_mended() -> None:
    class Listening(Inbox):
        def deviated(self, session: Session, deviation: Deviation) -> None:
            heard.append(f"{deviation.command.verb}: {deviation.reason}")
            raise ValueError("bug")

    heard: list[str] = []
    link = start(Listening(), syntax=Syntax.LENIENT, extensions=[Chunking()])
    link.feed(HELLO)
    assert codes(link.feed(b"MAIL FROM: a@client.example\r\n")) == [250]
    assert codes(link.feed(b"RCPT TO:<b@mx.example>\r\nBDAT 3\r\nx\r\n")) == [250, 250]
    assert codes(link.feed(b"RCPT TO: <c@mx.example>\r\n")) == [503]
    assert [each.partition(":")[0] for each in heard] == ["MAIL", "RCPT"]
    assert all(each.partition(": ")[2] for each in heard)
    assert len(link.server.reports) == 2


@pytest.mark.parametrize("answer", ["250 OK", b"250 OK", True, 250])
def test_a_hook_that_returns_no_answer(answer: object) -> None:
    link = start(Inbox({"mail": answer, "message": answer}))
    assert codes(link.feed(HELLO + b"MAIL FROM:<>\r\n"))[-1] == 451
    (error,) = link.server.reports
    assert isinstance(error, TypeError)
    assert str(error) == f"Inbox.mail returned {answer!r}: expected None or a Reply"


def test_a_message_hook_that_returns_no_answer() -> None:
    link = start(Inbox({"message": "250 OK"}))
    assert codes(link.feed(HELLO + ENVELOPE + b"DATA\r\nx\r\n.\r\nNOOP\r\n"))[-2:] == [451, 250]
    assert "Inbox.message returned '250 OK'" in str(link.server.reports[0])


def test_the_handler_hears_what_was_refused() -> None:
    inbox = Inbox({"rejected": ValueError("bug")})
    link = start(inbox)
    assert codes(link.feed(b"FOO\r\nDATA\r\n")) == [500, 503]
    assert [each.reply.code for each in inbox.refusals] == [500, 503]
    assert len(link.server.reports) == 2


# --- the end ----------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [None, ValueError("bug")])
def test_the_handler_hears_of_the_end(answer: Any) -> None:
    for lines in (b"QUIT\r\n", b"", ENVELOPE, ENVELOPE + b"DATA\r\nhal"):
        inbox = Inbox({"closed": answer})
        link = start(inbox)
        link.feed(lines)
        link.end()
        assert len(inbox.ended) == 1
        assert str(inbox.ended[0].name) == "client.example"
        assert isinstance(link.server.requests[-1], Report) is (answer is not None)


class Interrupted(BaseException):
    """What an adapter throws that is interrupted itself."""


def test_also_where_the_adapter_is_interrupted() -> None:
    inbox = Inbox()
    link = start(inbox)
    link.server.on_idle = [Interrupted()]
    link.end(eof=False)
    assert isinstance(link.server.error, Interrupted)
    assert len(inbox.ended) == 1


def test_a_session_that_is_thrown_away_asks_for_nothing() -> None:
    inbox = Inbox()
    link = start(inbox)
    assert link.server.flow is not None
    link.server.flow.close()
    assert not inbox.ended


def test_the_client_is_silent() -> None:
    link = start()
    link.end(eof=False)
    assert link.server.sent().endswith(b"421 timeout exceeded\r\n")


def test_one_deadline_for_one_line() -> None:
    """An octet now and then gains nothing."""
    link = start()
    before = len(link.server.requests)
    for octet in b"NOOP\r\n":
        link.feed(bytes([octet]))
    waits = [each for each in link.server.requests[before - 1 :] if isinstance(each, Receive)]
    assert [each.fresh for each in waits] == [True, *[False] * 5, True]


@pytest.mark.parametrize("error", [ConnectionResetError, TimeoutError])
def test_the_link_is_lost_at_each_request(error: type[OSError]) -> None:
    whole = start()
    whole.feed(ENVELOPE + MESSAGE + b"QUIT\r\n")
    for index in range(len(whole.server.requests)):
        inbox = Inbox()
        link = serve(inbox, extensions=ALL)
        link.server.faults[index] = error("lost")
        link.feed(HELLO)
        link.feed(ENVELOPE + MESSAGE + b"QUIT\r\n")
        link.end()
        request = whole.server.requests[index]
        tells_of_the_end = isinstance(request, Call) and request.function.__name__ == "closed"
        assert len(inbox.ended) == (not tells_of_the_end)
        assert link.server.done


# --- clients that do not wait for the greeting ------------------------------------------------


def greeted(handler: object, said: bytes, **settings: Any) -> Link:
    """A session in which the client has said something before the greeting."""
    link = serve(handler, **settings)
    link.feed(said)
    return link


class Told(Inbox):
    """Keeps what is known of sessions."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions: list[Session] = []
        self.refusals: list[Rejected] = []

    def ehlo(self, session: Session, hello: Any) -> None:
        self.sessions.append(session)

    def rejected(self, session: Session, rejected: Rejected) -> None:
        self.refusals.append(rejected)


@pytest.mark.parametrize("said", [HELLO, b""], ids=["early", "in time"])
def test_a_client_that_speaks_before_the_greeting_is_seen(said: bytes) -> None:
    told = Told()
    link = greeted(told, said)
    if not said:
        link.feed(HELLO)
    (session,) = told.sessions
    assert (session.get(EarlyTalk) is not None) is bool(said)
    assert link.server.sent().startswith(b"220 ")


def test_a_client_that_speaks_before_the_greeting_is_refused_where_that_is_asked_for() -> None:
    told = Told()
    link = greeted(told, HELLO + ENVELOPE + MESSAGE, refuse_early_talkers=True)
    assert link.server.sent().startswith(b"554 the client spoke before it was greeted")
    assert not told.sessions
    assert not told.messages
    assert told.refusals[0].reply.code == 554
    in_time = greeted(told, b"", refuse_early_talkers=True)
    assert codes(in_time.feed(HELLO + ENVELOPE + MESSAGE)) == [250, 250, 250, 354, 250]


def test_what_the_handler_says_to_a_client_that_spoke_early_counts() -> None:
    class Full(Told):
        def connect(self, session: Session) -> Reply:
            return Reply(421, "4.3.2", "too busy")

    link = greeted(Full(), HELLO, refuse_early_talkers=True)
    assert link.server.sent().startswith(b"421 4.3.2 too busy")


# --- drain ------------------------------------------------------------------------------------

STAGES = [b"", HELLO, ENVELOPE[:30], ENVELOPE, ENVELOPE + b"DATA\r\n", ENVELOPE + b"DATA\r\nx"]


@pytest.mark.parametrize("stage", range(len(STAGES)))
def test_drain(stage: int) -> None:
    """The idle are told 421; a transaction that runs comes to its end first."""
    inbox = Inbox()
    link = serve(inbox, extensions=ALL)
    if stage > 1:
        link.feed(HELLO)
    link.feed(STAGES[stage])
    assert isinstance(link.server.waiting, Receive)
    link.server.faults[len(link.server.requests) - 1] = Draining()
    running = stage > 1
    link.feed(b"")
    if not running:
        assert link.server.done
    else:
        rest = (ENVELOPE + MESSAGE)[len(STAGES[stage]) :]
        if stage == 5:
            rest = b"\r\n.\r\n"
        link.feed(rest)
        assert len(inbox.messages) == 1
    assert link.server.done
    assert link.server.sent().endswith(b"421 the server is being stopped, try again later\r\n")


def test_drain_before_the_reply_is_read() -> None:
    link = start()
    link.server.faults[len(link.server.requests) - 1] = Draining()
    assert codes(link.feed(b"NOOP\r\n")) == [421]


@pytest.mark.parametrize("message", [MESSAGE, b"BDAT 3 LAST\r\nx\r\n"], ids=["DATA", "BDAT"])
@pytest.mark.parametrize("asked", [False, True], ids=["accepted unasked", "handler asked"])
def test_no_transaction_begins_behind_content_once_draining(
    message: bytes,
    asked: bool,
) -> None:
    """What is pipelined behind the content of a running transaction is answered with 421."""
    inbox = Inbox()
    received: list[bytes] = []
    link = start(inbox if asked else Streaming(received.extend))
    link.feed(ENVELOPE)
    link.server.faults[len(link.server.requests) - 1] = Draining()
    link.feed(b"")
    found = codes(link.feed((message + ENVELOPE + b"RSET\r\n") * 3))
    assert found[-2:] == [250, 421]
    assert len(inbox.messages) + len(received) == 1
    assert link.server.done


def test_a_stop_while_the_handler_works_is_seen_at_once() -> None:
    """The conversation does not wait then, so nothing can be thrown into it."""

    class Stopping(Inbox):
        def message(self, session: Any, envelope: Any, content: bytes) -> Any:
            factory.stop()
            return super().message(session, envelope, content)

    inbox = Stopping()
    factory = SessionFactory(inbox, ServerSettings(hostname="mx.example", extensions=ALL))
    flow = factory.open(Session(peer="192.0.2.1"))
    assert flow is not None
    link = Link(flow)
    link.feed(HELLO)
    assert codes(link.feed((ENVELOPE + MESSAGE) * 2)) == [250, 250, 354, 250, 421]
    assert len(inbox.messages) == 1


# --- time limits ------------------------------------------------------------------------------


def waits(link: Link) -> list[Receive]:
    return [each for each in link.server.requests if isinstance(each, Receive)]


@pytest.mark.parametrize("begin", [b"DATA\r\n", b"BDAT 500\r\n"], ids=["DATA", "BDAT"])
def test_octets_of_refused_content_renew_the_time_limit(begin: bytes) -> None:
    """As those of content do that is not refused (RFC 5321 section 4.5.3.2.5)."""
    link = start()
    link.feed(ENVELOPE + begin)
    for _ in range(20):
        link.feed(b"x" * 20)
    assert [each.fresh for each in waits(link)[-20:]] == [True] * 20
    assert {each.timeout for each in waits(link)[-20:]} == {180.0}
    end = b"\r\n.\r\n" if begin.startswith(b"DATA") else b"x" * 100 + b"BDAT 0 LAST\r\n"
    assert 552 in codes(link.feed(end))


def test_octets_of_a_command_line_do_not_renew_it() -> None:
    link = start()
    for octet in b"NOOP":
        link.feed(bytes([octet]))
    assert [each.fresh for each in waits(link)[-5:]] == [True, False, False, False, False]


@pytest.mark.parametrize("message", [MESSAGE, b"BDAT 1\r\nxBDAT 3 LAST\r\nx\r\n"])
def test_a_transaction_has_one_budget_of_time(message: bytes) -> None:
    """Whatever comes in it, octet by octet; what comes makes it longer."""
    limits = Limits(transaction_time=60, transaction_rate=10)
    link = start(limits=limits)
    assert waits(link)[-1].within is None
    octets = ENVELOPE + message
    for octet in octets:
        link.feed(bytes([octet]))
    found = [each.within for each in waits(link)]
    first = octets.index(b"\n") + 1
    within = found[-len(octets) - 1 :]
    assert within[:first] == [None] * first
    budget = within[first]
    assert budget is not None
    assert within[first:-1] == [budget] * (len(octets) - first)
    assert within[-1] is None
    assert budget.seconds == pytest.approx(60 + (len(octets) - first) / 10)
    link.feed(octets[: first + 1])
    other = waits(link)[-1].within
    assert other not in (None, budget)


def test_transactions_in_one_stream_have_a_budget_each() -> None:
    link = start()
    found = []
    for _ in range(3):
        link.feed(ENVELOPE + b"DATA\r\nx")
        found.append(waits(link)[-1].within)
        link.feed(b"\r\n.\r\n" + ENVELOPE[:10])
        link.feed(ENVELOPE[10:] + b"RSET\r\n")
    assert len(set(map(id, found))) == 3
    assert None not in found


def test_refused_chunks_outside_of_a_transaction_have_a_budget_too() -> None:
    link = start()
    link.feed(b"BDAT 1000000\r\n")
    link.feed(b"x")
    assert waits(link)[-1].within is not None
    assert waits(link)[-1].within is waits(link)[-2].within


# --- content ----------------------------------------------------------------------------------


class Streaming:
    """A handler that reads as its function says."""

    def __init__(self, body: Callable[[Iterator[bytes]], Any]) -> None:
        self._body = body
        self.error: Exception | None = None
        self.read = b""

    def content(self, session: Session, envelope: Envelope, chunks: Iterator[bytes]) -> Any:
        try:
            return self._body(self._note(chunks))
        except Exception as error:
            self.error = error
            raise

    def _note(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.read += chunk
            yield chunk


def read_all(chunks: Iterator[bytes]) -> None:
    for _ in chunks:
        pass


def content(handler: object, *pieces: BaseException | bytes, **settings: Any) -> tuple[Link, bytes]:
    """A session in which content comes in pieces, and what is answered to it."""
    link = start(handler, **settings)
    link.feed(ENVELOPE)
    return link, link.feed(b"DATA\r\n" + b"one\r\n", *pieces).partition(b"<LF>\r\n")[2]


def test_streaming() -> None:
    handler = Streaming(read_all)
    link, answer = content(handler, b".", b".two\r\n", b".\r\nNOOP\r\n")
    assert codes(answer) == [250, 250]
    assert handler.read == b"one\r\n.two\r\n"
    assert codes(link.feed(ENVELOPE + MESSAGE)) == [250, 250, 354, 250]


@pytest.mark.parametrize(
    "answer, code",
    [(None, 250), (Reply(250, "2.0.0", "fine"), 250), (Reply(554, "5.6.0", "spam"), 554)],
)
def test_a_handler_may_stop_reading(answer: Any, code: int) -> None:
    handler = Streaming(lambda chunks: answer if next(chunks) else None)
    # The reply comes at the end of the content, not before (RFC 5321 section 4.1.1.4).
    link, answered = content(handler)
    assert answered == b""
    assert codes(link.feed(b"two\r\n.\r\nNOOP\r\n")) == [code, 250]
    assert b"two" not in handler.read


@pytest.mark.parametrize("when", ["before", "within", "after"])
def test_a_handler_fails(when: str) -> None:
    def body(chunks: Iterator[bytes]) -> None:
        if when == "within":
            next(chunks)
        elif when == "after":
            read_all(chunks)
        raise OSError("disk full")

    link, answer = content(Streaming(body), *([b"two\r\n", b".\r\n"] if when == "after" else []))
    if when != "after":
        assert answer == b""
        answer = link.feed(b"two\r\n.\r\n")
    assert codes(answer + link.feed(b"NOOP\r\n")) == [451, 250]
    assert [str(error) for error in link.server.reports] == ["disk full"]


def test_the_core_refuses_the_content() -> None:
    refusals: list[Rejected] = []
    handler = Streaming(read_all)
    handler.rejected = lambda _, rejected: refusals.append(rejected)  # type: ignore[attr-defined]
    link, answer = content(handler, b"x" * 60, b"x" * 60 + b"\r\n", b".\r\nNOOP\r\n")
    assert codes(answer) == [552, 250]
    assert isinstance(handler.error, ContentLost)
    assert [each.reply.code for each in refusals] == [552]
    assert not link.server.reports


def test_the_same_where_the_handler_does_not_mind() -> None:
    def body(chunks: Iterator[bytes]) -> None:
        with contextlib.suppress(ContentLost):
            read_all(chunks)

    _, answer = content(Streaming(body), b"x" * 200 + b"\r\n.\r\nNOOP\r\n")
    assert codes(answer) == [552, 250]


@pytest.mark.parametrize("minds", [True, False])
@pytest.mark.parametrize("how", [b"", ConnectionResetError("reset"), TimeoutError("slow")])
def test_the_content_does_not_become_complete(how: BaseException | bytes, minds: bool) -> None:
    def silent(chunks: Iterator[bytes]) -> None:
        with contextlib.suppress(ContentLost):
            read_all(chunks)

    handler = Streaming(read_all if minds else silent)
    link, answer = content(handler, b"two\r\n", how)
    assert link.server.done
    assert not link.server.reports
    assert codes(answer) == ([421] if isinstance(how, TimeoutError) else [])
    if minds:
        assert isinstance(handler.error, ContentLost)


class Stubborn:
    """A handler that reads on, come what may."""

    errors: tuple[str, ...] = ()

    def content(self, session: Session, envelope: Envelope, chunks: Any) -> None:
        for _ in range(2):
            try:
                read_all(chunks)
            except ContentLost as error:
                self.errors += (str(error),)
                # A generator that raised is over; what an adapter gives need not be one.
                chunks = again(chunks)
        raise ContentLost


def again(chunks: Any) -> Iterator[bytes]:
    if chunks is not None:
        raise ContentLost("still")
    yield b""


def test_lost_content_stays_lost() -> None:
    """Asked once more, by an adapter whose iterator goes on, it raises once more."""
    link = start(Stubborn())
    link.feed(ENVELOPE)
    link.feed(b"DATA\r\none\r\n", b"two\r\n", b"")
    assert link.server.done
    calls = [each for each in link.server.requests if isinstance(each, CallWithContent)]
    with pytest.raises(ContentLost, match="lost before"):
        next(calls[0].read())


def test_complete_content_stays_complete() -> None:
    link, answer = content(Streaming(read_all), b".\r\n")
    assert codes(answer) == [250]
    calls = [each for each in link.server.requests if isinstance(each, CallWithContent)]
    with pytest.raises(StopIteration):
        next(calls[0].read())


def test_lmtp_answers_for_each_recipient() -> None:
    inbox = Inbox({"message": [None, Reply(452, "4.2.2", "full")]})
    link = start(inbox, protocol=Protocol.LMTP)
    link.feed(ENVELOPE + b"RCPT TO:<c@mx.example>\r\n")
    assert codes(link.feed(MESSAGE)) == [354, 250, 452]
    inbox.answers["message"] = ValueError("bug")
    link.feed(ENVELOPE + b"RCPT TO:<c@mx.example>\r\n")
    assert codes(link.feed(MESSAGE)) == [354, 451, 451]


@pytest.mark.parametrize("streaming", [True, False])
def test_a_received_field_on_top(streaming: bool) -> None:
    inbox, handler = Inbox(), Streaming(read_all)
    link, answer = content(
        handler if streaming else inbox,
        *([b".\r\n"] if streaming else []),
        received=True,
        clock=lambda: datetime(2026, 11, 24, 19, tzinfo=timezone.utc),
        nonce=lambda: "1",
    )
    if not streaming:
        answer = link.feed(b".\r\n")
    assert codes(answer) == [250]
    found = handler.read if streaming else inbox.messages[0][2]
    assert found == (
        b"Received: from client.example ([192.0.2.1])\r\n\tby mx.example with ESMTP id 1\r\n"
        # What begins with no field is the body.
        b"\tfor <b@mx.example>;\r\n\tTue, 24 Nov 2026 19:00:00 +0000\r\n\r\none\r\n"
    )


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("begin", [b"BDAT", b"DATA"])
def test_no_content_goes_on_with_our_received_field(begin: bytes, size: int) -> None:
    """A folded line would make the field say what the client wants (RFC 5322 section 2.2.3)."""
    inbox = Inbox()
    clock = datetime(2026, 11, 24, 19, tzinfo=timezone.utc)
    link = start(inbox, received=True, clock=lambda: clock, nonce=lambda: "1")
    forged = (
        b"\tfrom bank.example (bank.example [203.0.113.1])\r\n by us;\r\nSubject: x\r\n\r\nbody\r\n"
    )
    octets = b"DATA\r\n" + forged + b".\r\n"
    if begin == b"BDAT":
        pieces = [forged[at : at + size] for at in range(0, len(forged), size)]
        octets = b"".join(b"BDAT %d\r\n%b" % (len(piece), piece) for piece in pieces)
        octets += b"BDAT 0 LAST\r\n"
    link.feed(ENVELOPE)
    for at in range(0, len(octets), size):
        link.feed(octets[at : at + size])
    ((_, _, found),) = inbox.messages
    parsed = message_from_bytes(found)
    assert parsed.keys() == ["Received"]
    assert "bank.example" not in parsed["Received"]
    assert found.endswith(b"\r\n\r\n" + forged)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_memory_of_a_message_is_at_most_twice_its_octets(size: int) -> None:
    """Whatever the size of the chunks in which it comes."""

    class Weighing(Inbox):
        def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
            sizes.append(len(content))

    sizes: list[int] = []
    link = start(Weighing(), extensions=(Chunking(), Pipelining()))
    link.feed(ENVELOPE)
    chunk = b"BDAT %d\r\n%b" % (size, b"abc"[:size])
    total = 12_000
    segment = chunk * 1000
    tracemalloc.start()
    try:
        for _ in range(total // (size * 1000)):
            link.feed(segment)
            # The driver keeps all that it saw, which is not the conversation's.
            link.server.requests.clear()
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        link.feed(b"BDAT 0 LAST\r\n")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sizes == [total]
    # And something for the buffers; a list of such chunks takes sixty times their octets.
    assert before < 2 * total + 40_000
    assert peak < 2 * total + 40_000


def test_a_clock_that_fails_refuses_the_message() -> None:
    inbox = Inbox()
    link = start(inbox, received=True, clock=datetime.now, nonce=lambda: "1")
    assert codes(link.feed(ENVELOPE + MESSAGE)) == [250, 250, 354, 451]
    assert not inbox.messages


# --- TLS --------------------------------------------------------------------------------------


def test_starttls() -> None:
    inbox = Inbox()
    link = serve(inbox, tls=ServerTLS.STARTTLS)
    client = begin(link, tls=TLSMode.STARTTLS)
    assert statuses(deliver(link, client)) == ["ACCEPTED"]
    assert inbox.messages[0][0].secure
    assert inbox.messages[0][0].tls is not None
    link.run(submit.ask(client, Quit()))


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("hook", ["mail", "rcpt", "message"])
def test_a_handler_that_wants_to_end_the_program_ends_its_session(
    error: type[BaseException], hook: str
) -> None:
    link = start(Inbox({hook: error("enough")}))
    found = link.feed(ENVELOPE + MESSAGE + b"NOOP\r\n")
    assert codes(found)[-1] == 421
    assert b"421 the session ends with a local error" in found
    assert [type(each) for each in link.server.reports] == [error]
    assert link.server.done


def test_no_memory_for_what_arrives() -> None:
    """The session ends, no handler is blamed, and the client may try again."""
    inbox = Inbox()
    link = start(inbox)
    link.feed(ENVELOPE + b"DATA\r\nSubject: x\r\n")
    link.server.faults[len(link.server.requests) - 1] = MemoryError()
    assert codes(link.feed(b"body\r\n.\r\n")) == [421]
    assert [type(each) for each in link.server.reports] == [NoMemory]
    assert inbox.messages == []
    assert len(inbox.ended) == 1


def test_no_memory_for_the_whole_of_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is refused for now, and the session goes on."""
    inbox = Inbox()
    link = start(inbox)

    class NoRoom(io.BytesIO):
        def getvalue(self) -> bytes:
            raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(io, "BytesIO", NoRoom)
        assert codes(link.feed(ENVELOPE + MESSAGE)) == [250, 250, 354, 452]
    assert [type(each) for each in link.server.reports] == [NoMemory]
    assert codes(link.feed(ENVELOPE + MESSAGE)) == [250, 250, 354, 250]
    assert len(inbox.messages) == 1


def test_the_handshake_fails() -> None:
    inbox = Inbox()
    link = serve(inbox, tls=ServerTLS.STARTTLS)
    link.server.tls = OSError("no cipher")
    with pytest.raises(Exception, match=r"link broke|closed"):
        begin(link, tls=TLSMode.STARTTLS)
    link.end()
    (rejected,) = inbox.refusals
    assert "the TLS handshake failed: no cipher" in rejected.reason
    assert link.server.sent().endswith(b"220 2.0.0 Ready to start TLS\r\n")
    assert len(inbox.ended) == 1


def test_a_server_that_stops_does_not_wait_for_the_handshake() -> None:
    inbox = Inbox()
    link = serve(inbox, tls=ServerTLS.STARTTLS)
    link.server.tls = Draining()
    with pytest.raises(Exception, match=r"link broke|closed"):
        begin(link, tls=TLSMode.STARTTLS)
    link.end()
    assert inbox.refusals == []
    assert link.server.sent().endswith(b"220 2.0.0 Ready to start TLS\r\n")
    assert len(inbox.ended) == 1


@pytest.mark.parametrize("tail", [b"NOOP\r\n", b"MAIL FROM:<m@evil.example>\r\n", b"x"])
def test_commands_injected_behind_starttls(tail: bytes) -> None:
    """CVE-2011-0411."""
    inbox = Inbox()
    link = start(inbox, tls=ServerTLS.STARTTLS)
    assert codes(link.feed(b"STARTTLS\r\n" + tail)) == [421]
    assert link.server.done
    assert [each.reply.code for each in inbox.refusals] == [421]


def test_a_client_and_a_server() -> None:
    link = serve()
    client = begin(link)
    assert link.run(submit.ask(client, Noop())).code == 250
