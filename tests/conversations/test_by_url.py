"""Content by URL: BURL in conversation (RFC 4468)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from smtpproto import Client, LocalProtocolError, Protocol, Rejected, Reply, State
from smtpproto.conversations import ContentLost, Envelope
from smtpproto.extensions import (
    Auth,
    Burl,
    Chunking,
    ContentByUrl,
    EightBitMime,
    EnhancedStatusCodes,
    Pipelining,
    ServerLimits,
    Size,
)
from smtpproto.sasl import Credentials, Users
from tests.conversations.driver import Inbox, Link, begin, deliver, lmtp_client, serve, statuses

URL = "imap://imap.example/mail;UID=1"
BURL = b"BURL imap://imap.example/mail;UID=1"
OTHER = b"BURL imap://imap.example/mail;UID=2"
LOGIN = b"AUTH PLAIN AGEAYg==\r\n"
HELLO = b"EHLO client.example\r\n"
ENVELOPE = b"MAIL FROM:<a@client.example>\r\nRCPT TO:<b@mx.example>\r\n"
USERS = Users({"a": "b"}, secret=b"sixteen octets..", iterations=4096)
ALL = (
    Chunking(),
    EightBitMime(),
    EnhancedStatusCodes(),
    ContentByUrl(("imap",)),
    Auth(allow_plaintext=("PLAIN",)),
)


class Drafts(Inbox):
    """A handler that knows what each URL leads to; what is an exception is raised."""

    found: Any = b"Subject: found\r\n\r\n"

    def resolve(self, session: Any, envelope: Envelope, burl: Burl) -> Any:
        assert envelope.reverse_path.mailbox is not None
        assert session.identity == "a"
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


class Streaming:
    """The same in chunks: reads so many of them, then answers or raises."""

    def __init__(self, chunks: int, answer: Any = None) -> None:
        self.chunks = chunks
        self.answer = answer
        self.read: list[bytes] = []
        self.resolved = 0
        self.lost = False

    def resolve(self, session: Any, envelope: Envelope, burl: Burl) -> Any:
        self.resolved += 1
        return b"%d\r\n" % self.resolved if self.resolved < 4 else None

    def body(self, session: Any, envelope: Envelope, chunks: Iterator[bytes]) -> Any:
        try:
            for _ in range(self.chunks):
                self.read.append(next(chunks))
        except ContentLost:
            self.lost = True
            raise
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def start(handler: Any, *more: Any) -> Link:
    """A session past RCPT."""
    link = serve(handler, extensions=(*ALL, *more), users=USERS, nonce=lambda: "n" * 24)
    link.feed(HELLO + LOGIN + HELLO + ENVELOPE)
    return link


def codes(answer: bytes) -> list[bytes]:
    return [line[:3] for line in answer.splitlines() if line[3:4] == b" "]


# --- the server -------------------------------------------------------------------------------


def test_all_of_the_content() -> None:
    inbox = Drafts()
    link = start(inbox)
    assert link.feed(BURL + b" LAST\r\n").startswith(b"250 ")
    ((_, envelope, content),) = inbox.messages
    assert content == Drafts.found
    assert [str(path) for path in envelope.forward_paths] == ["<b@mx.example>"]
    assert codes(link.feed(ENVELOPE + b"QUIT\r\n")) == [b"250", b"250", b"221"]


def test_parts_of_the_content() -> None:
    inbox = Drafts()
    link = start(inbox)
    said = BURL + b"\r\nNOOP\r\nBDAT 4\r\none " + BURL + b"\r\nBDAT 5 LAST\r\ntwo\r\n"
    assert codes(link.feed(said)) == [b"250"] * 5
    assert [content for _, _, content in inbox.messages] == [
        Drafts.found + b"one " + Drafts.found + b"two\r\n"
    ]
    # And with the URL in the end.
    assert codes(link.feed(ENVELOPE + b"BDAT 4\r\none " + BURL + b" LAST\r\n")) == [b"250"] * 4
    assert inbox.messages[1][2] == b"one " + Drafts.found


@pytest.mark.parametrize(
    "found, reply",
    [
        (None, b"554 5.6.6"),
        (Reply(554, "5.7.14", "not for us"), b"554 5.7.14"),
        (ValueError("no server"), b"451 4.3.0"),
        ("text", b"451 4.3.0"),
        (Reply(250, "2.0.0", "but what?"), b"451 4.3.0"),
        (b"x" * 101, b"552 5.3.4"),
    ],
)
@pytest.mark.parametrize("last", [b"", b" LAST"])
def test_a_url_that_leads_to_nothing(found: Any, reply: bytes, last: bytes) -> None:
    """Nothing is delivered; what follows is refused, and the session goes on."""
    inbox = Drafts()
    inbox.found = found
    link = start(inbox, Size(100))
    assert link.feed(BURL + last + b"\r\n").startswith(reply)
    assert codes(link.feed(b"BDAT 3 LAST\r\nabcRSET\r\n")) == [b"503", b"250"]
    assert inbox.messages == []
    inbox.found = b"x"
    assert codes(link.feed(ENVELOPE + BURL + b" LAST\r\n")) == [b"250"] * 3


def test_the_size_is_that_of_all_parts() -> None:
    inbox = Drafts()
    inbox.found = b"x" * 51
    link = start(inbox, Size(100))
    assert codes(link.feed(BURL + b"\r\n" + OTHER + b" LAST\r\nRSET\r\n")) == [
        b"250",
        b"552",
        b"250",
    ]
    said = b"\r\nBDAT 50 LAST\r\n" + b"y" * 48 + b"\r\n"
    assert codes(link.feed(ENVELOPE + BURL + said)) == [b"250", b"250", b"250", b"552"]
    assert inbox.messages == []
    # The session goes on, and exactly the limit is taken.
    said = b"\r\nBDAT 49 LAST\r\n" + b"y" * 47 + b"\r\n"
    assert codes(link.feed(b"RSET\r\n" + ENVELOPE + BURL + said)) == [b"250"] * 5
    assert len(inbox.messages[0][2]) == 100


@pytest.mark.parametrize("read", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "answer, code",
    [(None, b"250"), (Reply(550, "5.7.1", "no"), b"550"), (ValueError("full"), b"451")],
)
def test_a_handler_that_stops_reading(read: int, answer: Any, code: bytes) -> None:
    """Every command gets one reply, however much of it the handler took."""
    handler = Streaming(read, answer)
    link = start(handler)
    said = BURL + b"\r\nBDAT 3\r\nabc" + OTHER + b" LAST\r\nNOOP\r\n"
    # Who refuses before the first URL was looked up refuses that command.
    refused = [code, b"503", b"503", b"250"]
    early = read == 0 and code != b"250"
    assert codes(link.feed(said)) == (refused if early else [b"250", b"250", code, b"250"])
    assert handler.read == [b"1\r\n", b"abc", b"2\r\n"][:read]


@pytest.mark.parametrize("answer", [None, ValueError("full")])
def test_what_leads_nowhere_after_the_handler_stopped(answer: Any) -> None:
    handler = Streaming(1, answer)
    handler.resolved = 2
    link = start(handler)
    assert codes(link.feed(BURL + b"\r\n" + OTHER + b" LAST\r\nRSET\r\n")) == [
        b"250",
        b"554",
        b"250",
    ]


def test_the_link_is_lost_between_parts() -> None:
    handler = Streaming(2)
    link = start(handler)
    link.feed(BURL + b"\r\n", ConnectionResetError("reset"))
    link.end()
    assert handler.lost


@pytest.mark.parametrize("command", [b"RSET", b"QUIT"])
def test_the_client_gives_up_between_parts(command: bytes) -> None:
    inbox = Drafts()
    link = start(inbox)
    answer = link.feed(BURL + b"\r\n" + command + b"\r\n")
    assert codes(answer)[0] == b"250"
    assert inbox.messages == []


def test_nobody_who_knows_what_urls_lead_to() -> None:
    """A positive reply would say that somebody has what the URL leads to."""
    inbox = Inbox()
    link = start(inbox)
    assert codes(link.feed(BURL + b" LAST\r\nRSET\r\n")) == [b"554", b"250"]
    link.feed(ENVELOPE)
    assert codes(link.feed(b"BDAT 3\r\nabc" + BURL + b" LAST\r\nRSET\r\n")) == [
        b"250",
        b"554",
        b"250",
    ]
    assert inbox.messages == []


# --- the client -------------------------------------------------------------------------------


def connected(handler: Any, *more: Any, options: tuple[str, ...] = ("imap",)) -> Any:
    offers = [each for each in ALL if not isinstance(each, ContentByUrl)]
    link = serve(
        handler,
        extensions=(*offers, ContentByUrl(options), *more),
        users=USERS,
        nonce=lambda: "n" * 24,
    )
    return link, begin(
        link,
        Client(),
        credentials=Credentials(username="a", password="b"),
        allow_plaintext=("PLAIN",),
        nonce=lambda: "n" * 24,
    )


@pytest.mark.parametrize("more", [(), (Pipelining(),)])
def test_to_whoever_takes_it(more: Any) -> None:
    inbox = Drafts()
    inbox.answers["rcpt"] = {"<no@mx.example>": Reply(550, "5.1.1", "no such mailbox")}
    link, client = connected(inbox, *more)
    to = ("bob@mx.example", "no@mx.example", "eve@mx.example")
    delivery = deliver(link, client, Burl(URL), to)
    assert statuses(delivery) == ["ACCEPTED", "REFUSED", "ACCEPTED"]
    assert b"BURL " + URL.encode() + b" LAST\r\n" in link.client.sent()
    assert b"DATA" not in link.client.sent()
    assert client.state is State.READY
    inbox.answers["rcpt"] = None
    assert deliver(link, client, Burl(URL), to).complete
    assert [content for _, _, content in inbox.messages] == [Drafts.found] * 2


def test_in_as_many_transactions_as_the_server_wants() -> None:
    inbox = Drafts()
    link, client = connected(inbox, ServerLimits(rcptmax=1))
    assert deliver(link, client, Burl(URL), ("b@mx.example", "c@mx.example")).complete
    assert len(inbox.messages) == 2


def test_a_refusal_is_for_all_recipients() -> None:
    inbox = Drafts()
    inbox.found = None
    link, client = connected(inbox)
    delivery = deliver(link, client, Burl(URL), ("b@mx.example", "c@mx.example"))
    assert [reply.enhanced for reply in delivery.refused.values()] == ["5.6.6", "5.6.6"]
    assert client.state is State.READY


def test_to_nobody() -> None:
    inbox = Drafts()
    inbox.answers["rcpt"] = Reply(550, "5.1.1", "no such mailbox")
    link, client = connected(inbox)
    assert statuses(deliver(link, client, Burl(URL))) == ["REFUSED"]
    assert b"BURL" not in link.client.sent().partition(b"EHLO")[2]
    assert client.state is State.READY


@pytest.mark.parametrize("more", [(), (Pipelining(),)])
def test_a_url_that_the_server_cannot_use(more: Any) -> None:
    inbox = Drafts()
    link, client = connected(inbox, *more, options=("imap://elsewhere.example",))
    with pytest.raises(LocalProtocolError, match="BURL"):
        deliver(link, client, Burl(URL))
    assert client.state is State.READY
    assert inbox.messages == []
    assert deliver(link, client, b"Subject: sent\r\n\r\n").complete


@pytest.mark.parametrize("protocol", [Protocol.SMTP, Protocol.LMTP])
def test_where_it_is_not_offered(protocol: Protocol) -> None:
    link = serve(extensions=(Chunking(),), protocol=protocol)
    client = begin(link, lmtp_client() if protocol is Protocol.LMTP else Client())
    before = link.client.sent()
    with pytest.raises(LocalProtocolError, match="does not offer BURL"):
        deliver(link, client, Burl(URL))
    assert link.client.sent() == before


def test_what_the_core_refuses_is_told() -> None:
    inbox = Drafts()
    link = start(inbox)
    link.feed(b"BURL nowhere\r\n")
    assert isinstance(inbox.refusals[-1], Rejected)
