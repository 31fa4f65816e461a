"""A pair: what is sent is what is received, and if it is not, that is found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import (
    AuthResponse,
    Client,
    Command,
    ConnectionClosed,
    ContentChunk,
    Data,
    Domain,
    Ehlo,
    EndOfContent,
    ForwardPath,
    Lhlo,
    LineEndings,
    LocalProtocolError,
    Mail,
    Need,
    Noop,
    Protocol,
    Quit,
    Rcpt,
    Rejected,
    Reply,
    ReversePath,
    Rset,
    Server,
    State,
    Vrfy,
)
from smtpproto.extensions import (
    Auth,
    AuthCommand,
    Bdat,
    Chunking,
    EightBitMime,
    EnhancedStatusCodes,
    Pipelining,
    Size,
    SmtpUtf8,
    SmtpUtf8Parameter,
    StartTls,
    StartTlsCommand,
)
from smtpproto.testing import Mismatch, Moved, Pair, one_by_one
from smtpproto.vocabulary.events import ServerEvent

EHLO = Ehlo(Domain("client.example"))
MAIL = Mail(ReversePath.of("a@client.example"))
RCPT = Rcpt(ForwardPath.of("b@mx.example"))
CONTENT = ContentChunk(b"hello\r\n..\r\n.\r\n")


# --- Agreement ----------------------------------------------------------------------------------


def test_a_message_segment_by_segment() -> None:
    pair = Pair.offering(Pipelining(), EnhancedStatusCodes(), segments=one_by_one).hello()
    pair.send(MAIL, RCPT, Data())
    pair.answers.extend([None, Reply(550, "5.1.1", "no such mailbox"), None])
    moved = list(pair.steps())
    assert b"".join(m.octets for m in moved if m.sender == "C").startswith(b"MAIL FROM:")
    assert {len(m.octets) for m in moved} == {1}
    assert [e for m in moved for e in m.events if isinstance(e, Command)] == [MAIL, RCPT]
    assert [str(reply) for reply in pair.replies[-3:]] == [
        "250 2.1.0 OK",
        "550 5.1.1 no such mailbox",
        (
            "503 5.5.1 DATA is not possible here: a reverse-path, no recipient "
            "(RFC 5321 section 4.1.4)"
        ),
    ]


@given(
    st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\r", b"").replace(b"\n", b""))),
    st.booleans(),
)
def test_content_in_all_framings(pieces: list[bytes], chunked: bool) -> None:
    pair = Pair.offering(Pipelining(), Chunking(), EightBitMime(), segments=one_by_one).hello()
    pair.send(MAIL, RCPT)
    if chunked:
        for piece in filter(None, pieces):
            pair.send(Bdat(len(piece)), ContentChunk(piece))
        pair.send(Bdat(0, last=True))
    else:
        pair.talk(Data())
        for piece in pieces:
            pair.send(ContentChunk(piece))
        pair.send(EndOfContent())
    assert pair.run()[-1].code == 250
    assert isinstance(pair.events[-1], EndOfContent)


@pytest.mark.parametrize("line_endings", [LineEndings.NORMALIZE, LineEndings.PRESERVE])
def test_content_that_the_server_changes(line_endings: LineEndings) -> None:
    """A client that normalizes sends CRLF; one that counts text may send nothing else."""
    pair = Pair(
        Client(line_endings=LineEndings.NORMALIZE),
        Server("mx.example", line_endings=line_endings),
    )
    pair.run()
    pair.talk(EHLO)
    pair.talk(MAIL, RCPT, Data())
    assert pair.say(ContentChunk(b"a\nb\r"), EndOfContent()).code == 250
    assert ContentChunk(b"a\r\nb\r\n") in pair.events


def test_refused_content() -> None:
    pair = Pair.offering(Size(5), Chunking()).hello()
    pair.talk(MAIL, RCPT, Data())
    assert [reply.code for reply in pair.talk(CONTENT, EndOfContent(), MAIL)] == [552, 250]
    replies = pair.talk(RCPT, Bdat(6), ContentChunk(b"123456"), Rset())
    assert [reply.code for reply in replies] == [250, 552, 250]
    rejected = [event for event in pair.events if isinstance(event, Rejected)]
    assert [event.content for event in rejected] == [True, True]


def test_an_application_that_refuses_content_under_way() -> None:
    pair = Pair.offering().hello()
    pair.talk(MAIL, RCPT, Data())
    pair.send(CONTENT)
    pair.to_server()
    pair.reply(Reply(554, "5.7.1", "no"))
    assert [str(reply) for reply in pair.talk(EndOfContent(), MAIL)] == ["554 no", "250 OK"]


def test_lmtp_answers_each_recipient() -> None:
    pair = Pair(Client(protocol=Protocol.LMTP))
    pair.run()
    pair.talk(Lhlo(Domain("client.example")), MAIL, RCPT, RCPT, Data())
    pair.answers.extend([None, Reply(452, "4.2.2", "full")])
    replies = pair.talk(EndOfContent())
    assert [(reply.code, reply.recipient) for reply in replies] == [(250, RCPT), (452, RCPT)]


def test_a_dialogue() -> None:
    pair = Pair.offering(Auth(("LOGIN",), allow_plaintext=("LOGIN",))).hello()
    pair.answers.extend([Reply(334, "", "VXNlcg=="), Reply(334, "", ""), Reply(235, "", "hello")])
    pair.talk(AuthCommand("LOGIN"))
    pair.talk(AuthResponse(b"user"))
    assert [reply.code for reply in pair.talk(AuthResponse(b"password"))] == [235]
    assert [reply.code for reply in pair.talk(Noop("x"))] == [250]


def test_the_usual_reply_to_a_response_and_a_cancelled_dialogue() -> None:
    for octets, code in ((b"", 235), (None, 501)):
        pair = Pair.offering(Auth(("LOGIN",), allow_plaintext=("LOGIN",))).hello()
        pair.answers.append(Reply(334, "", ""))
        pair.talk(AuthCommand("LOGIN"))
        assert [reply.code for reply in pair.talk(AuthResponse(octets))] == [code]


def test_tls_begins_where_both_are_due() -> None:
    pair = Pair.offering(StartTls()).hello()
    assert not pair.start_tls()
    assert [reply.code for reply in pair.talk(StartTlsCommand())] == [220]
    assert pair.client.session.secure
    assert pair.server.session.secure
    assert pair.say(EHLO).code == 250


def test_too_many_errors_close_the_session() -> None:
    class Odd(Command):
        verb = "NOOP"

        def line(self) -> str:
            return "FOO"

    pair = Pair.offering().hello()
    for _ in range(20):
        pair.talk(Odd())
    assert [reply.code for reply in pair.replies[-2:]] == [500, 421]
    assert pair.client.state is State.CLOSED


def test_replies_in_utf8_and_with_codes_in_their_text() -> None:
    pair = Pair.offering(EightBitMime(), SmtpUtf8()).hello()
    vrfy = Vrfy("ü", (SmtpUtf8Parameter(),))
    assert pair.say(vrfy, answers=[Reply(250, "", "Größe")]).text == "Größe"
    assert pair.say(Noop(), answers=[Reply(250, "", "2.1.0 a\n2.1.0 b")]).enhanced == "2.1.0"


def test_an_error_in_the_greeting_and_in_hello() -> None:
    pair = Pair()
    pair.answers.append(Reply(554, "5.7.1", "go away"))
    assert [reply.code for reply in pair.run()] == [554]
    assert [reply.code for reply in pair.talk(Quit())] == [221]


# --- Steps --------------------------------------------------------------------------------------


def test_by_hand() -> None:
    pair = Pair.offering(Pipelining()).hello()
    pair.send(MAIL, RCPT)
    assert pair.to_server() == [MAIL]
    pair.reply()
    assert pair.to_server() == [RCPT]
    pair.reply(Reply(550, "5.1.1", "no"))
    assert [reply.code for reply in pair.to_client()] == [250, 550]
    with pytest.raises(LocalProtocolError):
        pair.reply()


def test_step() -> None:
    pair = Pair()
    moved = pair.step()
    assert moved is not None
    assert moved == Moved("S", b"220 mx.example ESMTP\r\n", tuple(pair.replies))
    assert pair.step() is None


def test_a_subclass_decides() -> None:
    class Refusing(Pair):
        def decide(self, event: ServerEvent | None) -> Reply | None:
            return Reply(550, "5.7.1", "never") if isinstance(event, Mail) else None

    pair = Refusing()
    pair.run()
    pair.talk(EHLO)
    assert pair.say(MAIL).code == 550


@pytest.mark.parametrize("sender", ["C", "S"])
def test_a_link_that_breaks(sender: str) -> None:
    pair = Pair.offering().hello()
    pair.send(MAIL)
    pair.close(sender)
    side = pair.server if sender == "C" else pair.client
    assert side.state is State.CLOSED
    closed = [event for event in pair.events if isinstance(event, ConnectionClosed)]
    assert closed == ([ConnectionClosed(clean=False)] if sender == "C" else [])


# --- Disagreement -------------------------------------------------------------------------------


class Forgetful(Server):
    """Takes every recipient for the first one."""

    def next_event(self) -> Any:
        event = super().next_event()
        return RCPT if isinstance(event, Rcpt) else event


class Lossy(Server):
    """Loses dots in content."""

    def next_event(self) -> Any:
        event = super().next_event()
        return (
            ContentChunk(event.octets.replace(b".", b""))
            if isinstance(event, ContentChunk)
            else event
        )


class Chatty(Server):
    """Sees commands that nobody sent."""

    def next_event(self) -> Any:
        event = super().next_event()
        return Noop() if event is Need.DATA and self.session.name is not None else event


class Deaf(Server):
    """Loses what it receives after EHLO."""

    def receive_data(self, data: bytes) -> None:
        if self.session.name is None:
            super().receive_data(data)


class Muddled(Client):
    """Takes each reply for the one to NOOP."""

    def next_event(self) -> Any:
        event = super().next_event()
        return replace(event, command=Noop()) if isinstance(event, Reply) else event


class Mishearing(Client):
    """Hears codes and texts that were not said."""

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, Reply) and event.command == MAIL:
            return self.heard(event)
        return event

    def heard(self, reply: Reply) -> Reply:
        return replace(reply, text="O K")


class MishearingCodes(Mishearing):
    def heard(self, reply: Reply) -> Reply:
        return replace(reply, code=251)


class MishearingEnhanced(Mishearing):
    def heard(self, reply: Reply) -> Reply:
        return replace(reply, enhanced="2.0.0")


def deliver(pair: Pair) -> None:
    pair.hello().talk(MAIL, Rcpt(ForwardPath.of("c@mx.example")), Data())
    pair.talk(CONTENT, EndOfContent())


@pytest.mark.parametrize(
    "client, server, complaint",
    [
        (Client, Forgetful, "which is not what the client sent"),
        (Client, Lossy, "the server received the content"),
        (Client, Chatty, "and the client sent nothing"),
        (Client, Deaf, "the server never received"),
        (Muddled, Server, "the client takes it for the reply to Noop"),
        (Mishearing, Server, "text='O K'.*the server sent"),
        (MishearingCodes, Server, "code=251.*the server sent"),
        (MishearingEnhanced, Server, "enhanced='2.0.0'.*the server sent"),
    ],
)
def test_what_goes_wrong_is_found(
    client: type[Client], server: type[Server], complaint: str
) -> None:
    pair = Pair(client(), server("mx.example", [Pipelining(), EnhancedStatusCodes()]))
    with pytest.raises(Mismatch, match=complaint):
        deliver(pair)


def test_a_reply_that_nobody_sent_is_found() -> None:
    pair = Pair.offering().hello()
    pair.client.send(Noop())
    pair.client.data_to_send()
    pair.client.receive_data(b"250 OK\r\n")
    with pytest.raises(Mismatch, match="and the server sent nothing"):
        pair.close("S")


def test_segments_have_to_join_to_the_whole() -> None:
    pair = Pair(segments=lambda octets: [octets[1:]])
    with pytest.raises(AssertionError, match="have to join to the whole"):
        pair.run()
