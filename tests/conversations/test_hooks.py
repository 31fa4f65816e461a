"""What a handler sees in each hook, and the hooks around the content."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from smtpproto import Limits, Protocol, Reply, Session
from smtpproto.conversations import Envelope
from smtpproto.conversations.io_requests import Send
from smtpproto.extensions import Chunking, Pipelining
from smtpproto.testing import Link
from tests.conversations.driver import serve

HELLO = b"EHLO client.example\r\n"
MAIL = b"MAIL FROM:<a@client.example>\r\n"
RCPT = b"RCPT TO:<b@mx.example>\r\nRCPT TO:<c@mx.example>\r\n"
MESSAGE = b"DATA\r\nSubject: x\r\n\r\nbody\r\n.\r\n"
NO = Reply(550, "5.7.1", "no")
EXTENSIONS = (Pipelining(), Chunking())


def codes(answer: bytes) -> list[int]:
    return [int(line[:3]) for line in answer.split(b"\r\n") if line[3:4] == b" "]


class Watching:
    """Writes down each hook with what its session tells."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.seen: list[tuple[str, str | None, list[str]]] = []
        self.sessions: list[Session] = []
        self.contents: list[bytes] = []

    def note(self, hook: str, session: Session, *_: Any) -> Any:
        transaction = session.transaction
        sender = None if transaction is None else str(transaction.mail.reverse_path)
        to = [] if transaction is None else [str(r.forward_path) for r in transaction.recipients]
        self.seen.append((hook, sender, to))
        self.sessions.append(session)
        answer = self.answers.get(hook)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def connect(self, session: Session) -> Any:
        session.state["greeted"] = len(self.sessions)
        return self.note("connect", session)

    def ehlo(self, session: Session, hello: Any) -> Any:
        return self.note("ehlo", session)

    def mail(self, session: Session, mail: Any) -> Any:
        return self.note("mail", session)

    def rcpt(self, session: Session, rcpt: Any) -> Any:
        return self.note("rcpt", session)

    def data(self, session: Session, envelope: Envelope) -> Any:
        assert session.transaction is not None
        assert envelope.recipients == tuple(session.transaction.recipients)
        return self.note("data", session)

    def message(self, session: Session, envelope: Envelope, content: bytes) -> Any:
        self.contents.append(content)
        return self.note("message", session)

    def rset(self, session: Session, command: Any) -> Any:
        return self.note("rset", session)

    def noop(self, session: Session, command: Any) -> Any:
        return self.note("noop", session)

    def quit(self, session: Session, command: Any) -> Any:
        return self.note("quit", session)

    def vrfy(self, session: Session, vrfy: Any) -> Any:
        return self.note("vrfy", session)

    def rejected(self, session: Session, rejected: Any) -> None:
        self.note("rejected", session)

    def closed(self, session: Session) -> None:
        self.note("closed", session)


def start(handler: object, **settings: Any) -> Link:
    link = serve(handler, **{"extensions": EXTENSIONS, **settings})
    link.feed(b"LHLO client.example\r\n" if "protocol" in settings else HELLO)
    return link


A, B, C = "<a@client.example>", "<b@mx.example>", "<c@mx.example>"


def test_each_hook_sees_the_transaction_so_far() -> None:
    handler = Watching()
    link = start(handler)
    link.feed(b"NOOP\r\n" + MAIL + RCPT + b"VRFY x\r\n" + MESSAGE + MAIL + b"RSET\r\nQUIT\r\n")
    link.end()
    assert handler.seen == [
        ("connect", None, []),
        ("ehlo", None, []),
        ("noop", None, []),
        ("mail", None, []),
        ("rcpt", A, []),
        ("rcpt", A, [B]),
        ("vrfy", A, [B, C]),
        ("data", A, [B, C]),
        ("message", A, [B, C]),
        ("mail", None, []),
        ("rset", A, []),
        ("quit", None, []),
        ("closed", None, []),
    ]


def test_what_was_refused_is_not_in_it() -> None:
    handler = Watching(rcpt=NO)
    link = start(handler)
    assert codes(link.feed(MAIL + RCPT + b"VRFY x\r\n")) == [250, 550, 550, 252]
    assert handler.seen[-2:] == [("rcpt", A, []), ("vrfy", A, [])]


def test_refusals_by_the_protocol_are_told_with_it() -> None:
    handler = Watching()
    start(handler).feed(MAIL + b"MAIL FROM:<again@client.example>\r\n")
    assert handler.seen[-1] == ("rejected", A, [])


def test_the_state_lives_as_long_as_the_connection() -> None:
    handler = Watching()
    link = start(handler)
    handler.sessions[-1].state["own"] = "kept"
    link.feed(MAIL + RCPT + MESSAGE + b"EHLO again.example\r\nQUIT\r\n")
    link.end()
    assert all(each.state == {"greeted": 0, "own": "kept"} for each in handler.sessions)
    other = start(handler)
    assert handler.sessions[-1].state == {"greeted": len(handler.sessions) - 2}
    other.end()


def test_address_and_port_are_there() -> None:
    handler = Watching()
    from smtpproto.conversations import ServerSettings, SessionFactory

    factory = SessionFactory(handler, ServerSettings(hostname="mx.example"))
    link = Link(factory.open(Session(peer="192.0.2.1", peer_port=2525)))
    link.feed(HELLO + b"QUIT\r\n")
    link.end()
    assert {(each.peer, each.peer_port) for each in handler.sessions} == {("192.0.2.1", 2525)}


# --- before the content -------------------------------------------------------------------------


def test_data_is_asked_before_354() -> None:
    handler = Watching(data=NO)
    link = start(handler)
    assert codes(link.feed(MAIL + RCPT + b"DATA\r\n")) == [250, 250, 250, 550]
    assert not handler.contents
    handler.answers.clear()
    assert codes(link.feed(b"RSET\r\n" + MAIL + RCPT + MESSAGE))[-2:] == [354, 250]
    assert len(handler.contents) == 1


def test_data_that_fails_is_451() -> None:
    link = start(Watching(data=ValueError("bug")))
    assert codes(link.feed(MAIL + RCPT + b"DATA\r\n"))[-1] == 451
    assert len(link.server.reports) == 1


CHUNKS = b"BDAT 5\r\none\r\nBDAT 5 LAST\r\ntwo\r\n"


def test_data_is_asked_once_where_chunks_come() -> None:
    handler = Watching()
    assert codes(start(handler).feed(MAIL + RCPT + CHUNKS))[-2:] == [250, 250]
    assert [hook for hook, *_ in handler.seen].count("data") == 1
    assert handler.contents == [b"one\r\ntwo\r\n"]


@pytest.mark.parametrize("chunks", [CHUNKS, b"BDAT 5 LAST\r\none\r\n", b"BDAT 0 LAST\r\n"])
@pytest.mark.parametrize("answer, code", [(NO, 550), (Reply(250), 451), (ValueError("bug"), 451)])
def test_chunks_can_be_refused_by_it(chunks: bytes, answer: Any, code: int) -> None:
    handler = Watching(data=answer)
    link = start(handler)
    found = codes(link.feed(MAIL + RCPT + chunks + b"NOOP\r\n"))
    assert found[3] == code
    assert found[-1] == 250
    assert not handler.contents
    assert [hook for hook, *_ in handler.seen].count("data") == 1
    # The next one is another matter.
    handler.answers.clear()
    assert codes(link.feed(b"RSET\r\n" + MAIL + RCPT + CHUNKS))[-2:] == [250, 250]


# --- what is told -------------------------------------------------------------------------------


@pytest.mark.parametrize("verb, code", [("rset", 250), ("noop", 250), ("quit", 221)])
@pytest.mark.parametrize("answer", [NO, ValueError("bug"), None])
def test_what_cannot_be_refused(verb: str, code: int, answer: Any) -> None:
    handler = Watching(**{verb: answer})
    link = start(handler)
    assert codes(link.feed(verb.upper().encode() + b"\r\n")) == [code]
    assert verb in [hook for hook, *_ in handler.seen]
    assert len(link.server.reports) == isinstance(answer, Exception)


# --- LMTP ---------------------------------------------------------------------------------------


class Mailboxes:
    """Answers for one recipient after the other."""

    def __init__(self, *answers: Any) -> None:
        self.answers = answers
        self.finished = False

    def message(self, session: Session, envelope: Envelope, content: bytes) -> Iterator[Any]:
        for answer in self.answers:
            if isinstance(answer, Exception):
                raise answer
            yield answer
        self.finished = True


def replies(link: Link) -> list[list[int]]:
    """The codes of each write after the last 354."""
    sends = [codes(each.data) for each in link.server.requests if isinstance(each, Send)]
    while [354] not in sends:
        sends.pop(0)
    return sends[sends.index([354]) + 1 :]


def lmtp(*answers: Any) -> tuple[Link, Mailboxes]:
    handler = Mailboxes(*answers)
    link = start(handler, protocol=Protocol.LMTP)
    link.feed(MAIL + RCPT)
    link.feed(b"DATA\r\n")
    link.feed(b"x\r\n.\r\n")
    return link, handler


def test_each_reply_leaves_when_it_is_known() -> None:
    link, handler = lmtp(None, NO)
    assert replies(link) == [[250], [550]]
    assert handler.finished
    assert codes(link.feed(b"NOOP\r\n")) == [250]


@pytest.mark.parametrize(
    "answers, found",
    [
        ([None], [[250], [451]]),
        ([], [[451, 451]]),
        ([None, ValueError("bug")], [[250], [451]]),
        ([None, [None, None]], [[250], [451]]),
        ([None, "yes"], [[250], [451]]),
        ([NO, None, None], [[550], [250]]),
    ],
)
def test_replies_that_do_not_fit(answers: list[Any], found: list[list[int]]) -> None:
    link, _ = lmtp(*answers)
    assert replies(link) == found
    assert len(link.server.reports) == 1
    assert codes(link.feed(b"NOOP\r\n")) == [250]


def test_a_client_that_goes_away_between_them() -> None:
    handler = Mailboxes(None, None)
    link = start(handler, protocol=Protocol.LMTP)
    link.feed(MAIL + RCPT)
    link.feed(b"DATA\r\n")
    link.server.faults[len(link.server.requests) + 2] = BrokenPipeError()
    link.feed(b"x\r\n.\r\n")
    link.end()
    assert not link.server.reports
    assert not handler.finished


def test_an_iterator_answers_one_reply_of_smtp() -> None:
    link = start(Mailboxes(NO))
    assert codes(link.feed(MAIL + RCPT + MESSAGE))[-2:] == [354, 550]


def test_a_body_may_return_one() -> None:
    class Streaming(Mailboxes):
        message = None  # type: ignore[assignment]

        def content(self, session: Session, envelope: Envelope, chunks: Iterator[bytes]) -> Any:
            b"".join(chunks)
            return Mailboxes.message(self, session, envelope, b"")

    link = start(Streaming(None, NO), protocol=Protocol.LMTP, limits=Limits())
    link.feed(MAIL + RCPT)
    link.feed(b"DATA\r\n")
    link.feed(b"x\r\n.\r\n")
    assert replies(link) == [[250], [550]]


class AsyncMailboxes(Mailboxes):
    """The same, for an adapter that can wait."""

    async def message(  # type: ignore[override]
        self, session: Session, envelope: Envelope, content: bytes
    ) -> AsyncIterator[Any]:
        for answer in self.answers:
            yield answer


@pytest.mark.parametrize("answers, found", [([None, NO], [[250], [550]]), ([None], [[250], [451]])])
def test_an_asynchronous_iterator(answers: list[Any], found: list[list[int]]) -> None:
    link = start(AsyncMailboxes(*answers), protocol=Protocol.LMTP)
    link.feed(MAIL + RCPT)
    link.feed(b"DATA\r\n")
    link.feed(b"x\r\n.\r\n")
    assert replies(link) == found
