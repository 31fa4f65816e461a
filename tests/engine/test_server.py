"""The server: C: and S: lines as an RFC shows them, and what the application sees of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from smtpproto import (
    Command,
    ConnectionClosed,
    ContentChunk,
    Data,
    Deviation,
    Domain,
    Ehlo,
    EndOfContent,
    ForwardPath,
    Limits,
    LineEndings,
    LocalProtocolError,
    Mail,
    Need,
    Noop,
    Protocol,
    Quit,
    Rcpt,
    Rejected,
    RemoteProtocolError,
    Reply,
    ReversePath,
    Rset,
    Server,
    Session,
    State,
    Syntax,
)
from smtpproto.extensions import (
    Answered,
    Chunking,
    EightBitMime,
    EnhancedStatusCodes,
    Extension,
    HelpExtension,
    Pipelining,
    SessionEvent,
    Size,
    SmtpUtf8,
)
from smtpproto.vocabulary.command_base import DialogueCommand, Grammar
from smtpproto.vocabulary.commands import Vrfy
from smtpproto.vocabulary.events import AuthResponse, ServerEvent
from smtpproto.vocabulary.replies import ReplyReader
from smtpproto.vocabulary.session_facts import Offered
from smtpproto.vocabulary.states import Effect, Transition
from tests.engine_script import drive, octets, rejected, serve
from tests.weight import weight

NO = Reply(550, "5.1.1", "no such mailbox")
ENVELOPE = """
    S: 220 mx.example ESMTP
    C: EHLO client.example
    S: 250 mx.example
    C: MAIL FROM:<eve@client.example>
    S: 250 OK
    C: RCPT TO:<bob@mx.example>
    S: 250 OK
"""
DATA = """
    C: DATA
    S: 354 End data with <CR><LF>.<CR><LF>
"""


def ready(*extensions: Extension, script: str = "", **options: Any) -> Server:
    """A server that has greeted and read EHLO, its output taken."""
    server = Server("mx.example", extensions, **options)
    server.receive_data(b"EHLO client.example\r\n" + octets(script.split("\n") if script else []))
    drive(server)
    server.data_to_send()
    return server


def body(events: list[ServerEvent]) -> bytes:
    return b"".join(event.octets for event in events if isinstance(event, ContentChunk))


# --- sessions -----------------------------------------------------------------------------------


def test_a_message() -> None:
    server, events = serve(
        ENVELOPE
        + DATA
        + """
        C: Subject: hello
        C:
        C: ..a dot
        C: .
        S: 250 OK
        C: QUIT
        S: 221 Bye
        """
    )
    kinds = [type(event) for event in events]
    assert kinds == [Ehlo, Mail, Rcpt, Data, ContentChunk, EndOfContent, Quit, ConnectionClosed]
    assert body(events) == b"Subject: hello\r\n\r\n.a dot\r\n"
    assert events[-1] == ConnectionClosed(clean=True)
    assert server.state is State.CLOSED


def test_all_at_once() -> None:
    """RFC 2920 section 3.2: replies to one group leave in one write."""
    serve(
        """
        S: 220 mx.example ESMTP
        C: EHLO client.example
        S: 250-mx.example
        S: 250-PIPELINING
        S: 250 ENHANCEDSTATUSCODES
        C: MAIL FROM:<eve@client.example>
        C: RCPT TO:<bob@mx.example>
        C: RCPT TO:<nobody@mx.example>
        C: NOOP
        C: DATA
        S: 250 2.1.0 OK
        S: 250 2.1.5 OK
        S: 550 5.1.1 no such mailbox
        S: 250 2.0.0 OK
        S: 354 End data with <CR><LF>.<CR><LF>
        C: .
        C: QUIT
        S: 250 2.0.0 OK
        S: 221 2.0.0 Bye
        """,
        Pipelining(),
        EnhancedStatusCodes(),
        answers={"RCPT TO:<nobody@mx.example>": NO},
    )


@pytest.mark.parametrize(
    "line, answer",
    [
        # RFC 5321 section 4.1.4: what is possible before EHLO, and what is not
        ("NOOP", "250 OK"),
        ("RSET", "250 OK"),
        ("VRFY bob", "252 Cannot VRFY user..."),
        ("QUIT", "221 Bye"),
        ("HELO client.example", "250 mx.example"),
        ("MAIL FROM:<eve@client.example>", "503 MAIL is not possible here..."),
        ("RCPT TO:<bob@mx.example>", "503 RCPT is not possible here..."),
        ("DATA", "503 DATA is not possible here..."),
        # section 4.2.4: 500 for what is no command, 502 for what is not in use
        ("HELP", "502 HELP is not implemented here"),
        ("EXPN staff", "502 EXPN is not implemented here"),
        ("BDAT 5", "502 BDAT is not implemented here"),
        ("FOO", "500 'FOO' is not a command (RFC 5321 section 4.1.1)"),
        ("foo bar", "500 'foo' is not a command (RFC 5321 section 4.1.1)"),
        ("", "500 the line is not a command..."),
        (" NOOP", "500 the line is not a command..."),
        ("cGFzc3dvcmQ=", "500 the line is not a command..."),
        ("CLIENT_SECRET", "500 the line is not a command..."),
        ("LHLO client.example", "500 'LHLO' is not a command..."),
        ("DATA now", "501 DATA takes no argument, found 'now'..."),
        ("QUIT now", "501 QUIT takes no argument, found 'now'..."),
        ("RSET x", "501 RSET takes no argument, found 'x'..."),
        ("VRFY", "501 VRFY: expected a string..."),
        ("EHLO", "501 EHLO: expected a domain or an address literal"),
        ("EHLO -", "501 domain: expected a letter or digit at octet 0..."),
        ("EHLO [192.0.2.1", "501 address literal: expected ']'..."),
        ("MAIL", "501 MAIL: expected 'FROM:<', found ''..."),
        ("MAIL FROM: <a@b.example>", "501 reverse-path: expected '<'..."),
        ("RCPT TO:<>", "501 forward-path: expected a local-part..."),
        # section 4.1.1: letter case of verbs, white space before the CRLF
        ("noop", "250 OK"),
        ("nOoP \t ", "250 OK"),
        ("eHlO client.example", "250 mx.example"),
    ],
)
def test_one_line(line: str, answer: str) -> None:
    serve(f"S: 220 mx.example ESMTP\nC: {line}\nS: {answer}")


@pytest.mark.parametrize(
    "line, answer",
    [
        ("MAIL FROM:<eve@client.example>", "503 MAIL is not possible here: at least one..."),
        ("DATA", "354 End data..."),
        ("RCPT TO:<carol@mx.example>", "250 OK"),
        ("RCPT TO:<Postmaster>", "250 OK"),
        ("RCPT TO:<c@mx.example> SIZE=5", "555 RCPT: SIZE is not offered here"),
        ("NOOP", "250 OK"),
        ("QUIT", "221 Bye"),
    ],
)
def test_one_line_within_a_transaction(line: str, answer: str) -> None:
    serve(f"{ENVELOPE}C: {line}\nS: {answer}")


@pytest.mark.parametrize("line", ["RSET", "EHLO client.example", "HELO client.example"])
def test_what_ends_a_transaction(line: str) -> None:
    """RFC 5321 sections 4.1.1.5 and 4.1.4."""
    server, _ = serve(ENVELOPE)
    assert server.state is State.RCPT
    server.receive_data(octets([line, "RCPT TO:<bob@mx.example>"]))
    drive(server)
    assert (server.transaction, server.state) == (None, State.READY)


def test_a_refused_ehlo_changes_nothing() -> None:
    """RFC 5321 section 4.1.4: the server stays in the state it was in."""
    server, _ = serve(
        ENVELOPE + "C: EHLO other.example\nS: 550 no such mailbox\n",
        answers={"EHLO other.example": NO},
    )
    assert server.state is State.RCPT
    assert server.session.name == Domain("client.example")
    assert server.transaction is not None


def test_helo_takes_the_extensions_away() -> None:
    """RFC 5321 section 4.1.1.1."""
    server, _ = serve(
        """
        S: 220 mx.example ESMTP
        C: EHLO client.example
        S: 250-mx.example
        S: 250 SIZE 1000
        C: MAIL FROM:<eve@client.example> SIZE=2000
        S: 552 Message size exceeds fixed maximum message size
        C: HELO client.example
        S: 250 mx.example
        C: MAIL FROM:<eve@client.example> SIZE=1
        S: 555 MAIL: SIZE is not offered here
        """,
        Size(1000),
    )
    assert not server.session.extended
    assert len(server.offered) == 0


def test_all_recipients_refused() -> None:
    """RFC 2920 section 3.1: DATA may be refused then, and the client sends no content."""
    _, events = serve(
        """
        S: 220 mx.example ESMTP
        C: EHLO client.example
        S: 250-mx.example
        S: 250 PIPELINING
        C: MAIL FROM:<eve@client.example>
        C: RCPT TO:<nobody@mx.example>
        C: DATA
        S: 250 OK
        S: 550 no such mailbox
        S: 503 DATA is not possible here: a reverse-path, no recipient (RFC 5321 section 4.1.4)
        """,
        Pipelining(),
        answers={"RCPT": NO},
    )
    assert rejected(events) == [503]


def test_what_is_pipelined_behind_a_refusal_is_no_error() -> None:
    server = ready(Pipelining(), limits=Limits(errors=1))
    server.receive_data(octets(["MAIL FROM:<a@client.example>", "DATA"] * 50))
    assert set(rejected(drive(server, {"MAIL": NO}))) == {503}
    assert server.state is State.READY


def test_a_refused_message_leaves_the_session_ready() -> None:
    server, _ = serve(
        ENVELOPE + DATA + "C: spam\nC: .\nS: 550 no such mailbox\n", answers={"content": NO}
    )
    assert server.state is State.READY
    assert server.transaction is None


# --- greetings and ends -------------------------------------------------------------------------


def test_a_host_that_wants_no_mail() -> None:
    """RFC 5321 section 3.1: 554 in the greeting, then QUIT is all that is left."""
    server, _ = serve(
        """
        S: 554 no SMTP here
        C: EHLO client.example
        S: 503 EHLO is not possible here: the greeting was negative: only QUIT is left...
        C: NOOP
        S: 503 NOOP is not possible here...
        C: QUIT
        S: 221 Bye
        """,
        answers={"greeting": Reply(554, "", "no SMTP here")},
    )
    assert server.state is State.CLOSED


def test_nothing_is_read_before_the_greeting() -> None:
    server = Server("mx.example")
    server.receive_data(b"NOOP\r\n")
    assert server.next_event() is Need.REPLY
    assert server.owed == 1
    server.accept()
    assert server.next_event() == Noop()


def test_a_greeting_that_is_too_long_for_a_line() -> None:
    """RFC 5321 section 4.5.3.1.5."""
    server = Server("mx.example")
    server.accept("h " * 260)
    lines = server.data_to_send().splitlines(keepends=True)
    assert [line[:4] for line in lines] == [b"220-", b"220 "]
    assert max(map(len, lines)) <= 512
    assert server.state is State.GREETED


@pytest.mark.parametrize("state", ["greeting", "NOOP", "content", "nothing"])
def test_421_at_any_time(state: str) -> None:
    """RFC 5321 section 3.8."""
    closing = Reply(421, "4.3.2", "going down")
    script = {
        "greeting": "",
        "NOOP": "S: 220 mx.example ESMTP\nC: NOOP\n",
        "content": ENVELOPE + DATA + "C: text\nC: .\n",
        "nothing": "S: 220 mx.example ESMTP\n",
    }[state]
    answers = {} if state == "nothing" else {state: closing}
    if state == "nothing":
        server, events = serve(script)
        server.send(closing)
        assert server.data_to_send() == b"421 going down\r\n"
        events += drive(server)
    else:
        server, events = serve(f"{script}S: 421 going down\n", answers=answers)
    assert events[-1] == ConnectionClosed(clean=False)
    assert server.state is State.CLOSED
    with pytest.raises(LocalProtocolError, match="nothing waits for a reply"):
        server.send(closing)


def test_421_within_content_loses_it() -> None:
    server = ready(script="MAIL FROM:<>\nRCPT TO:<b@mx.example>\nDATA\nsome text")
    server.reject(421)
    assert server.data_to_send().startswith(b"421")
    server.receive_data(b".\r\n")
    assert drive(server) == [ConnectionClosed(clean=False)]


@pytest.mark.parametrize(
    "sent",
    ["", "NOOP", "MAIL FROM:<>", "MAIL FROM:<>\nRCPT TO:<b@mx.example>\nDATA\ntext\n..", "NOO"],
)
def test_the_client_is_gone(sent: str) -> None:
    server = ready()
    server.receive_data(octets(sent.split("\n"))[: -2 if sent == "NOO" else None])
    server.receive_eof()
    events = drive(server)
    assert events[-1] == ConnectionClosed(clean=False)
    assert not any(isinstance(event, EndOfContent) for event in events)
    assert server.next_event() is Need.DATA
    assert server.transaction is None
    with pytest.raises(LocalProtocolError, match="bytes came after the end"):
        server.receive_data(b"NOOP\r\n")


def test_commands_after_quit_are_not_read() -> None:
    server = ready()
    server.receive_data(b"QUIT\r\nNOOP\r\nMAIL FROM:<>\r\n")
    assert drive(server) == [Quit(), ConnectionClosed()]
    assert server.data_to_send() == b"221 Bye\r\n"
    held = weight(server)
    server.receive_data(b"NOOP\r\n" * 1000)
    assert weight(server) == held
    assert drive(server) == []


# --- what the application may answer -------------------------------------------------------------


@pytest.mark.parametrize(
    "line, code",
    [
        ("NOOP", 354),
        ("MAIL FROM:<>", 354),
        ("MAIL FROM:<>", 334),
        ("RCPT TO:<b@mx.example>", 354),
        ("DATA", 250),
        ("DATA", 220),
        ("EHLO client.example", 334),
        ("QUIT", 354),
        ("RSET", 300),
    ],
)
def test_replies_that_are_no_answer(line: str, code: int) -> None:
    """RFC 5321 section 4.3.2."""
    server = ready(Pipelining())
    server.receive_data(octets(["MAIL FROM:<>", "RCPT TO:<a@mx.example>"]))
    drive(server)
    if line.startswith("MAIL"):
        server.receive_data(b"RSET\r\n")
        drive(server)
    server.data_to_send()
    server.receive_data(octets([line]))
    assert isinstance(server.next_event(), Command)
    with pytest.raises(LocalProtocolError, match=f"{code} does not answer"):
        server.send(Reply(code))
    assert server.data_to_send() == b""
    # Nothing is lost: the right answer still is.
    assert server.next_event() is Need.REPLY
    server.accept()


def test_an_answer_too_many() -> None:
    server = Server("mx.example")
    server.accept()
    with pytest.raises(LocalProtocolError, match="nothing waits for a reply"):
        server.accept()
    with pytest.raises(LocalProtocolError, match="nothing waits for a reply"):
        server.reject()
    assert server.owed == 0
    assert server.data_to_send() == b"220 mx.example ESMTP\r\n"


def test_content_is_not_accepted_before_its_end() -> None:
    server = ready(script="MAIL FROM:<>\nRCPT TO:<b@mx.example>\nDATA\nsome text")
    with pytest.raises(LocalProtocolError, match="nothing waits for a reply"):
        server.accept()


@pytest.mark.parametrize("code", [200, 250, 354, 399])
def test_reject_needs_a_refusal(code: int) -> None:
    with pytest.raises(LocalProtocolError, match=f"from 400 to 559, found {code}"):
        Server("mx.example").reject(code)


@pytest.mark.parametrize("code", [0, 560, 600])
def test_reject_needs_a_code(code: int) -> None:
    with pytest.raises(LocalProtocolError):
        Server("mx.example").reject(code)


def test_a_reply_that_does_not_fit() -> None:
    """A text is split, and what programs read is not: nothing leaves then."""
    server = Server("mx.example")
    server.accept("word " * 200)
    assert len(server.data_to_send().splitlines()) == 2
    server.receive_data(b"EHLO c.example\r\nRSET\r\n")
    server.next_event()
    with pytest.raises(LocalProtocolError, match="more than 512 octets"):
        server.accept("x" * 600)
    assert server.data_to_send() == b""
    server.accept("at your service")
    assert server.data_to_send() == b"250 mx.example at your service\r\n"
    server.next_event()
    server.reject(550, "5.7.1", "a reason of many words " * 50)
    lines = server.data_to_send().splitlines()
    assert len(lines) == 3
    assert [line[:4] for line in lines] == [b"550-", b"550-", b"550 "]


def test_a_reply_that_a_client_received_is_passed_on() -> None:
    """571 is no code that a server may say, and turning it into 451 would put off for ever."""
    server = Server("mx.example")
    reply = ReplyReader(Limits()).feed(b"571 5.7.1 not authorized", Noop())
    assert reply is not None
    server.send(reply)
    assert server.data_to_send() == b"554 not authorized\r\n"
    assert server.state is State.REFUSED


@pytest.mark.parametrize("enhanced", ["", "5.5.4", "4.3.2"])
def test_a_parser_says_with_which_code_it_refuses(enhanced: str) -> None:
    """A private command whose error names a code of another class than the default's."""

    class Busy(Noop):
        verb = "XBUSY"

        @classmethod
        def parse(cls, arguments: str, grammar: Grammar) -> Busy:
            raise LocalProtocolError("busy", code=450, enhanced=enhanced)

    class Private(Extension):
        keyword = "XBUSY"
        commands = (Busy,)
        transitions = {State.READY: {"XBUSY": Transition()}}

    server = Server("mx.example", [Private(), EnhancedStatusCodes()])
    server.accept()
    server.receive_data(b"EHLO c.example\r\nXBUSY\r\n")
    server.next_event()
    server.accept()
    server.data_to_send()
    rejected = server.next_event()
    assert isinstance(rejected, Rejected)
    assert rejected.reply == Reply(450, "4.3.2" if enhanced == "4.3.2" else "", "busy")
    shown = "4.3.2" if enhanced == "4.3.2" else "4.2.0"
    assert server.data_to_send() == f"450 {shown} busy\r\n".encode()


def test_texts() -> None:
    server = Server("mx.example")
    server.accept()
    server.receive_data(b"EHLO c.example\r\nNOOP\r\nVRFY bob\r\n")
    assert isinstance(server.next_event(), Ehlo)
    server.accept("greets c.example\nand says more")
    server.next_event()
    server.accept("here\nwe\nare")
    server.next_event()
    server.reject(551, "5.1.6", "try bob@elsewhere.example")
    assert server.data_to_send().split(b"\r\n") == [
        b"220 mx.example ESMTP",
        b"250-mx.example greets c.example",
        b"250 and says more",
        b"250-here",
        b"250-we",
        b"250 are",
        b"551 try bob@elsewhere.example",
        b"",
    ]


def test_a_text_that_is_not_ascii_is_escaped_without_smtputf8() -> None:
    server = ready()
    server.receive_data(b"NOOP\r\n")
    server.next_event()
    server.accept("d\xe9j\xe0 vu")
    assert server.data_to_send() == b"250 d\\xe9j\\xe0 vu\r\n"


def test_the_reply_to_ehlo_is_ascii_also_where_utf8_is_in_force() -> None:
    server = ready(EightBitMime(), SmtpUtf8())
    server.receive_data(b"EHLO client.example\r\n")
    server.next_event()
    server.accept("d\xe9j\xe0 vu")
    first = server.data_to_send().split(b"\r\n")[0]
    assert first == b"250-mx.example d\\xe9j\\xe0 vu"


def test_a_text_that_is_not_ascii_with_smtputf8() -> None:
    """RFC 6531 section 3.7.4: as UTF-8 to a client that asked for it, not at all to others."""
    server = ready(EightBitMime(), SmtpUtf8())
    server.receive_data(b"VRFY bob SMTPUTF8\r\nVRFY bob\r\n")
    drive(server, {"VRFY": Reply(250, "", "Bob <b\xf6b@mx.example>")})
    mine, others = server.data_to_send().split(b"\r\n")[:2]
    assert mine == "250 Bob <b\xf6b@mx.example>".encode()
    assert others.startswith(b"252 ")
    assert others.isascii()


@dataclass(frozen=True, slots=True)
class Ask(DialogueCommand):
    """A private dialogue: the client has to repeat what the server says."""

    verb = "XASK"
    accepted = (235, "2.7.0", "well answered")

    def parse_response(self, line: bytes) -> bytes:
        if line == b"*":
            raise LocalProtocolError("given up", code=501)
        return line

    def format_response(self, octets: bytes | None) -> bytes:
        return octets or b"*"


class Asking(Extension):
    keyword = "XASK"
    commands = (Ask,)
    transitions = {State.READY: {"XASK": Transition(more=State.EXCHANGE, ok=State.READY)}}


def test_accept_answers_everything() -> None:
    """The usual reply is an answer to every command there is, and to the content."""
    server, _ = serve(
        ENVELOPE.replace("250 mx.example", "250-mx.example\n    S: 250-XASK\n    S: 250 HELP")
        + """
        C: NOOP
        C: VRFY bob
        C: HELP
        S: 250 OK
        S: 252 Cannot VRFY user, but will accept message and attempt delivery
        S: 214 See RFC 5321
        """
        + DATA
        + """
        C: .
        C: XASK
        C: RSET
        C: QUIT
        S: 250 OK
        S: 235 well answered
        S: 250 OK
        S: 221 Bye
        """,
        Asking(),
        HelpExtension(),
    )
    assert server.state is State.CLOSED


# --- dialogues ------------------------------------------------------------------------------------


def asked(**options: Any) -> Server:
    server = ready(Asking(), **options)
    server.receive_data(b"XASK\r\n")
    assert server.next_event() == Ask()
    server.send(Reply(334, "", "a secret?"))
    server.data_to_send()
    return server


def test_a_dialogue() -> None:
    server = asked()
    server.receive_data(b"one\r\n")
    assert server.next_event() == AuthResponse(b"one")
    server.send(Reply(334, "", "more?"))
    server.receive_data(b"two\r\nNOOP\r\n")
    assert server.next_event() == AuthResponse(b"two")
    server.accept()
    assert server.next_event() == Noop()
    assert server.data_to_send() == b"334 more?\r\n235 well answered\r\n"


@pytest.mark.parametrize(
    "line, code",
    [
        (b"*", 501),
        (b"a\0secret", 500),
        (b"a\rsecret", 500),
        (b"a\nsecret", 500),
        (b"secret" * 3000, 500),
    ],
)
def test_a_dialogue_ends_with_what_cannot_be_read(line: bytes, code: int) -> None:
    """RFC 4954 section 4; and the secret in the line is shown to nobody."""
    seen: list[bytes] = []
    server = asked(observer=lambda sender, octets, content: seen.append(octets))
    server.receive_data(line + b"\r\nNOOP\r\n")
    event = server.next_event()
    assert isinstance(event, Rejected)
    assert event.reply.code == code
    assert server.state is State.READY
    assert server.next_event() == Noop()
    assert not any(b"secret" in octets for octets in seen)


def test_a_dialogue_may_have_longer_lines() -> None:
    """RFC 4954 section 4: up to 12288 octets."""
    server = asked()
    server.receive_data(b"x" * 12286 + b"\r\n")
    assert server.next_event() == AuthResponse(b"x" * 12286)


# --- content --------------------------------------------------------------------------------------


def start_content(*extensions: Extension, **options: object) -> Server:
    return ready(*extensions, script="MAIL FROM:<>\nRCPT TO:<b@mx.example>\nDATA", **options)


def test_a_refusal_while_content_arrives_waits_for_its_end() -> None:
    """RFC 5321 section 4.1.1.4: the reply comes after the end of the content."""
    server = start_content()
    server.receive_data(b"first\r\nmore")
    assert server.next_event() == ContentChunk(b"first\r\nmore")
    server.reject(552, "5.2.2", "mailbox full")
    server.reject(550, "5.1.1", "too late, the first one counts")
    assert server.data_to_send() == b""
    server.receive_data(b" text\r\n" * 100 + b".\r\nNOOP\r\n")
    assert server.next_event() == Noop()
    assert server.data_to_send() == b"552 mailbox full\r\n"


@pytest.mark.parametrize("policy", LineEndings)
@pytest.mark.parametrize("fault", [b"a\nb", b"a\rb", b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n"])
def test_a_bare_cr_or_lf_in_content(policy: LineEndings, fault: bytes) -> None:
    server = start_content(line_endings=policy)
    server.receive_data(fault + b"\r\n.\r\n")
    events = drive(server)
    refused = policy is LineEndings.REFUSE
    assert rejected(events) == ([550] if refused else [])
    assert any(isinstance(event, EndOfContent) for event in events) is not refused
    if policy is LineEndings.NORMALIZE:
        text = body(events).replace(b"\r\n", b"")
        assert b"\r" not in text
        assert b"\n" not in text
    if refused:
        assert isinstance(events[-1], Rejected)
        assert events[-1].content
        assert server.data_to_send().startswith(b"550 message refused: a line ends with CRLF")


LMTP_ENVELOPE = ("MAIL FROM:<>", "RCPT TO:<a@mx.example>", "RCPT TO:<b@mx.example>")


def test_lmtp_answers_for_each_recipient() -> None:
    """RFC 2033 section 4.2."""
    server = Server("mx.example", [Pipelining()], protocol=Protocol.LMTP)
    server.receive_data(
        octets(
            ["LHLO client.example", *LMTP_ENVELOPE, "RCPT TO:<c@mx.example>", "DATA", "text", "."]
        )
    )
    events = drive(server, {"RCPT TO:<b@mx.example>": NO, "content": NO})
    assert events[-1] == EndOfContent()
    assert server.data_to_send().splitlines()[0] == b"220 mx.example LMTP"
    assert server.state is State.READY


def test_lmtp_one_by_one() -> None:
    server = Server("mx.example", protocol=Protocol.LMTP)
    server.receive_data(octets(["LHLO client.example", *LMTP_ENVELOPE, "DATA", "text", "."]))
    while server.next_event() != EndOfContent():
        if server.owed:
            server.accept()
    server.data_to_send()
    assert server.owed == 2
    server.reject(450, "4.2.2", "full")
    assert server.next_event() is Need.REPLY
    assert server.owed == 1
    server.accept()
    assert server.owed == 0
    assert server.data_to_send() == b"450 full\r\n250 OK\r\n"


def test_lmtp_refusals_by_the_core_are_one_for_each_recipient() -> None:
    server = Server("mx.example", [Size(3)], protocol=Protocol.LMTP)
    server.receive_data(octets(["LHLO client.example", *LMTP_ENVELOPE, "DATA", "too much", "."]))
    assert rejected(drive(server)) == [552]
    assert [line[:3] for line in server.data_to_send().splitlines()[-2:]] == [b"552", b"552"]


# --- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [b"NO\nOP", b"NO\rOP", b"\nNOOP", b"NOOP\n", b"NO\0OP"])
@pytest.mark.parametrize("policy", LineEndings)
def test_a_bare_cr_or_lf_in_a_command_is_refused(fault: bytes, policy: LineEndings) -> None:
    """Under every policy: to a peer that takes it for the end of a line these are two commands."""
    server = ready(line_endings=policy)
    server.receive_data(fault + b"\r\nNOOP\r\n")
    events = drive(server)
    assert rejected(events) == [500]
    assert events[1:] == [Noop()]


@pytest.mark.parametrize(
    "line, code",
    [
        (b"NOOP " + b"x" * 505, 250),
        (b"NOOP " + b"x" * 506, 500),
        (b"NOOP " + b"x" * 5000, 500),
        # SIZE makes MAIL longer by 26 octets (RFC 1870 section 3), but not NOOP
        (b"NOOP " + b"x" * 506 + b" " * 20, 500),
        (b"MAIL FROM:<> SIZE=1" + b" " * 510, 250),
        (b"MAIL FROM:<> SIZE=1" + b" " * 517, 250),
        (b"MAIL FROM:<> SIZE=1" + b" " * 518, 500),
    ],
)
def test_long_lines(line: bytes, code: int) -> None:
    """RFC 5321 section 4.5.3.1.4."""
    server = ready(Size(1000))
    server.receive_data(line + b"\r\n")
    drive(server)
    assert server.data_to_send()[:3] == str(code).encode()


def test_a_line_without_end() -> None:
    """It is dropped as it comes, and not for ever."""
    server = ready(limits=Limits(overlong=100_000))
    fed, held = 0, weight(server)
    while server.state is not State.CLOSED:
        assert fed < 200_000
        server.receive_data(b"x" * 1000)
        fed += 1000
        events = drive(server)
        assert weight(server) < held + 3000
    assert fed > 100_000
    assert rejected(events) == [421]
    assert server.data_to_send() == b"421 too long lines (RFC 5321 section 4.5.3.1.4)\r\n"


def test_too_many_recipients() -> None:
    """RFC 5321 section 4.5.3.1.10."""
    server = ready(script="MAIL FROM:<>", limits=Limits(recipients=100))
    server.receive_data(b"RCPT TO:<b@mx.example>\r\n" * 101)
    assert rejected(drive(server)) == [452]
    assert server.transaction is not None
    assert len(server.transaction.recipients) == 100


def test_too_many_errors() -> None:
    server = ready(limits=Limits(errors=3))
    server.receive_data(b"FOO\r\nNOOP\r\n" * 4)
    events = drive(server)
    assert rejected(events) == [500, 500, 500]
    assert events[-1] == ConnectionClosed(clean=False)
    assert server.data_to_send().splitlines()[-2:] == [
        b"500 'FOO' is not a command (RFC 5321 section 4.1.1)",
        b"421 too many errors",
    ]


@pytest.mark.parametrize(
    "line", ["NOOP", "RSET", "VRFY b", "HELP", "EHLO c", "MAIL FROM:<>\r\nRSET"]
)
def test_too_many_harmless_commands(line: str) -> None:
    server = ready(HelpExtension(), limits=Limits(commands=50))
    server.receive_data(octets([line]) * 100)
    events = drive(server)
    assert rejected(events) == [421]
    assert isinstance(events[-1], ConnectionClosed)
    said = server.data_to_send().splitlines()
    # EHLO was one of the fifty.
    assert said[-1] == b"421 too many commands without a message"
    assert sum(not isinstance(event, (Rejected, ConnectionClosed)) for event in events) == 49


def test_a_list_beyond_the_limit_of_recipients_still_has_its_content_taken() -> None:
    server = ready(limits=Limits(commands=150, recipients=100))
    server.receive_data(octets(["MAIL FROM:<>", *["RCPT TO:<b@mx.example>"] * 500, "DATA"]))
    assert set(rejected(drive(server))) == {452}
    assert server.data_to_send().splitlines()[-1].startswith(b"354")
    server.receive_data(octets(["x", "."]))
    assert EndOfContent() in drive(server)
    # Beyond ten times the bound the session ends all the same.
    server.receive_data(octets(["MAIL FROM:<>", *["RCPT TO:<b@mx.example>"] * 1900]))
    assert rejected(drive(server))[-1] == 421


def test_a_message_makes_harmless_commands_forgotten() -> None:
    message = octets(["MAIL FROM:<>", "RCPT TO:<b@mx.example>", "DATA", "x", "."])
    server = ready(limits=Limits(commands=10))
    for _ in range(20):
        server.receive_data(b"NOOP\r\n" * 7 + message)
        assert rejected(drive(server)) == []
    server.receive_data(b"NOOP\r\n" * 11)
    assert rejected(drive(server)) == [421]


@pytest.mark.parametrize("end", ["RSET", "EHLO client.example"])
def test_a_transaction_without_a_message_does_not(end: str) -> None:
    server = ready(limits=Limits(commands=10))
    server.receive_data(octets(["MAIL FROM:<>", "RCPT TO:<b@mx.example>", end]) * 11)
    assert rejected(drive(server)) == [421]


def test_a_message_in_chunks_makes_harmless_commands_forgotten() -> None:
    server = ready(Chunking(), limits=Limits(commands=10))
    for _ in range(20):
        server.receive_data(octets(["MAIL FROM:<>", "RCPT TO:<b@mx.example>"]))
        server.receive_data(b"BDAT 1\r\nx" * 20 + b"BDAT 0 LAST\r\n" + b"NOOP\r\n" * 7)
        assert rejected(drive(server)) == []


def test_chunks_without_octets_are_harmless_commands_too() -> None:
    server = ready(Chunking(), limits=Limits(commands=50))
    server.receive_data(octets(["MAIL FROM:<>", "RCPT TO:<b@mx.example>"]))
    server.receive_data(b"BDAT 0\r\n" * 100)
    assert rejected(drive(server)) == [421]


def test_recipients_count_unless_they_are_accepted() -> None:
    server = ready(script="MAIL FROM:<>", limits=Limits(recipients=100, commands=50))
    server.receive_data(b"RCPT TO:<b@mx.example>\r\n" * 60)
    assert rejected(drive(server)) == []
    server.receive_data(b"RCPT TO:<c@mx.example>\r\n" * 100)
    found = rejected(drive(server, {"RCPT": NO}))
    assert found[-1] == 421
    assert server.data_to_send().count(b"\r\n") < 120


def test_a_message_that_is_refused_again_and_again() -> None:
    server = ready(limits=Limits(commands=50))
    server.receive_data(octets(["MAIL FROM:<>", "RCPT TO:<b@mx.example>", "DATA", "x", "."] * 50))
    assert rejected(drive(server, {"content": NO})) == [421]


def test_lines_of_a_dialogue_count() -> None:
    server = ready(Asking(), limits=Limits(commands=50))
    server.receive_data(b"XASK\r\n" + b"one\r\n" * 100)
    more = Reply(334, "", "more?")
    assert rejected(drive(server, {"XASK": more, "response": more})) == [421]


@pytest.mark.parametrize("line", ["DATA", "BDAT 1 LAST\r\nx"])
@pytest.mark.parametrize("before", ["NOOP\r\n", "MAIL FROM:<a@client.example>\r\n"])
def test_content_out_of_order_is_an_error(line: str, before: str) -> None:
    server = ready(Chunking(), limits=Limits(errors=20))
    server.receive_data(before.encode())
    drive(server)
    server.receive_data((line + ("\r\n" if line == "DATA" else "")).encode() * 1000)
    assert len(rejected(drive(server))) == 20
    assert server.data_to_send().endswith(b"\r\n421 too many errors\r\n")


def test_chunks_behind_a_refused_one_are_no_error() -> None:
    server = ready(Chunking(), limits=Limits(errors=1))
    chunks = b"BDAT 1\r\nx" * 5 + b"BDAT 1 LAST\r\nx"
    for _ in range(5):
        server.receive_data(b"RSET\r\nMAIL FROM:<a@client.example>\r\nRCPT TO:<b@mx.example>\r\n")
        server.receive_data(chunks)
        assert rejected(drive(server, {"RCPT": NO})) == [503] * 6
    assert server.state is State.SPOILED


HTTP = ["GET / HTTP/1.1", "POST / HTTP/1.1", "CONNECT mx.example:25 HTTP/1.1", "HEAD /", "PUT /x"]


@pytest.mark.parametrize("line", HTTP)
@pytest.mark.parametrize("where", ["", "EHLO c", "EHLO c\r\nMAIL FROM:<>"])
def test_a_client_that_speaks_http(line: str, where: str) -> None:
    server = Server("mx.example")
    smuggled = ["Host: mx.example", "", "EHLO c", "MAIL FROM:<>", "RCPT TO:<b@mx.example>", "DATA"]
    server.receive_data(octets([*([where] if where else []), line, *smuggled, "x", "."]))
    events = drive(server)
    assert rejected(events) == [421]
    assert [type(event) for event in events[-2:]] == [Rejected, ConnectionClosed]
    assert server.data_to_send().endswith(b"421 this is a mail server, and does not speak HTTP\r\n")


def test_a_request_that_is_too_long_for_a_line() -> None:
    server = ready()
    server.receive_data(b"GET /" + b"x" * 2000 + b" HTTP/1.1\r\nEHLO c\r\n")
    assert rejected(drive(server)) == [421]


def test_within_content_http_is_content() -> None:
    server = ready(script="MAIL FROM:<>\nRCPT TO:<b@mx.example>\nDATA\nGET / HTTP/1.1\n.")
    assert server.state is State.READY


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_a_client_that_begins_with_tls(size: int) -> None:
    hello = b"\x16\x03\x01\x02\x00\x01" + b"\r\nEHLO c\r\n" + bytes(500)
    server = Server("mx.example")
    events = drive(server)
    for start in range(0, len(hello), size):
        server.receive_data(hello[start : start + size])
        events += drive(server)
    assert [type(event) for event in events] == [Rejected, ConnectionClosed]
    assert server.data_to_send().splitlines()[-1].startswith(b"421 found a TLS handshake")


def test_a_session_may_begin_with_one_octet() -> None:
    server = Server("mx.example")
    for octet in (b"\x16", b"x\r\n"):
        server.receive_data(octet)
        events = drive(server)
    assert rejected(events) == [500]
    assert server.state is State.GREETED


@pytest.mark.parametrize(
    "line, code",
    [
        *((b"DATA", b"354"), (b"RSET", b"250"), (b"QUIT", b"221"), (b"NOOP", b"250")),
        *(
            (b"BDAT 0 LAST", b"250"),
            (b"EHLO c.example", b"250"),
            (b"RCPT TO:<x@mx.example>", b"452"),
        ),
    ],
)
def test_what_a_client_may_say_once_the_envelope_is_full(line: bytes, code: bytes) -> None:
    """RFC 5321 section 4.5.3.1.10: the limit refuses the next recipient, and nothing else."""
    names = "\n".join(f"RCPT TO:<user{number}@mx.example>" for number in range(100))
    script = f"MAIL FROM:<>\n{names}"
    server = ready(Pipelining(), Chunking(), script=script, limits=Limits(recipients=100))
    assert server.transaction is not None
    assert len(server.transaction.recipients) == 100
    server.receive_data(line + b"\r\n")
    drive(server)
    assert server.data_to_send().startswith(code)


def test_an_error_text_stays_printable_and_short() -> None:
    class Odd(Command):
        verb = "XODD"

        @classmethod
        def parse(cls, arguments: str, grammar: Grammar) -> Odd:
            raise LocalProtocolError("\u2028\U0001f4e7\r\n" * 300, code=504)

    class Oddity(Extension):
        keyword = "XODD"
        commands = (Odd,)
        transitions = {State.READY: {"XODD": Transition()}}

    server = ready(Oddity())
    server.receive_data(b"XODD\r\n")
    assert rejected(drive(server)) == [504]
    assert server.data_to_send() == b"504 " + b"?" * 400 + b"\r\n"


def test_an_extension_may_demand_something_first() -> None:
    class Password(Extension):
        keyword = "XPASS"

        def demand(self, command: Command | type[Command], session: Session) -> Reply | None:
            return None if command.verb in ("EHLO", "HELO") else Reply(530, "5.7.0", "first")

    serve(
        """
        S: 220 mx.example ESMTP
        C: NOOP
        C: HELO client.example
        C: MAIL FROM:<>
        S: 530 first
        S: 250 mx.example
        S: 530 first
        """,
        Password(),
    )


# --- TLS ------------------------------------------------------------------------------------------


class Tls(Command):
    verb = "XTLS"
    accepted = (220, "2.0.0", "go ahead")


class Upgrade(Extension):
    keyword = "XTLS"
    commands = (Tls,)
    transitions = {State.READY: {"XTLS": Transition(ok=State.TLS)}}


def test_octets_before_the_handshake() -> None:
    server = ready(Upgrade())
    server.receive_data(b"XTLS\r\n")
    server.next_event()
    server.receive_data(b"MAIL FROM:<>\r\n")
    server.accept()
    assert server.data_to_send() == b"220 go ahead\r\n"
    with pytest.raises(RemoteProtocolError, match="plain text"):
        server.tls_established()
    assert rejected(drive(server)) == [421]
    # The client waits for a handshake, not for a reply.
    assert server.data_to_send() == b""
    with pytest.raises(LocalProtocolError, match="no TLS handshake is due"):
        server.tls_established()


def test_gone_before_the_handshake() -> None:
    server = ready(Upgrade())
    server.receive_data(b"XTLS\r\n")
    drive(server)
    server.receive_eof()
    assert drive(server) == [ConnectionClosed(clean=False)]


# --- what is seen of it ---------------------------------------------------------------------------


def test_the_observer_sees_lines_and_content() -> None:
    seen: list[tuple[str, bytes, bool]] = []
    server = Server("mx.example", observer=lambda *what: seen.append(what))
    server.receive_data(
        b"EHLO c.example\r\nFOO\r\nx\ny\r\nMAIL FROM:<>\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n"
        b"..text\r\n.\r\n"
    )
    drive(server)
    assert seen == [
        ("S", b"220 mx.example ESMTP", False),
        ("C", b"EHLO c.example", False),
        ("S", b"250 mx.example", False),
        ("C", b"FOO", False),
        ("S", b"500 'FOO' is not a command (RFC 5321 section 4.1.1)", False),
        ("C", b"x\ny", False),
        ("S", b"500 a line ends with CRLF, found LF alone (RFC 5321 section 2.3.8)", False),
        ("C", b"MAIL FROM:<>", False),
        ("S", b"250 OK", False),
        ("C", b"RCPT TO:<b@mx.example>", False),
        ("S", b"250 OK", False),
        ("C", b"DATA", False),
        ("S", b"354 End data with <CR><LF>.<CR><LF>", False),
        ("C", b".text\r\n", True),
        ("C", b".", False),
        ("S", b"250 OK", False),
    ]


def test_how_long_to_wait() -> None:
    """RFC 5321 section 4.5.3.2."""
    server = ready()
    assert server.timeout == 300
    assert start_content().timeout == 180


def test_the_peer_and_more_may_be_known_beforehand() -> None:
    server = Server("mx.example", session=Session(peer="192.0.2.1", secure=True))
    assert server.session == Session("mx.example", peer="192.0.2.1", secure=True)


@pytest.mark.parametrize("name", ["send", "accept", "reject", "next_event"])
def test_contracts_are_written_down(name: str) -> None:
    method: Callable[..., object] = getattr(Server, name)
    assert method.__doc__


# --- what extensions make of it -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fetch(Command):
    """Content that the server gets from elsewhere."""

    verb = "XFETCH"
    brings_content = True
    last: bool = False

    @property
    def row(self) -> str:
        return "XFETCH LAST" if self.last else "XFETCH"

    def arguments(self) -> str:
        return "LAST" if self.last else ""

    @classmethod
    def parse(cls, arguments: str, grammar: Grammar) -> Fetch:
        return cls(arguments == "LAST")


class Fetching(Extension):
    keyword = "XFETCH"
    commands = (Fetch,)
    transitions = {
        state: {
            "XFETCH": Transition(ok=State.CHUNKS, no=State.SPOILED),
            "XFETCH LAST": Transition(ok=State.READY, no=State.SPOILED, forget=Effect.TRANSACTION),
        }
        for state in (State.RCPT, State.CHUNKS)
    }


def fetching(*lines: str) -> tuple[Server, list[ServerEvent]]:
    server = ready(
        Chunking(), Fetching(), script="MAIL FROM:<eve@c.example>\nRCPT TO:<b@mx.example>"
    )
    server.receive_data("\r\n".join(lines).encode())
    return server, drive(server)


def test_content_from_elsewhere() -> None:
    """As BURL is mixed with BDAT (RFC 4468 section 3.2)."""
    server, events = fetching("XFETCH", "BDAT 3", "abcRSET", "")
    assert [type(event) for event in events] == [Fetch, ContentChunk, Rset]
    assert server.state is State.READY
    server, events = fetching("BDAT 3", "abcXFETCH LAST", "")
    assert events == [ContentChunk(b"abc"), Fetch(last=True)]
    assert server.state is State.READY


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "ab\r"])
def test_bare_line_endings_before_content_from_elsewhere(text: str) -> None:
    """The text before it is complete, and a bare CR or LF in it refuses the message."""
    server, events = fetching("BDAT 3", f"{text}NOOP", "XFETCH LAST", "RSET", "")
    assert rejected(events) == [550]
    assert [type(event) for event in events if isinstance(event, Command)] == [Noop, Rset]
    assert server.state is State.READY


def test_a_lenient_server_says_what_it_read() -> None:
    server = ready(syntax=Syntax.LENIENT)
    server.receive_data(b"MAIL FROM: <eve@c.example>\r\nRCPT TO: <b@mx.example>\r\nRSET\r\n")
    mail, rcpt = Mail(ReversePath.of("eve@c.example")), Rcpt(ForwardPath.of("b@mx.example"))
    first, *others = drive(server)
    assert isinstance(first, Deviation)
    assert first.command == mail
    assert others == [mail, Deviation(first.reason.replace("MAIL", "RCPT"), rcpt), rcpt, Rset()]


class Secretive(Ask):
    """A command whose arguments nobody is to see."""

    verb = "XLOGIN"

    def __str__(self) -> str:
        return "XLOGIN"


class Logins(Extension):
    keyword = "XLOGIN"
    commands = (Secretive, Ask)
    transitions = {State.READY: {"XLOGIN": Transition(), "XASK": Transition(more=State.EXCHANGE)}}


@pytest.mark.parametrize(
    "lines, shown",
    [
        # no AUTH here, and a password behind it all the same
        (["AUTH PLAIN c2VjcmV0"], [b"AUTH (not shown)"]),
        (["auth plain c2VjcmV0"], [b"auth (not shown)"]),
        (["AUTH LOGIN", "c2VjcmV0"], [b"AUTH (not shown)", b"(a line that is no command)"]),
        (["AUTH LOGIN", "secret", "NOOP x y"], None),
        (["NOOP AUTH PLAIN c2VjcmV0 \0"], [b"NOOP AUTH (not shown)"]),
        (["XLOGIN \0secret"], [b"XLOGIN (not shown)"]),
        (["XLOGIN", "secret"], [b"XLOGIN", b"(a line that is no command)"]),
    ],
)
def test_a_secret_that_went_wrong_is_not_shown(lines: list[str], shown: list[bytes] | None) -> None:
    seen: list[bytes] = []
    server = ready(Logins(), observer=lambda sender, octets, content: seen.append(octets))
    seen.clear()
    server.receive_data(octets(lines))
    events = drive(server)
    if shown is not None:
        assert [octets for octets in seen if not octets[:1].isdigit()] == shown
    everything = b"".join(seen) + server.data_to_send() + repr(events).encode()
    assert b"secret" not in everything
    assert b"c2VjcmV0" not in everything


def test_a_challenge_is_not_shown() -> None:
    seen: list[bytes] = []
    server = ready(Logins(), observer=lambda sender, octets, content: seen.append(octets))
    seen.clear()
    server.receive_data(b"XASK\r\n")
    server.next_event()
    server.send(Reply(334, "", "you said secret"))
    assert seen == [b"XASK", b"334 (challenge)"]


def test_an_error_too_many_within_a_dialogue() -> None:
    """The session ends once."""
    server = ready(Chunking(), limits=Limits(errors=1))
    server.receive_data(b"BDAT six\r\n")
    assert rejected(drive(server)) == [501]
    assert server.data_to_send().count(b"421 ") == 1


@dataclass(frozen=True, slots=True)
class Forgetting(Command):
    verb = "XFORGET"


class Forgets(Extension):
    """Ends what is in force, as XCLIENT does, without going back to the greeting."""

    keyword = "XFORGET"
    commands = (Forgetting,)
    transitions = {State.READY: {"XFORGET": Transition()}}

    @classmethod
    def after(cls, event: SessionEvent, session: Session) -> Session:
        return replace(session, offered=Offered()) if isinstance(event, Answered) else session


def test_a_command_of_an_extension_ends_what_is_in_force() -> None:
    server = ready(EightBitMime(), SmtpUtf8(), Forgets())
    server.receive_data("VRFY jürgen SMTPUTF8\r\nXFORGET\r\nVRFY jürgen SMTPUTF8\r\n".encode())
    vrfy, forgetting, refused = drive(server)
    assert isinstance(vrfy, Vrfy)
    assert forgetting == Forgetting()
    assert isinstance(refused, Rejected)


@pytest.mark.parametrize(
    "octets, text",
    [
        (b"NOOP " + b"x" * 3000 + b"\r\n", "too long"),
        (b"NOOP a\nb\r\n", "found LF alone"),
        (b"NOOP a\rb\r\n", "found CR alone"),
        (b"NOOP a\0b\r\n", "NUL octet"),
    ],
)
def test_each_fault_of_a_line(octets: bytes, text: str) -> None:
    server = Server("mx.example")
    server.accept()
    server.data_to_send()
    server.receive_data(octets)
    server.next_event()
    said = server.data_to_send().decode()
    assert said.startswith("500 ")
    assert text in said
