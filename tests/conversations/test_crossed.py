"""Features together that are tested alone elsewhere: LMTP, TLS, chunks and limits."""

from __future__ import annotations

from typing import Any

import pytest

from smtpproto import Client, Protocol, RemoteProtocolError, Reply
from smtpproto.conversations import PermanentError, ServerTLS, TLSError, TLSMode
from smtpproto.conversations import client as submit
from smtpproto.extensions import Chunking, Pipelining, ServerLimits, StartTls
from tests.conversations.driver import (
    CONTENT,
    NO,
    Inbox,
    begin,
    deliver,
    follow,
    scripted,
    serve,
    statuses,
)

THREE = ("a@mx.example", "b@mx.example", "c@mx.example")
TLS = [
    (ServerTLS.NONE, TLSMode.NONE),
    (ServerTLS.STARTTLS, TLSMode.OPPORTUNISTIC),
    (ServerTLS.STARTTLS, TLSMode.STARTTLS),
    (ServerTLS.IMPLICIT, TLSMode.IMPLICIT),
]
EXTENSIONS = {
    "plain": (),
    "pipelining": (Pipelining(),),
    "chunks": (Chunking(),),
    "both": (Pipelining(), Chunking()),
    "limits": (Pipelining(), Chunking(), ServerLimits(rcptmax=2)),
}


def each_its_own(inbox: Inbox) -> Any:
    """On LMTP a reply for each recipient: the first accepts, the others do not."""
    recipients = inbox.messages[-1][1].recipients
    full = Reply(452, "4.2.2", "full")
    return [None if "<a@" in str(rcpt.forward_path) else full for rcpt in recipients]


@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize("offered, used", TLS)
@pytest.mark.parametrize("extensions", EXTENSIONS.values(), ids=EXTENSIONS)
@pytest.mark.parametrize("chunking", [False, True], ids=["data", "bdat"])
def test_two_messages_in_one_session(
    protocol: Protocol,
    offered: ServerTLS,
    used: TLSMode,
    extensions: tuple[Any, ...],
    chunking: bool,
) -> None:
    lmtp = protocol is Protocol.LMTP
    inbox = Inbox({"rcpt": {"<b@mx.example>": NO}, "message": each_its_own if lmtp else None})
    link = serve(inbox, protocol=protocol, tls=offered, extensions=extensions)
    client = begin(link, Client(protocol=protocol), tls=used)
    assert client.session.secure == (used is not TLSMode.NONE)
    for number in (1, 2):
        content = CONTENT + b"%d\r\n" % number
        delivery = deliver(link, client, content, THREE, chunking=chunking)
        last = "REFUSED" if lmtp else "ACCEPTED"
        assert statuses(delivery) == ["ACCEPTED", "REFUSED", last]
        assert [outcome.reply.code for outcome in delivery.outcomes if outcome.reply] == [
            *(250, 550, 452 if lmtp else 250)
        ]
        assert submit.is_ready(client)
    contents = [content for _, _, content in inbox.messages]
    transactions = 2 if extensions == EXTENSIONS["limits"] else 1
    assert contents == [CONTENT + b"%d\r\n" % n for n in (1, 2) for _ in range(transactions)]
    named = [
        str(rcpt.forward_path) for _, envelope, _ in inbox.messages for rcpt in envelope.recipients
    ]
    assert named == ["<a@mx.example>", "<c@mx.example>"] * 2
    assert all(session.secure == client.session.secure for session, _, _ in inbox.messages)


@pytest.mark.parametrize("protocol", Protocol)
def test_where_starttls_is_required(protocol: Protocol) -> None:
    """The server refuses mail before it, the client sends none to a server that has it not."""
    inbox = Inbox()
    settings: dict[str, Any] = {
        "protocol": protocol,
        "tls": ServerTLS.STARTTLS,
        "extensions": (StartTls(required=True), Pipelining(), Chunking()),
    }
    link = serve(inbox, **settings)
    client = begin(link, Client(protocol=protocol))
    assert [outcome.reply.code for outcome in deliver(link, client).outcomes if outcome.reply] == [
        530
    ]
    assert inbox.messages == []
    link = serve(inbox, **settings)
    client = begin(link, Client(protocol=protocol), tls=TLSMode.STARTTLS)
    assert deliver(link, client).complete
    assert deliver(link, client, chunking=True).complete
    assert len(inbox.messages) == 2
    with pytest.raises(TLSError, match="does not offer STARTTLS"):
        begin(serve(inbox, protocol=protocol), Client(protocol=protocol), tls=TLSMode.STARTTLS)


@pytest.mark.parametrize("chunking", [False, True])
def test_data_is_the_default_where_chunks_are_offered(chunking: bool) -> None:
    link = serve(Inbox(), extensions=(Pipelining(), Chunking()))
    client = begin(link)
    settings: dict[str, Any] = {"chunking": True} if chunking else {}
    assert deliver(link, client, **settings).complete
    assert (b"\r\nDATA\r\n" in link.client.sent()) == (not chunking)
    assert (b"BDAT " in link.client.sent()) == chunking


# --- what real servers say ----------------------------------------------------------------------


@pytest.mark.parametrize("code", [471, 571, 599])
@pytest.mark.parametrize("offers", [(), ("PIPELINING",)])
def test_a_code_of_no_list_refuses_one_recipient(code: int, offers: tuple[str, ...]) -> None:
    """RFC 5321 section 4.3.2: the first digit decides."""
    steps = [
        ("C: MAIL ...", "250 OK"),
        ("C: RCPT ...", "250 OK"),
        ("C: RCPT ...", f"{code} Delivery not authorized"),
        ("C: RCPT ...", "260 fine"),
        ("C: DATA", "354 go"),
    ]
    if offers:
        asked, told = zip(*steps, strict=True)
        text = "\n".join([*asked, *(f"S: {reply}" for reply in told)])
    else:
        text = "\n".join(f"{asked}\nS: {told}" for asked, told in steps)
    rest = "\nC: Subject: test\nC:\nC: ..a line with a dot\nC: .\nS: 250 queued\n"
    link, client = scripted(text + rest, *offers)
    delivery = deliver(link, client, to=THREE)
    assert statuses(delivery) == ["ACCEPTED", "REFUSED", "ACCEPTED"]
    reply = delivery.outcomes[1].reply
    assert reply is not None
    assert (reply.code, reply.text) == (code, "Delivery not authorized")


@pytest.mark.parametrize("protocol", Protocol)
def test_a_greeting_that_turns_into_a_refusal(protocol: Protocol) -> None:
    link = follow("S: 220-mx.example\nS: 521 5.7.1 192.0.2.1 is blocked, see https://mx.example\n")
    with pytest.raises(PermanentError, match=r"192\.0\.2\.1 is blocked") as caught:
        begin(link, Client(protocol=protocol))
    assert caught.value.reply is not None
    assert caught.value.reply.code == 521


@pytest.mark.parametrize(
    "odd", ["250 a\nS: 354 go", "250 a\nS: 250 b", "what?", "334 x", "550-a\nS: 250 b", ""]
)
def test_the_reply_to_mail_decides_whatever_follows(odd: str) -> None:
    """It says why; what a server says then that goes on oddly explains nothing."""
    said = f"\nS: {odd}" if odd else ""
    link, client = scripted(
        f"C: MAIL ...\nC: RCPT ...\nC: RCPT ...\nC: RCPT ...\nC: DATA\n"
        f"S: 550 5.7.1 not you{said}\n",
        "PIPELINING",
        "ENHANCEDSTATUSCODES",
    )
    delivery = deliver(link, client, to=THREE)
    assert statuses(delivery) == ["REFUSED"] * 3
    assert {str(outcome.reply) for outcome in delivery.outcomes} == {"550 5.7.1 not you"}


def test_a_server_that_talks_ahead_delivers_nothing() -> None:
    """Its replies were there before what they would answer (RFC 5321 section 4.3.1)."""
    ahead = "220 mx.example\nS: 250 mx.example\nS: 250 a\nS: 250 b\nS: 354 c\nS: 250 queued"
    link = follow(f"S: {ahead}\nC: EHLO ...\n")
    with pytest.raises(RemoteProtocolError, match="a reply came before EHLO"):
        begin(link)
    link, client = scripted("C: MAIL ...\nS: 250 a\nS: 250 b\nS: 354 c\nS: 250 queued\nEOF\n")
    delivery = deliver(link, client)
    assert statuses(delivery) == ["FAILED"]
    assert "a reply came before RCPT" in delivery.outcomes[0].reason
