"""Mail transactions that go on where they were interrupted: CHECKPOINT in conversation (RFC 1845).

Every test is about one server that saves what it got, and about sessions one after the other.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import (
    Client,
    LineEndings,
    LocalProtocolError,
    Mail,
    Protocol,
    Rcpt,
    Reply,
    ReversePath,
    State,
)
from smtpproto.conversations import ContentLost, Envelope
from smtpproto.conversations.handler import Hooks
from smtpproto.extensions import (
    Burl,
    Checkpoint,
    Chunking,
    Pipelining,
    ServerLimits,
    Size,
    TransactionId,
)
from tests.conversations.driver import (
    Inbox,
    Link,
    begin,
    deliver,
    lmtp_client,
    script,
    serve,
    statuses,
)

NAME = TransactionId("1@client.example")
LOST = ConnectionResetError("reset")
CONTENT = b"Subject: long\r\n\r\n" + b"".join(b"line %d\r\n" % n for n in range(20_000))


def envelope(*to: str, name: TransactionId = NAME) -> Envelope:
    plain = Envelope.of("alice@client.example", to or ("bob@mx.example", "eve@mx.example"))
    return Envelope(Mail(plain.reverse_path, (name,)), plain.recipients)


@dataclass
class Saving:
    """A handler that saves what comes before a link is lost."""

    messages: list[tuple[Envelope, bytes]] = field(default_factory=list)
    saved: dict[str, tuple[tuple[Rcpt, ...], bytes]] = field(default_factory=dict)

    def resume(self, session: object, mail: Mail) -> tuple[tuple[Rcpt, ...], int] | None:
        name = mail.get(TransactionId)
        assert name is not None
        recipients, octets = self.saved.get(name.name, ((), b""))
        return (recipients, len(octets)) if recipients else None

    def body(self, session: object, envelope: Envelope, chunks: Iterator[bytes]) -> None:
        name = envelope.mail.get(TransactionId)
        content = self.saved.get(name.name, ((), b""))[1] if name is not None else b""
        try:
            for chunk in chunks:
                content += chunk
        except ContentLost:
            if name is not None:
                whole_lines = content[: content.rfind(b"\r\n") + 2] if b"\r\n" in content else b""
                self.saved[name.name] = (envelope.recipients, whole_lines)
            raise
        if name is not None:
            self.saved.pop(name.name, None)
        self.messages.append((envelope, content))


class Asked(Saving):
    """One that answers MAIL, too."""

    answer: Any = None

    def mail(self, session: object, mail: Mail) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def start(handler: Any, *more: Any, **settings: Any) -> tuple[Link, Client]:
    link = serve(handler, extensions=(Checkpoint(), *more), **settings)
    return link, begin(link, Client())


def interrupted(handler: Saving, octets: int = 50_000) -> None:
    """A session that ends within the content."""
    link, _ = start(handler, Pipelining())
    to = b"RCPT TO:<bob@mx.example>\r\nRCPT TO:<eve@mx.example>\r\n"
    mail = b"MAIL FROM:<alice@client.example> TRANSID=<1@client.example>\r\n"
    assert b"354" in link.feed(mail + to + b"DATA\r\n" + CONTENT[:octets], LOST)
    link.end()
    assert handler.messages == []


class Lossy(io.BytesIO):
    """A file that cannot be rewound."""

    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("more", [(), (Pipelining(),), (Chunking(), Pipelining(), Size(10**6))])
@pytest.mark.parametrize("kind", [bytes, io.BytesIO, Lossy, lambda octets: iter([octets])])
def test_only_the_rest_is_sent(more: Any, kind: Any) -> None:
    handler = Saving()
    interrupted(handler)
    link, client = start(handler, *more)
    delivery = deliver(link, client, kind(CONTENT), envelope=envelope())
    assert delivery.complete
    assert len(delivery.outcomes) == 2
    sent = link.client.sent()
    assert len(sent) < len(CONTENT) - 49_000
    assert b"RCPT" not in sent
    ((delivered, content),) = handler.messages
    assert content == CONTENT
    assert delivered.recipients == envelope().recipients
    # The same name stands for a new transaction from then on.
    assert deliver(link, client, b"Subject: two\r\n\r\n", envelope=envelope()).complete
    assert handler.messages[1][1] == b"Subject: two\r\n\r\n"


@given(st.lists(st.integers(1, 60), max_size=5))
def test_however_often_it_is_interrupted(ends: list[int]) -> None:
    content = b"a: b\r\n\r\n" + b"".join(b".%d\r\n" % n for n in range(12))
    handler, got = Saving(), b""
    for octets in ends:
        link, client = start(handler)
        mail = str(envelope().mail).encode()
        answer = link.feed(mail + b"\r\n")
        if answer.startswith(b"355"):
            offset = int(answer[4:].split()[0])
        else:
            offset = 0
            link.feed(b"RCPT TO:<bob@mx.example>\r\n")
        got = content[offset : offset + octets]
        stuffed = got.replace(b"\r\n.", b"\r\n..")
        link.feed(b"DATA\r\n" + (b"." if got.startswith(b".") else b"") + stuffed, LOST)
        link.end()
    link, client = start(handler)
    assert deliver(link, client, content, envelope=envelope("bob@mx.example")).complete
    assert [octets for _, octets in handler.messages] == [content]


def test_what_has_all_but_the_end() -> None:
    handler = Saving()
    interrupted(handler, len(CONTENT))
    link, client = start(handler)
    assert deliver(link, client, CONTENT, envelope=envelope()).complete
    assert handler.messages[0][1] == CONTENT
    # A server cannot know of the last line whether it is all of it.
    assert link.client.sent().count(b"line") == 1


def test_over_lmtp_each_recipient_has_a_reply() -> None:
    handler = Saving()
    settings: dict[str, Any] = {"extensions": (Checkpoint(),), "protocol": Protocol.LMTP}
    link = serve(handler, **settings)
    commands = [
        str(envelope().mail),
        *map(str, envelope().recipients),
        "DATA",
        "Subject: x",
        "To: y",
        "",
    ]
    link.feed("\r\n".join(["LHLO client.example", *commands]).encode(), LOST)
    link.end()
    link = serve(handler, **settings)
    client = begin(link, lmtp_client())
    delivery = deliver(link, client, b"Subject: x\r\nTo: y\r\n\r\n", envelope=envelope())
    assert statuses(delivery) == ["ACCEPTED"] * 2
    assert b"Subject" not in link.client.sent()
    assert client.state is State.READY


def test_a_received_field_would_be_counted() -> None:
    with pytest.raises(ValueError, match="write the Received field itself"):
        serve(
            Saving(),
            received=True,
            clock=lambda: datetime(2030, 1, 2, tzinfo=timezone.utc),
            nonce=lambda: "n",
        )


def test_a_transaction_without_a_name_begins_anew() -> None:
    handler = Saving()
    interrupted(handler)
    link, client = start(handler)
    assert deliver(link, client, b"Subject: other\r\n\r\n").complete
    assert handler.messages[0][1] == b"Subject: other\r\n\r\n"


@pytest.mark.parametrize(
    "answer, status, reply",
    [
        (None, "ACCEPTED", 250),
        (Reply(550, "5.7.1", "no"), "REFUSED", 550),
        (ValueError("full"), "REFUSED", 451),
        (Reply(250, "2.1.0", "welcome"), "ACCEPTED", 250),
    ],
)
def test_mail_is_asked_first(answer: Any, status: str, reply: int) -> None:
    handler = Asked()
    handler.answer = answer
    link, client = start(handler)
    delivery = deliver(link, client, CONTENT, envelope=envelope())
    assert statuses(delivery) == [status] * 2
    assert {o.reply.code for o in delivery.outcomes if o.reply is not None} == {reply}


@pytest.mark.parametrize("saved", [((), -1), 5, ("a", "b"), (None, 3)])
def test_what_was_saved_is_no_answer(saved: Any) -> None:
    class Wrong(Saving):
        def resume(self, session: object, mail: Mail) -> Any:
            return saved

    link, client = start(Wrong())
    delivery = deliver(link, client, CONTENT, envelope=envelope())
    assert {o.reply.code for o in delivery.outcomes if o.reply is not None} == {451}
    assert client.state is State.READY


def test_who_resumes_has_to_save() -> None:
    class Whole(Inbox):
        def resume(self, session: object, mail: Mail) -> None:
            raise AssertionError("never called")

    with pytest.raises(TypeError, match="needs 'body'"):
        Hooks.of(Whole())


# --- what the client makes of it --------------------------------------------------------------


def scripted(reply: str, more: str = "") -> tuple[Link, Client]:
    link = Link(
        script(
            f">>> 220 mx.example\n<<< EHLO client.example\n>>> 250-mx.example|250 CHECKPOINT\n"
            f"<<< MAIL FROM:<alice@client.example> TRANSID=<1@client.example>\n>>> {reply}\n{more}"
        )
    )
    return link, begin(link)


@pytest.mark.parametrize("reply", ["355 somewhere", "355 4000000 is the offset"])
def test_a_server_that_claims_more_than_there_is(reply: str) -> None:
    link, client = scripted(reply, "<<< RSET\n>>> 250 OK\nEOF")
    delivery = deliver(link, client, CONTENT, envelope=envelope())
    assert statuses(delivery) == ["FAILED"] * 2
    assert "355" in delivery.outcomes[0].reason
    assert client.state is State.READY


def test_a_server_that_does_not_want_the_rest() -> None:
    link, client = scripted("355 6", "<<< DATA\n>>> 452 4.3.1 full\n<<< RSET\n>>> 250 OK\nEOF")
    assert statuses(deliver(link, client, CONTENT, envelope=envelope())) == ["REFUSED"] * 2
    assert client.state is State.READY


def test_names_for_what_cannot_go_on() -> None:
    link, client = start(Saving(), ServerLimits(rcptmax=1))
    with pytest.raises(LocalProtocolError, match="TRANSID names one mail transaction"):
        deliver(link, client, CONTENT, envelope=envelope())
    link = serve(Saving(), extensions=(Checkpoint(),))
    client = begin(link, Client(line_endings=LineEndings.NORMALIZE))
    with pytest.raises(LocalProtocolError, match=r"needs LineEndings\.REFUSE"):
        deliver(link, client, CONTENT, envelope=envelope())
    assert client.state is State.READY


def test_a_server_that_does_not_know_names() -> None:
    link = serve(Saving(), extensions=())
    client = begin(link, Client())
    with pytest.raises(LocalProtocolError, match="TRANSID"):
        deliver(link, client, CONTENT, envelope=envelope())
    assert client.state is State.READY


def test_content_by_url_has_nothing_to_go_on_with() -> None:
    from tests.conversations.test_by_url import Drafts, connected

    link, client = connected(Drafts(), Checkpoint())
    with pytest.raises(LocalProtocolError, match="nothing to go on with"):
        deliver(link, client, Burl("imap://imap.example/1"), envelope=envelope())


def test_the_sender_is_who_it_was() -> None:
    """Whose mail it is, `resume` sees."""
    seen: list[ReversePath] = []

    class Looking(Saving):
        def resume(self, session: object, mail: Mail) -> None:
            seen.append(mail.reverse_path)

    link, client = start(Looking())
    assert deliver(link, client, CONTENT, envelope=envelope()).complete
    assert [str(path) for path in seen] == ["<alice@client.example>"]
