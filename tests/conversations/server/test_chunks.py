"""A session whose content comes in chunks: the handler sees one message, or none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from smtpproto import Reply, Session, Syntax
from smtpproto.conversations.envelope import Envelope
from smtpproto.conversations.io_requests import Send
from smtpproto.extensions import Chunking, Pipelining, Size
from tests.conversations.driver import serve

HELLO = b"EHLO c.example\r\n"
ENVELOPE = b"MAIL FROM:<a@c.example>\r\nRCPT TO:<b@mx.example>\r\n"


class Inbox:
    """Keeps what is complete; `answer` is what it says."""

    def __init__(self, answer: Reply | Exception | None = None) -> None:
        self.messages: list[bytes] = []
        self.rejected_: list[str] = []
        self.answer = answer

    def message(self, session: Session, envelope: Envelope, content: bytes) -> Reply | None:
        self.messages.append(content)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def rejected(self, session: Session, rejected: object) -> None:
        self.rejected_.append(str(rejected))


class Streaming:
    """Takes one chunk, and then says its answer or reads on."""

    def __init__(self, answer: Reply | Exception | None = None) -> None:
        self.answer = answer
        self.chunks: list[bytes] = []

    def content(
        self, session: Session, envelope: Envelope, chunks: Iterator[bytes]
    ) -> Reply | None:
        self.chunks.append(next(chunks))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def run(handler: Inbox | Streaming, *pieces: bytes, syntax: Syntax = Syntax.STRICT) -> list[int]:
    """The codes of all replies; the client closes behind the last piece."""
    link = serve(handler, extensions=[Pipelining(), Chunking(), Size(100)], syntax=syntax)
    replies = b"".join([*map(link.feed, pieces), link.end()])
    return [int(line[:3]) for line in replies.splitlines() if line[3:4] == b" "]


def test_one_message() -> None:
    inbox = Inbox()
    pieces = (
        HELLO + ENVELOPE,
        b"BDAT 5\r\none\r\n",
        b"BDAT 5\r\nt",
        b"wo\r\nBDAT 0 LAST\r\nQUIT\r\n",
    )
    assert run(inbox, *pieces) == [220, 250, 250, 250, 250, 250, 250, 221]
    assert inbox.messages == [b"one\r\ntwo\r\n"]


def test_a_handler_gets_what_has_arrived_before_the_rest_comes() -> None:
    handler, lines = Streaming(), b"x" * 70 + b"\r\n"
    link = serve(handler)
    for octets in (HELLO, ENVELOPE, b"DATA\r\n", lines * 900):
        link.feed(octets)
    (chunk,) = handler.chunks
    assert chunk.count(lines) >= 899
    assert link.feed(b".\r\n").startswith(b"250")


def test_other_commands_between_chunks() -> None:
    inbox = Inbox()
    between = b"NOOP\r\nVRFY b\r\nDATA\r\nXYZZY\r\n"
    pieces = (HELLO + ENVELOPE, b"BDAT 5\r\none\r\n" + between, b"BDAT 5 LAST\r\ntwo\r\n")
    assert run(inbox, *pieces) == [220, 250, 250, 250, 250, 250, 252, 503, 500, 250]
    assert inbox.messages == [b"one\r\ntwo\r\n"]
    assert len(inbox.rejected_) == 2


def test_deviations_between_chunks() -> None:
    inbox = Inbox()
    pieces = (HELLO + ENVELOPE, b"BDAT 5\r\none\r\nRCPT TO: <c@mx.example>\r\nBDAT 0 LAST\r\n")
    assert run(inbox, *pieces, syntax=Syntax.LENIENT) == [220, 250, 250, 250, 250, 503, 250]
    assert inbox.messages == [b"one\r\n"]


def test_rset_between_chunks() -> None:
    """The session goes on, and nothing was delivered."""
    inbox = Inbox()
    pieces = (HELLO + ENVELOPE, b"BDAT 5\r\none\r\n", b"RSET\r\n" + ENVELOPE, b"BDAT 0 LAST\r\n")
    assert run(inbox, *pieces) == [220, 250, 250, 250, 250, 250, 250, 250, 250]
    assert inbox.messages == [b""]


@pytest.mark.parametrize(
    "end, codes",
    [(b"QUIT\r\n", [221]), (b"", []), (b"BDAT 5 LAST\r\ntw", []), (b"BDAT x\r\n", [501, 421])],
)
def test_the_end_of_the_session_between_chunks(end: bytes, codes: list[int]) -> None:
    inbox = Inbox()
    pieces = [HELLO + ENVELOPE, b"BDAT 5\r\none\r\n", *([end] if end else [])]
    assert run(inbox, *pieces) == [220, 250, 250, 250, 250, *codes]
    assert inbox.messages == []


def test_too_large() -> None:
    inbox = Inbox()
    pieces = (
        HELLO + ENVELOPE,
        b"BDAT 5\r\none\r\n",
        b"BDAT 99 LAST\r\n" + b"x" * 99,
        b"RSET\r\nNOOP\r\n",
    )
    assert run(inbox, *pieces) == [220, 250, 250, 250, 250, 552, 250, 250]
    assert inbox.messages == []


@pytest.mark.parametrize("answer, code", [(Reply(550, "5.7.1", "no"), 550), (ValueError(), 451)])
def test_a_handler_that_refuses_before_the_end(answer: Reply | Exception, code: int) -> None:
    """Its reply waits for the end of the chunk, and what follows that is dropped."""
    handler = Streaming(answer)
    pieces = (HELLO + ENVELOPE, b"BDAT 5\r\none\r\n", b"BDAT 5 LAST\r\ntwo\r\n", b"RSET\r\n")
    assert run(handler, *pieces) == [220, 250, 250, 250, code, 503, 250]
    assert handler.chunks == [b"one\r\n"]


def test_a_handler_that_accepts_before_the_end() -> None:
    handler = Streaming()
    pieces = (
        HELLO + ENVELOPE,
        b"BDAT 5\r\none\r\n",
        b"NOOP\r\nBDAT 5 LAST\r\ntwo\r\n",
        b"QUIT\r\n",
    )
    assert run(handler, *pieces) == [220, 250, 250, 250, 250, 250, 250, 221]


def test_a_handler_that_accepts_what_never_ends() -> None:
    handler = Streaming()
    pieces = (HELLO + ENVELOPE, b"BDAT 5\r\none\r\n", b"RSET\r\nNOOP\r\n")
    assert run(handler, *pieces) == [220, 250, 250, 250, 250, 250, 250]


def test_long_replies_between_chunks_do_not_pile_up() -> None:
    class Talkative(Inbox):
        def vrfy(self, session: object, vrfy: object) -> Reply:
            return Reply(252, "2.1.5", "x" * 400)

    link = serve(Talkative(), extensions=[Chunking()])
    link.feed(HELLO + ENVELOPE)
    answered = link.feed(b"BDAT 5\r\none\r\n" + b"VRFY b\r\n" * 1000 + b"BDAT 0 LAST\r\n")
    sent = [len(each.data) for each in link.server.requests if isinstance(each, Send)]
    assert len(answered) > 400_000
    assert max(sent) < 70_000
