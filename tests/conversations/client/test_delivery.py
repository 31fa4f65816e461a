"""A message to its recipients: one outcome for each of them, whatever happens."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

from smtpproto import (
    Client,
    Data,
    Domain,
    LineEndings,
    LocalProtocolError,
    Mail,
    Protocol,
    Rcpt,
    Reply,
    ReversePath,
    State,
)
from smtpproto.conversations import ClientSettings, Envelope, Status
from smtpproto.conversations import client as submit
from smtpproto.conversations.io_requests import Call, Receive, Send
from smtpproto.extensions import (
    BinaryMime,
    Body,
    Chunking,
    Dsn,
    EightBitMime,
    Notify,
    Pipelining,
    ServerLimits,
    Size,
    SizeParameter,
    SmtpUtf8,
    SmtpUtf8Parameter,
)
from smtpproto.testing import Link, MemoryClient
from tests.conversations.driver import (
    CONTENT,
    NO,
    Inbox,
    begin,
    deliver,
    follow,
    lmtp_client,
    scripted,
    serve,
    statuses,
)

THREE = ("a@mx.example", "b@mx.example", "c@mx.example")
MESSAGE = """
    C: MAIL ...
    C: RCPT ...
    C: DATA
    S: 250 ok
    S: 250 ok
    S: 354 go
    C: Subject: test
    C:
    C: ..a line with a dot
    C: .
"""
CHUNKS = [b"Subject: test\r\n\r\n", b"x" * 70_000 + b"\r\n", b"end\r\n"]


def start(*extensions: Any, inbox: Inbox | None = None, **settings: Any) -> tuple[Link, Client]:
    link = serve(inbox, extensions=extensions, **settings)
    client = lmtp_client() if settings.get("protocol") is Protocol.LMTP else Client()
    return link, begin(link, client)


# --- round trips ------------------------------------------------------------------------------


def test_a_hundred_recipients_in_one_round_trip() -> None:
    inbox = Inbox()
    link, client = start(Pipelining(), inbox=inbox)
    before = len(link.client.requests)
    to = tuple(f"user{number}@mx.example" for number in range(100))
    delivery = deliver(link, client, to=to)
    assert delivery.complete
    # MAIL, all RCPT and DATA; the replies; the content with its end; the reply.
    first, second, third, fourth = link.client.requests[before:]
    assert isinstance(first, Send)
    lines = first.data.split(b"\r\n")
    assert lines[0].startswith(b"MAIL FROM:")
    assert lines[-2:] == [b"DATA", b""]
    assert len(lines) == 103
    assert isinstance(second, Receive)
    assert [type(each) for each in (third, fourth)] == [Send, Receive]
    assert isinstance(third, Send)
    assert third.data.endswith(b"\r\n.\r\n")
    # The server said all of it in one piece as well.
    assert len([each for each in link.server.requests if isinstance(each, Send)]) == 4
    assert len(inbox.messages[0][1].recipients) == 100


def test_each_reply_belongs_to_its_command() -> None:
    inbox = Inbox({"rcpt": {f"<user{number}@mx.example>": NO for number in range(0, 100, 3)}})
    link, client = start(Pipelining(), inbox=inbox)
    to = tuple(f"user{number}@mx.example" for number in range(100))
    delivery = deliver(link, client, to=to)
    for number, outcome in enumerate(delivery.outcomes):
        assert outcome.reply is not None
        refused = number % 3 == 0
        assert outcome.status is (Status.REFUSED if refused else Status.ACCEPTED)
        if refused:
            assert isinstance(outcome.reply.command, Rcpt)
            assert outcome.reply.command.forward_path == outcome.forward_path
        else:
            assert isinstance(outcome.reply.command, Data)


@pytest.mark.parametrize("extensions", [(Pipelining(),), ()])
def test_with_and_without_pipelining(extensions: tuple[Any, ...]) -> None:
    inbox = Inbox({"rcpt": {"<b@mx.example>": NO}})
    link, client = start(*extensions, inbox=inbox)
    assert statuses(deliver(link, client, to=THREE)) == ["ACCEPTED", "REFUSED", "ACCEPTED"]
    (message,) = inbox.messages
    assert message[2] == CONTENT
    assert [str(path) for path in message[1].forward_paths] == ["<a@mx.example>", "<c@mx.example>"]
    assert submit.is_ready(client)


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("extensions", [(Pipelining(),), (), (Pipelining(), Chunking())])
@pytest.mark.parametrize(
    "answers, codes",
    [
        ({"mail": Reply(550, "5.7.1", "not you")}, [550, 550, 550]),
        ({"rcpt": NO}, [550, 550, 550]),
        ({"rcpt": Reply(452, "4.5.3", "too many")}, [452, 452, 452]),
        ({"message": Reply(554, "5.6.0", "no")}, [554, 554, 554]),
        ({"message": ValueError("bug")}, [451, 451, 451]),
        ({"mail": ValueError("bug")}, [451, 451, 451]),
        ({"rcpt": {"<a@mx.example>": NO}, "message": Reply(450, "4.2.1", "x")}, [550, 450, 450]),
        ({}, [250, 250, 250]),
    ],
)
def test_refusals(extensions: tuple[Any, ...], answers: dict[str, Any], codes: list[int]) -> None:
    link, client = start(*extensions, inbox=Inbox(answers))
    delivery = deliver(link, client, to=THREE, chunking=True)
    assert [outcome.reply.code for outcome in delivery.outcomes if outcome.reply] == codes
    # The session goes on.
    assert submit.is_ready(client)
    link.run(submit.end(client))
    link.end()


def test_data_is_refused() -> None:
    link, client = scripted(
        """
        C: MAIL FROM:<alice@client.example>
        S: 250 ok
        C: RCPT TO:<bob@mx.example>
        S: 250 ok
        C: DATA
        S: 451 4.3.2 not now
        C: RSET
        S: 250 ok
        EOF
        """
    )
    assert deliver(link, client).outcomes[0].reply == Reply(451, "4.3.2", "not now")
    assert submit.is_ready(client)


def test_data_is_accepted_for_nobody() -> None:
    """RFC 2920 section 3.1: a lone dot, and whatever the server says to that."""
    link, client = scripted(
        """
        C: MAIL FROM:<alice@client.example>
        C: RCPT TO:<bob@mx.example>
        C: DATA
        S: 250 ok
        S: 550 no
        S: 354 go ahead
        C: .
        S: 554 nobody
        EOF
        """,
        "PIPELINING",
    )
    assert statuses(deliver(link, client)) == ["REFUSED"]
    assert submit.is_ready(client)


@pytest.mark.parametrize(
    "text, codes",
    [
        ("C: MAIL ...\nS: 421 4.3.2 bye", [421, 421, 421]),
        ("C: MAIL ...\nS: 250 ok\nC: RCPT ...\nS: 421 bye", [421, 421, 421]),
        (
            "C: MAIL ...\nS: 250 ok\nC: RCPT ...\nS: 550 no\nC: RCPT ...\nS: 421 bye",
            [550, 421, 421],
        ),
    ],
)
def test_the_server_closes_early(text: str, codes: list[int]) -> None:
    link, client = scripted(text)
    delivery = deliver(link, client, to=THREE)
    assert [outcome.reply.code for outcome in delivery.outcomes if outcome.reply] == codes
    assert client.state is State.CLOSED


def test_the_server_closes_early_in_a_group() -> None:
    link, client = scripted("C: MAIL ...\nS: 421 4.3.2 bye\nC: ...", "PIPELINING")
    delivery = deliver(link, client, to=THREE)
    assert [outcome.reply.code for outcome in delivery.outcomes if outcome.reply] == [421] * 3


@pytest.mark.parametrize("code", [421, 552])
def test_the_server_refuses_within_the_content(code: int) -> None:
    """It may not (RFC 5321 section 4.1.1.4); those that do say why, and close."""
    link, client = scripted(
        f"""
        C: MAIL ...
        S: 250 ok
        C: RCPT ...
        S: 250 ok
        C: DATA
        S: 354 go ahead
        S: {code} 4.3.2 enough
        """.replace("4.3.2", f"{str(code)[0]}.3.2")
    )
    big = b"Subject: x\r\n\r\n" + b"y" * 998 + b"\r\n"
    delivery = deliver(link, client, [big] * 1000)
    reply = delivery.outcomes[0].reply
    assert reply is not None
    assert (reply.code, reply.text) == (code, "enough")
    assert delivery.outcomes[0].explain().startswith(f"{code}")
    assert client.state is State.CLOSED
    assert len(link.client.sent()) < 5000


@pytest.mark.parametrize(
    "content, reason",
    [
        # It leaves with its end, or the end follows later.
        (b"Subject: x\r\n\r\nHello\r\n", "before it read everything"),
        (b"Subject: x\r\n\r\n" + b"y" * 100_000 + b"\r\n", "within the content"),
    ],
)
@pytest.mark.parametrize("said", [b"552 5.3.4 enough\r\n", b""])
def test_the_server_says_something_before_all_of_the_content_is_written(
    said: bytes, content: bytes, reason: str
) -> None:
    """A refusal, or that it closes: the client hears it, and writes no more."""
    text = "C: MAIL ...\nS: 250 ok\nC: RCPT ...\nS: 250 ok\nC: DATA\nS: 354 go ahead\nEOF"
    link, client = scripted(text)
    # Three commands and their replies, then the content.
    link.client.faults[len(link.client.requests) + 6] = said
    outcome = deliver(link, client, content).outcomes[0]
    if said:
        assert outcome.reply is not None
        assert outcome.reply.code == 552
    else:
        assert outcome.status is Status.FAILED
        assert reason in outcome.reason
    assert not link.client.faults


# --- the link is lost -------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ConnectionResetError, TimeoutError])
@pytest.mark.parametrize(
    "extensions", [(Pipelining(),), (), (Pipelining(), Chunking()), (Chunking(),)]
)
@pytest.mark.parametrize("content", [CONTENT, CHUNKS])
def test_the_link_is_lost_at_each_request(
    error: type[OSError], extensions: tuple[Any, ...], content: Any
) -> None:
    """Before the end of the content nobody has it; after it nobody knows."""
    answers = {"rcpt": {"<b@mx.example>": NO}}
    link, client = start(*extensions, inbox=Inbox(answers))
    begun = len(link.client.requests)
    assert deliver(link, client, content, to=THREE, chunking=True).accepted
    whole = link.client.requests[begun:]
    found = []
    for index, request in enumerate(whole, begun):
        if isinstance(request, Call):
            # That is the content, not the link.
            continue
        inbox = Inbox(answers)
        link, client = start(*extensions, inbox=inbox)
        link.client.faults[index] = error("lost")
        delivery = deliver(link, client, content, to=THREE, chunking=True)
        first, second, third = statuses(delivery)
        assert first == third
        found.append(first)
        assert second in ("REFUSED", "FAILED")
        if first == "FAILED":
            link.end()
            assert not inbox.messages
        assert all(outcome.reason for outcome in delivery.outcomes if outcome.reply is None)
        assert delivery.outcomes[0].explain().startswith(delivery.outcomes[0].status.value)
    # The last write, which has the end in it, and the wait for the reply.
    assert found[-2:] == ["UNKNOWN", "UNKNOWN"]
    assert set(found[:-2]) == {"FAILED"}


def test_the_server_vanishes_after_the_end() -> None:
    link, client = scripted(MESSAGE, "PIPELINING")
    delivery = deliver(link, client)
    assert [str(path) for path in delivery.unknown] == ["<bob@mx.example>"]
    assert not delivery.failed
    assert not delivery.complete


def test_the_server_breaks_the_protocol() -> None:
    link, client = scripted("C: MAIL ...\nS: 250 ok\nC: RCPT ...\nS: 354 what?")
    delivery = deliver(link, client)
    assert statuses(delivery) == ["FAILED"]
    assert "354" in delivery.outcomes[0].reason
    assert client.state is State.ERROR


# --- LMTP -------------------------------------------------------------------------------------


@pytest.mark.parametrize("extensions", [(Pipelining(),), (Pipelining(), Chunking())])
def test_lmtp(extensions: tuple[Any, ...]) -> None:
    inbox = Inbox({"rcpt": {"<b@mx.example>": NO}, "message": [None, Reply(452, "4.2.2", "full")]})
    link, client = start(*extensions, inbox=inbox, protocol=Protocol.LMTP)
    delivery = deliver(link, client, to=THREE, chunking=True)
    assert [outcome.reply.code for outcome in delivery.outcomes if outcome.reply] == [250, 550, 452]
    assert list(delivery.refused) == [outcome.forward_path for outcome in delivery.outcomes[1:]]
    assert submit.is_ready(client)


def test_lmtp_lost_between_the_replies() -> None:
    link = follow(
        """
            S: 220 mx.example
            C: LHLO client.example
            S: 250-mx.example
            S: 250 PIPELINING
            C: MAIL ...
            C: RCPT ...
            C: RCPT ...
            C: RCPT ...
            C: DATA
            S: 250 ok
            S: 250 ok
            S: 250 ok
            S: 250 ok
            S: 354 go
            C: Subject: test
            C:
            C: ..a line with a dot
            C: .
            S: 250 first
            S: 450 second
            """
    )
    client = begin(link, lmtp_client())
    assert statuses(deliver(link, client, to=THREE)) == ["ACCEPTED", "REFUSED", "UNKNOWN"]


# --- parameters -------------------------------------------------------------------------------


def test_parameters_reach_the_server() -> None:
    inbox = Inbox()
    link, client = start(Pipelining(), Size(10**6), EightBitMime(), Dsn(), inbox=inbox)
    envelope = Envelope.of("alice@client.example", ["bob@mx.example"])
    rcpt = Rcpt(envelope.forward_paths[0], (Notify(("FAILURE",)),))
    content = b"Subject: x\r\n\r\nb\xc3\xb6dy\r\n"
    deliver(link, client, content, envelope=Envelope(envelope.mail, (rcpt,)))
    received = inbox.messages[0][1]
    assert received.mail.get(SizeParameter) == SizeParameter(len(content))
    assert received.mail.get(Body) == Body("8BITMIME")
    assert received.recipients == (rcpt,)


def test_what_the_server_cannot_take_is_not_begun() -> None:
    link, client = start(Pipelining(), Size(100))
    before = link.client.sent()
    for content in (b"\xc3\xa4\r\n", b"x" * 200, b"a\nb"):
        with pytest.raises(LocalProtocolError):
            deliver(link, client, content)
    assert link.client.sent().replace(b"RSET\r\n", b"") == before
    assert deliver(link, client).complete


@pytest.mark.parametrize("extensions", [(Pipelining(),), ()])
def test_a_recipient_that_is_not_possible(extensions: tuple[Any, ...]) -> None:
    link, client = start(*extensions)
    envelope = Envelope.of("alice@client.example", THREE)
    bad = Rcpt(envelope.forward_paths[1], (Notify(("FAILURE",)),))
    recipients = (envelope.recipients[0], bad, envelope.recipients[2])
    with pytest.raises(LocalProtocolError, match="NOTIFY"):
        deliver(link, client, envelope=Envelope(envelope.mail, recipients))
    assert submit.is_ready(client)
    assert deliver(link, client).complete


def test_domains_in_ascii() -> None:
    inbox = Inbox()
    link, client = start(Pipelining(), inbox=inbox)
    delivery = deliver(
        link,
        client,
        to=("bob@grüße.example",),
        to_ascii=lambda _: Domain("xn--gre-6ka8l.example"),
    )
    # The outcome is told of the address that was given.
    assert [str(path) for path in delivery.accepted] == ["<bob@grüße.example>"]
    assert str(inbox.messages[0][1].forward_paths[0]) == "<bob@xn--gre-6ka8l.example>"


def test_utf8() -> None:
    inbox = Inbox()
    link, client = start(Pipelining(), EightBitMime(), SmtpUtf8(), inbox=inbox)
    deliver(link, client, "Subject: ä\r\n\r\n".encode(), to=("jürgen@grüße.example",))
    assert str(inbox.messages[0][1].forward_paths[0]) == "<jürgen@grüße.example>"


# --- content ----------------------------------------------------------------------------------


def test_bare_line_feeds_become_line_endings() -> None:
    inbox = Inbox()
    for extensions in ((Pipelining(),), (Pipelining(), Chunking())):
        for content in (b"a: b\n\nc\r", [b"a: b\n\nc", b"\r"]):
            link = serve(inbox, extensions=extensions)
            client = begin(link, Client(line_endings=LineEndings.NORMALIZE))
            assert deliver(link, client, content, chunking=True).complete
    assert {message[2] for message in inbox.messages} == {b"a: b\r\n\r\nc\r\n"}


@pytest.mark.parametrize("extensions", [(Pipelining(),), (Pipelining(), Chunking())])
def test_content_that_fails(extensions: tuple[Any, ...]) -> None:
    inbox = Inbox()

    def chunks() -> Iterator[bytes]:
        yield b"a: b\r\n\r\n"
        yield b"c\r\n"
        raise LookupError("the disk is gone")

    link, client = start(*extensions, inbox=inbox)
    with pytest.raises(LookupError):
        deliver(link, client, chunks(), chunking=True)
    assert submit.is_ready(client) is (Chunking() in extensions)
    link.end()
    assert not inbox.messages


@pytest.mark.parametrize("extensions", [(Pipelining(),), (Pipelining(), Chunking())])
@pytest.mark.parametrize("chunks", [[b"\n", b"c\r\n"], [b"b\r\n", b"c\r", b"d\r\n"], [b"c\r\n\r"]])
def test_bare_line_endings_within_a_stream(
    extensions: tuple[Any, ...], chunks: list[bytes]
) -> None:
    """With BDAT the session goes on: RSET follows the last whole chunk."""
    inbox = Inbox()
    link, client = start(*extensions, inbox=inbox)
    with pytest.raises(LocalProtocolError, match="expected CRLF, found bare"):
        deliver(link, client, [b"a: b\r\n", *chunks], chunking=True)
    chunked = Chunking() in extensions
    assert submit.is_ready(client) is chunked
    if chunked:
        assert deliver(link, client, [CONTENT], chunking=True).complete
    link.end()
    assert [message[2] for message in inbox.messages] == [CONTENT] * chunked


# --- streams that hold what the server cannot take --------------------------------------------

PLAIN = b"Subject: test\r\n\r\n"
LATE = [PLAIN, b"x" * 70_000 + b"\r\n", b"gr\xc3\xbc\xc3\x9fe\r\n"]
NESTED = [
    b"Content-Type: multipart/mixed; boundary=x\r\n\r\n",
    b"--x\r\nSub",
    b"ject: \xc3\xa4\r\n\r\nbody\r\n--x--\r\n",
]
ROADS = [(), (Pipelining(),), (Chunking(),), (Pipelining(), Chunking())]


@pytest.mark.parametrize(
    "content, offered, problem",
    [
        ([b"Subject: test\r\n", b"\r\n\xe4\r\n"], (), "8BITMIME"),
        ([b"Subject: t", b"\xc3\xa4st\r\n", b"\r\nbody\r\n"], (EightBitMime(),), "SMTPUTF8"),
        ([b"Subject: \xc3\xa4\r\n\r\nbody\r\n"], (), "SMTPUTF8"),
    ],
)
@pytest.mark.parametrize("make", [iter, lambda pieces: io.BytesIO(b"".join(pieces))])
def test_what_is_seen_in_the_header_is_not_begun(
    make: Any, content: list[bytes], offered: tuple[Any, ...], problem: str
) -> None:
    link, client = start(Pipelining(), *offered)
    before = link.client.sent()
    with pytest.raises(LocalProtocolError, match=f"does not offer {problem}"):
        deliver(link, client, make(content))
    assert link.client.sent() == before
    assert submit.is_ready(client)


@pytest.mark.parametrize(
    "content, offered, problem",
    [
        (LATE, (), "octets above 127, and the server does not offer 8BITMIME (RFC 6152)"),
        (NESTED, (EightBitMime(),), "UTF-8, and the server does not offer SMTPUTF8 (RFC 6531)"),
        (NESTED, (EightBitMime(), SmtpUtf8()), "was not known before MAIL"),
    ],
)
@pytest.mark.parametrize("extensions", ROADS)
@pytest.mark.parametrize("protocol", [Protocol.SMTP, Protocol.LMTP])
def test_what_is_seen_later_ends_the_transaction(
    protocol: Protocol,
    extensions: tuple[Any, ...],
    content: list[bytes],
    offered: tuple[Any, ...],
    problem: str,
) -> None:
    inbox = Inbox({"rcpt": {"<b@mx.example>": NO}})
    extensions += () if protocol is Protocol.SMTP or Pipelining() in extensions else (Pipelining(),)
    link, client = start(*extensions, *offered, inbox=inbox, protocol=protocol)
    base = MemoryClient(client, link, ClientSettings(chunking=True))
    delivery = base.send(Envelope.of("", THREE), iter(content))
    assert statuses(delivery) == ["FAILED", "REFUSED", "FAILED"]
    assert problem in delivery.outcomes[0].reason
    assert isinstance(delivery.error, LocalProtocolError)
    # After DATA only the end of the connection keeps it from being delivered.
    assert base.closed is (Chunking() not in extensions)
    if not base.closed:
        assert statuses(deliver(link, client, CONTENT)) == ["ACCEPTED"]
    link.end()
    assert [message[2] for message in inbox.messages] == [CONTENT] * (not base.closed)


@pytest.mark.parametrize("extensions", ROADS)
def test_what_the_server_can_take_passes(extensions: tuple[Any, ...]) -> None:
    inbox = Inbox()
    link, client = start(*extensions, EightBitMime(), SmtpUtf8(), inbox=inbox)
    declared = Mail(ReversePath.of("a@x"), (SmtpUtf8Parameter(),))
    declared_utf8 = Envelope(declared, Envelope.of("", THREE).recipients)
    for content, envelope in ((LATE, None), (NESTED, declared_utf8)):
        assert deliver(link, client, iter(content), chunking=True, envelope=envelope).complete
    utf8 = [b"Subject: \xc3", b"\xa4\r\n\r", b"\n\xe4\r\n"]
    assert deliver(link, client, iter(utf8), chunking=True).complete
    assert [message[2] for message in inbox.messages] == list(map(b"".join, (LATE, NESTED, utf8)))
    assert [SmtpUtf8Parameter() in m[1].mail.parameters for m in inbox.messages] == [0, 1, 1]


def test_a_header_that_cannot_be_read_is_not_begun() -> None:
    def fails() -> Iterator[bytes]:
        yield b"A: b\r\n"
        raise LookupError("gone")

    link, client = start(Pipelining())
    before = link.client.sent()
    with pytest.raises(LookupError):
        deliver(link, client, fails())
    assert link.client.sent() == before


# --- chunks -----------------------------------------------------------------------------------


def test_content_in_memory_is_one_chunk() -> None:
    inbox = Inbox()
    link, client = start(Pipelining(), Chunking(), inbox=inbox)
    content = b"".join(CHUNKS) * 3
    assert deliver(link, client, content, chunking=True).complete
    assert inbox.messages[0][2] == content
    assert link.client.sent().count(b"BDAT") == 1
    assert b"DATA\r\n" not in link.client.sent()


@pytest.mark.parametrize("extensions", [(Pipelining(), Chunking()), (Chunking(),)])
@pytest.mark.parametrize(
    "content",
    [CHUNKS, CHUNKS * 5, [], [b""], [b"one\r\n"], [b"".join(CHUNKS) * 4], [b"a\r", b"\n"]],
)
def test_streams_come_in_chunks(extensions: tuple[Any, ...], content: Any) -> None:
    inbox = Inbox()
    link, client = start(*extensions, inbox=inbox)
    whole = b"".join(content)
    assert deliver(link, client, content, chunking=True).complete
    assert inbox.messages[0][2] == whole
    assert submit.is_ready(client)


def test_without_chunking_it_goes_after_data() -> None:
    link, client = start(Pipelining())
    assert deliver(link, client, CHUNKS, chunking=True).complete
    assert b"BDAT" not in link.client.sent()


def test_binary_content() -> None:
    inbox = Inbox()
    link, client = start(Pipelining(), EightBitMime(), Chunking(), BinaryMime(), inbox=inbox)
    octets = bytes(range(256)) * 600
    mail = Mail(ReversePath.of("alice@client.example"), (Body("BINARYMIME"),))
    envelope = Envelope(mail, Envelope.of("", ["bob@mx.example"]).recipients)
    for content in (octets, [octets[:1000], octets[1000:]]):
        assert deliver(link, client, content, envelope=envelope).complete
    assert [message[2] for message in inbox.messages] == [octets, octets]


def test_binary_content_where_it_is_not_offered() -> None:
    link, client = start(Pipelining(), Chunking())
    mail = Mail(ReversePath.of("alice@client.example"), (Body("BINARYMIME"),))
    envelope = Envelope(mail, Envelope.of("", ["bob@mx.example"]).recipients)
    with pytest.raises(LocalProtocolError, match="BODY"):
        deliver(link, client, b"\0", envelope=envelope)
    assert submit.is_ready(client)


HELLO = "C: MAIL ...\nC: RCPT ...\nS: 250 ok\nS: 250 ok\n"


@pytest.mark.parametrize("offers", [("PIPELINING", "CHUNKING"), ("CHUNKING",)])
@pytest.mark.parametrize("refused", [1, 2, 3])
def test_a_chunk_is_refused(offers: tuple[str, ...], refused: int) -> None:
    inbox = Inbox()
    link, client = start(*(Pipelining(), Chunking())[2 - len(offers) :], Size(80_000), inbox=inbox)
    content = [b"x" * 998 + b"\r\n"] * 100 + [b"end\r\n"] * (refused - 1)
    delivery = deliver(link, client, content, chunking=True)
    assert statuses(delivery) == ["REFUSED"]
    assert delivery.outcomes[0].reply is not None
    assert delivery.outcomes[0].reply.code == 552
    assert submit.is_ready(client)
    assert not inbox.messages
    assert len([1 for line in link.client.sent().split(b"\r\n") if line.startswith(b"BDAT")]) < 95


def test_the_chunk_before_the_last_is_refused() -> None:
    """Found out before the end is announced."""
    link, client = scripted(
        HELLO
        + """
        C: BDAT 3
        C: a
        S: 452 4.3.1 full
        C: RSET
        S: 250 ok
        EOF
        """,
        "PIPELINING",
        "CHUNKING",
    )
    delivery = deliver(link, client, [b"a\r\n", b"b\r\n"], chunking=True)
    assert statuses(delivery) == ["REFUSED"]
    assert submit.is_ready(client)


def test_the_last_chunk_is_refused() -> None:
    link, client = scripted(
        HELLO + "C: BDAT 3 LAST\nC: a\nS: 554 no\nC: RSET\nS: 250 ok\nEOF",
        "PIPELINING",
        "CHUNKING",
    )
    assert statuses(deliver(link, client, b"a\r\n", chunking=True)) == ["REFUSED"]
    assert submit.is_ready(client)


def test_refused_within_the_last_chunk() -> None:
    """The server closes instead of reading on, after it has said why."""
    link, client = scripted(
        HELLO + "C: BDAT ...\nS: 421 4.3.1 full\nC: ...", "PIPELINING", "CHUNKING"
    )
    content = (b"x" * 998 + b"\r\n") * 1000
    delivery = deliver(link, client, content, chunking=True)
    assert statuses(delivery) == ["REFUSED"]
    assert client.state is State.CLOSED
    assert len(link.client.sent()) < len(content)


def test_refused_within_the_last_chunk_and_read_on() -> None:
    link, client = scripted(
        HELLO + "C: BDAT 70000 LAST\nS: 552 5.3.4 too large\nC: xxx...\nC: RSET\nS: 250 ok\nEOF",
        "PIPELINING",
        "CHUNKING",
    )
    content = b"x" * 69_998 + b"\r\n"
    delivery = deliver(link, client, content, chunking=True)
    assert statuses(delivery) == ["REFUSED"]
    assert submit.is_ready(client)


def test_refused_within_a_chunk_that_is_not_the_last() -> None:
    link, client = scripted(
        HELLO + "C: BDAT ...\nS: 421 4.3.1 full\nC: ...", "PIPELINING", "CHUNKING"
    )
    delivery = deliver(link, client, [b"a\r\n"] * 100, chunking=True)
    assert statuses(delivery) == ["REFUSED"]


# --- limits -----------------------------------------------------------------------------------


def test_recipients_in_several_transactions() -> None:
    inbox = Inbox({"rcpt": {"<user3@mx.example>": NO}})
    link, client = start(Pipelining(), ServerLimits(rcptmax=2), inbox=inbox)
    to = tuple(f"user{number}@mx.example" for number in range(5))
    delivery = deliver(link, client, io.BytesIO(CONTENT), to=to)
    assert statuses(delivery) == ["ACCEPTED", "ACCEPTED", "ACCEPTED", "REFUSED", "ACCEPTED"]
    assert [str(each.forward_path) for each in delivery.outcomes] == [f"<{path}>" for path in to]
    assert [len(message[1].recipients) for message in inbox.messages] == [2, 1, 1]
    assert {message[2] for message in inbox.messages} == {CONTENT}


def test_the_same_recipient_twice() -> None:
    link, client = start(Pipelining(), ServerLimits(rcptmax=1))
    rcpt = Envelope.of("", ["bob@mx.example"]).recipients[0]
    envelope = Envelope(Mail(ReversePath.of("")), (rcpt, rcpt))
    assert len(deliver(link, client, envelope=envelope).accepted) == 2


def test_what_can_be_read_only_once_is_not_begun() -> None:
    link, client = start(Pipelining(), ServerLimits(rcptmax=2))
    before = link.client.sent()
    with pytest.raises(LocalProtocolError, match="2 mail transactions"):
        deliver(link, client, iter([CONTENT]), to=THREE)
    assert link.client.sent() == before
    assert deliver(link, client, iter([CONTENT]), to=THREE[:2]).complete


def test_no_room_in_this_session() -> None:
    link, client = start(Pipelining(), ServerLimits(mailmax=2, rcptmax=1))
    delivery = deliver(link, client, to=THREE)
    assert statuses(delivery) == ["ACCEPTED", "ACCEPTED", "FAILED"]
    assert "LIMITS" in delivery.outcomes[2].reason
    assert statuses(deliver(link, client)) == ["FAILED"]


def test_the_link_is_lost_between_transactions() -> None:
    link, client = start(Pipelining(), ServerLimits(rcptmax=1))
    begun = len(link.client.requests)
    deliver(link, client, to=THREE)
    each = (len(link.client.requests) - begun) // 3
    link, client = start(Pipelining(), ServerLimits(rcptmax=1))
    link.client.faults[begun + each] = ConnectionResetError("reset")
    delivery = deliver(link, client, to=THREE)
    assert statuses(delivery) == ["ACCEPTED", "FAILED", "FAILED"]
    assert [outcome.reason for outcome in delivery.outcomes][1:] == ["the link broke: reset"] * 2


def test_the_server_closes_between_transactions() -> None:
    text = MESSAGE + "S: 250 ok\nC: MAIL ...\nS: 421 4.3.2 bye\nC: ...\n"
    link, client = scripted(text, "PIPELINING", "LIMITS RCPTMAX=1")
    delivery = deliver(link, client, to=THREE)
    assert [outcome.reply.code for outcome in delivery.outcomes if outcome.reply] == [250, 421, 421]


class Failing:
    """Can be read again; what `reads` says is raised at each reading, once half of it is read."""

    def __init__(self, *reads: Exception | None) -> None:
        self.reads = list(reads)

    def __iter__(self) -> Iterator[bytes]:
        error = self.reads.pop(0)
        yield CONTENT[:20]
        if error is not None:
            raise error
        yield CONTENT[20:]


@pytest.mark.parametrize(
    "error", [LookupError("gone"), OSError("gone"), LocalProtocolError("gone")]
)
@pytest.mark.parametrize("extensions", [(), (Pipelining(),), (Pipelining(), Chunking())])
def test_content_that_fails_when_it_is_read_again(
    extensions: tuple[Any, ...], error: Exception
) -> None:
    """What was delivered is told, and the error with it."""
    inbox = Inbox()
    link, client = start(*extensions, ServerLimits(rcptmax=1), inbox=inbox)
    base = MemoryClient(client, link, ClientSettings(chunking=True))
    delivery = base.send(Envelope.of("", THREE), Failing(None, error))
    assert statuses(delivery) == ["ACCEPTED", "FAILED", "FAILED"]
    assert "gone" in delivery.outcomes[1].reason
    assert delivery.error is error
    assert not delivery.complete
    # After DATA only the end of the connection helps, after BDAT a RSET.
    assert base.closed is (Chunking() not in extensions)
    assert base.ready is (Chunking() in extensions)
    link.end()
    assert [message[2] for message in inbox.messages] == [CONTENT]


def test_a_file_that_is_closed_between_transactions() -> None:
    inbox = Inbox()
    file = io.BytesIO(CONTENT)
    inbox.answers["message"] = lambda _: file.close()
    link, client = start(Pipelining(), ServerLimits(rcptmax=1), inbox=inbox)
    delivery = deliver(link, client, file, to=THREE)
    assert statuses(delivery) == ["ACCEPTED", "FAILED", "FAILED"]
    assert isinstance(delivery.error, ValueError)
    assert "closed file" in delivery.outcomes[2].reason
    # It was found out before MAIL.
    assert submit.is_ready(client)


def test_a_later_transaction_is_not_possible() -> None:
    link, client = start(Pipelining(), ServerLimits(rcptmax=1))
    envelope = Envelope.of("alice@client.example", THREE)
    bad = Rcpt(envelope.forward_paths[1], (Notify(("FAILURE",)),))
    recipients = (envelope.recipients[0], bad, envelope.recipients[2])
    delivery = deliver(link, client, envelope=Envelope(envelope.mail, recipients))
    assert statuses(delivery) == ["ACCEPTED", "FAILED", "FAILED"]
    assert "NOTIFY" in delivery.outcomes[1].reason
