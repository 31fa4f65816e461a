"""The client: C: and S: lines as an RFC shows them, and what the application learns from them."""

from __future__ import annotations

import gc
from dataclasses import dataclass

import pytest

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
    Helo,
    Lhlo,
    Limits,
    LineEndings,
    LocalProtocolError,
    Mail,
    Mailbox,
    Need,
    Noop,
    Protocol,
    Quit,
    Rcpt,
    RemoteProtocolError,
    Reply,
    ReversePath,
    Rset,
    Session,
    State,
    UnknownParameter,
    Vrfy,
)
from smtpproto.extensions import (
    Bdat,
    Body,
    Chunking,
    Extension,
    Pipelining,
    Size,
    SizeParameter,
    UnknownExtension,
)
from smtpproto.vocabulary.command_base import DialogueCommand
from smtpproto.vocabulary.lenient_commands import NoDomain
from smtpproto.vocabulary.states import Effect, Transition
from tests.engine_script import submit

EHLO = Ehlo(Domain("client.example"))
MAIL = Mail(ReversePath.of("eve@client.example"))
BOB = Rcpt(ForwardPath.of("bob@mx.example"))
EVE = Rcpt(ForwardPath.of("eve@mx.example"))
GREETING = """
    S: 220 mx.example ESMTP
    C: EHLO client.example
    S: 250-mx.example greets client.example
"""
PIPELINING = GREETING + "S: 250 PIPELINING\n"
ALONE = GREETING + "S: 250 HELP\n"
ENVELOPE = (
    ALONE
    + """
    C: MAIL FROM:<eve@client.example>
    S: 250 OK
    C: RCPT TO:<bob@mx.example>
    S: 250 OK
"""
)
CONTENT = (
    ENVELOPE
    + """
    C: DATA
    S: 354 go ahead
"""
)


def feed(client: Client, data: bytes) -> list[object]:
    client.receive_data(data)
    events: list[object] = []
    while not isinstance(event := client.next_event(), Need):
        events.append(event)
    return events


def chunking() -> Client:
    """A client that sent an envelope to a server with CHUNKING."""
    client, _ = submit(GREETING + "S: 250-PIPELINING\nS: 250-CHUNKING\nS: 250 BINARYMIME\n")
    client.send(MAIL)
    client.send(BOB)
    return client


# --- sessions -----------------------------------------------------------------------------------


def test_a_message() -> None:
    client, events = submit(
        CONTENT
        + """
        C: Subject: hello
        C:
        C: ..a dot
        C: .
        S: 250 2.0.0 queued as 42
        C: QUIT
        S: 221 Bye
        """
    )
    *replies, closed = events
    assert closed == ConnectionClosed(clean=True)
    assert [reply.command for reply in replies if isinstance(reply, Reply)] == [
        *(None, EHLO, MAIL, BOB, Data(), Data(), Quit())
    ]
    assert replies[5] == Reply(250, "2.0.0", "queued as 42")
    assert client.state is State.CLOSED
    assert client.next_event() is Need.DATA


def test_pipelining() -> None:
    """RFC 2920 section 3.2: one group, and each reply finds its command."""
    client, events = submit(
        PIPELINING
        + """
        C: RSET
        C: MAIL FROM:<eve@client.example>
        C: RCPT TO:<bob@mx.example>
        C: RCPT TO:<eve@mx.example>
        C: DATA
        S: 250 OK
        S: 250 OK
        S: 550 5.1.1 no such mailbox
        S: 250 OK
        S: 354 go ahead
        """
    )
    assert events[-3:] == [
        Reply(550, "5.1.1", "no such mailbox"),
        Reply(250, text="OK"),
        events[-1],
    ]
    assert [event.command for event in events[-3:] if isinstance(event, Reply)] == [
        BOB,
        EVE,
        Data(),
    ]
    assert client.state is State.CONTENT
    assert client.transaction is not None
    assert client.transaction.recipients == [EVE]


def test_several_messages_in_one_call() -> None:
    client, _ = submit(PIPELINING)
    client.send(MAIL, BOB, EVE, Data())
    assert client.data_to_send() == (
        b"MAIL FROM:<eve@client.example>\r\nRCPT TO:<bob@mx.example>\r\n"
        b"RCPT TO:<eve@mx.example>\r\nDATA\r\n"
    )
    feed(client, b"250 OK\r\n" * 3 + b"354 go ahead\r\n")
    client.send(ContentChunk(b"a\r\n"), ContentChunk(b"b\r\n"), EndOfContent())
    assert client.data_to_send() == b"a\r\nb\r\n.\r\n"


def test_of_several_messages_those_before_an_error_are_queued() -> None:
    client, _ = submit(PIPELINING)
    with pytest.raises(LocalProtocolError, match="MAIL is not possible here"):
        client.send(MAIL, BOB, MAIL, EVE)
    assert client.pending == 2
    assert client.data_to_send().endswith(b"RCPT TO:<bob@mx.example>\r\n")


def test_without_pipelining_each_command_waits_for_the_reply_before_it() -> None:
    client, _ = submit(ALONE)
    for command in (MAIL, BOB, Data()):
        client.send(command)
    assert client.pending == 3
    assert client.data_to_send() == b"MAIL FROM:<eve@client.example>\r\n"
    feed(client, b"250 OK\r\n")
    assert client.data_to_send() == b"RCPT TO:<bob@mx.example>\r\n"
    feed(client, b"250 OK\r\n")
    assert client.data_to_send() == b"DATA\r\n"
    assert client.pending == 1


@pytest.mark.parametrize("last", [Data(), EHLO, Vrfy("bob"), Noop(), Quit()])
def test_what_ends_a_group(last: Command) -> None:
    """RFC 2920 section 3.1."""
    client, _ = submit(PIPELINING)
    client.send(MAIL)
    client.send(BOB)
    client.send(last)
    group = client.data_to_send()
    assert group.endswith(f"{last}\r\n".encode())
    if last in (Vrfy("bob"), Noop()):
        client.send(EVE)
        assert client.data_to_send() == b""
        feed(client, b"250 OK\r\n250 OK\r\n250 OK\r\n")
        assert client.data_to_send() == f"{EVE}\r\n".encode()
    else:
        with pytest.raises(LocalProtocolError):
            client.send(BOB)


def test_a_group_is_not_longer_than_the_limit() -> None:
    """Nobody reads while both write, so what is under way must fit into the buffers between."""
    client, _ = submit(PIPELINING, limits=Limits(unanswered=3))
    client.send(MAIL)
    for _ in range(4):
        client.send(BOB)
    assert client.data_to_send().count(b"\r\n") == 3
    assert client.pending == 5
    feed(client, b"250 OK\r\n")
    assert client.data_to_send().count(b"\r\n") == 1


def test_a_message_behind_another() -> None:
    """RFC 2920 section 3.1: content may be the first part of a group."""
    client, _ = submit(PIPELINING)
    for command in (MAIL, BOB, Data()):
        client.send(command)
    feed(client, b"250 OK\r\n250 OK\r\n354 go ahead\r\n")
    client.data_to_send()
    client.send(ContentChunk(b"one\r\n"))
    client.send(EndOfContent())
    for command in (MAIL, BOB, Data()):
        client.send(command)
    assert client.data_to_send().startswith(b"one\r\n.\r\nMAIL FROM:")
    replies = feed(client, b"250 OK\r\n250 OK\r\n250 OK\r\n354 go ahead\r\n")
    assert len(replies) == 4
    assert client.state is State.CONTENT


def test_a_session_without_extensions() -> None:
    """RFC 5321 section 3.2: HELO where EHLO is refused."""
    client, _ = submit(
        """
        S: 220 mx.example
        C: EHLO client.example
        S: 502 what?
        C: HELO client.example
        S: 250 mx.example PIPELINING
        """
    )
    assert client.state is State.READY
    assert not client.session.extended
    assert len(client.offered) == 0
    assert client.session.name == Domain("client.example")


def test_what_a_server_offers() -> None:
    client, _ = submit(GREETING + "S: 250-SIZE 1000\nS: 250-size 5\nS: 250-X-PRIVATE\nS: 250 ?\n")
    assert client.offered.get(Size) == Size(1000)
    assert list(client.offered) == [Size(1000), UnknownExtension("X-PRIVATE")]
    client.send(Mail(MAIL.reverse_path, (SizeParameter(1000),)))


def test_a_greeting_of_several_lines() -> None:
    client, events = submit("S: 220-mx.example\nS: 220 and more\n")
    assert events == [Reply(220, text="mx.example\nand more")]
    assert client.session.hostname == "mx.example"


def test_the_server_wants_no_mail() -> None:
    """RFC 5321 section 3.1: only QUIT is left."""
    client, _ = submit("S: 554 no SMTP here\n")
    assert client.session.hostname == ""
    assert client.state is State.REFUSED
    with pytest.raises(LocalProtocolError, match="EHLO is not possible here"):
        client.send(EHLO)
    client.send(Quit())
    assert feed(client, b"221 Bye\r\n") == [Reply(221, text="Bye"), ConnectionClosed()]


def test_nothing_leaves_before_the_greeting() -> None:
    client = Client()
    client.send(EHLO)
    assert client.data_to_send() == b""
    feed(client, b"220 mx.example\r\n")
    assert client.data_to_send() == b"EHLO client.example\r\n"


# --- what was pipelined and turns out otherwise --------------------------------------------------


def test_all_recipients_refused_and_354_all_the_same() -> None:
    """RFC 2920 section 3.1: the client sends a lone dot."""
    client, _ = submit(
        PIPELINING
        + """
        C: MAIL FROM:<eve@client.example>
        C: RCPT TO:<bob@mx.example>
        C: DATA
        S: 250 OK
        S: 550 no
        S: 354 go ahead
        """
    )
    with pytest.raises(LocalProtocolError, match="no recipient was accepted"):
        client.send(ContentChunk(b"text"))
    client.send(EndOfContent())
    assert client.data_to_send() == b".\r\n"
    feed(client, b"554 no valid recipients\r\n")
    assert client.state is State.READY


def test_mail_refused_and_all_behind_it() -> None:
    client, events = submit(
        PIPELINING
        + """
        C: MAIL FROM:<eve@client.example>
        C: RCPT TO:<bob@mx.example>
        C: DATA
        S: 550 go away
        S: 503 no MAIL
        S: 503 no RCPT
        """
    )
    assert [event.code for event in events if isinstance(event, Reply)][-3:] == [550, 503, 503]
    assert client.state is State.READY
    with pytest.raises(LocalProtocolError, match="RCPT is not possible here"):
        client.send(BOB)
    client.send(MAIL)


def test_a_second_ehlo_drops_what_was_offered() -> None:
    """What is sent behind it cannot count on what it will offer."""
    client, _ = submit(GREETING + "S: 250 SIZE 1000\n")
    client.send(EHLO)
    with pytest.raises(LocalProtocolError, match="SIZE is not offered here"):
        client.send(Mail(MAIL.reverse_path, (SizeParameter(1),)))
    feed(client, b"250-mx.example\r\n250 SIZE\r\n")
    client.send(Mail(MAIL.reverse_path, (SizeParameter(1),)))


def test_a_refused_ehlo_keeps_what_was_offered() -> None:
    client, _ = submit(GREETING + "S: 250 SIZE 1000\n")
    client.send(EHLO)
    feed(client, b"550 no\r\n")
    client.send(Mail(MAIL.reverse_path, (SizeParameter(1),)))


@pytest.mark.parametrize("code", [250, 251, 252])
def test_the_first_digit_counts(code: int) -> None:
    """RFC 5321 section 4.3.2: clients go by the first digit."""
    client, _ = submit(ALONE)
    client.send(MAIL)
    feed(client, b"250 OK\r\n")
    client.send(BOB)
    feed(client, f"{code} OK\r\n".encode())
    assert client.state is State.RCPT


# --- what the client may not do -------------------------------------------------------------------


@pytest.mark.parametrize(
    "script, message, reason",
    [
        (GREETING[:30], MAIL, "MAIL is not possible here"),
        (ALONE, BOB, "RCPT is not possible here"),
        (ALONE, Data(), "DATA is not possible here"),
        (ALONE, ContentChunk(b"x"), "content is not possible here"),
        (ALONE, EndOfContent(), "content is not possible here"),
        (ALONE, AuthResponse(b"x"), "no challenge waits"),
        (ALONE, Lhlo(Domain("client.example")), "LHLO does not exist in SMTP"),
        (ENVELOPE, MAIL, "MAIL is not possible here"),
        (CONTENT, Noop(), "NOOP is not possible here"),
        (CONTENT, Quit(), "QUIT is not possible here"),
        (ALONE, Bdat(5), "BDAT is not offered"),
        (ALONE, Vrfy("b\xf6b"), "expected ASCII, because the server does not offer SMTPUTF8"),
        (ALONE, Mail(ReversePath.of("b\xf6b@c.example")), "expected ASCII"),
        (ALONE, Mail(MAIL.reverse_path, (SizeParameter(1),)), "SIZE is not offered here"),
        (ALONE, Mail(MAIL.reverse_path, (Body("8BITMIME"),)), "BODY is not offered here"),
        (ALONE, Mail(MAIL.reverse_path, (UnknownParameter("X", "1"),)), "X is not offered here"),
        (ALONE, Noop("x" * 506), "expected at most 512 octets with CRLF, found 513"),
    ],
)
def test_what_is_not_possible(script: str, message: object, reason: str) -> None:
    client, _ = submit(script)
    before = client.pending
    with pytest.raises(LocalProtocolError, match=reason):
        client.send(message)  # type: ignore[arg-type]
    assert client.data_to_send() == b""
    assert client.pending == before


@dataclass(frozen=True, slots=True)
class Raw(Command):
    """A command that checks nothing by itself."""

    verb = "XRAW"
    text: str

    def arguments(self) -> str:
        return self.text


class Rawness(Extension):
    keyword = "XRAW"
    commands = (Raw,)
    transitions = {State.READY: {"XRAW": Transition()}}


@pytest.mark.parametrize("text", ["a\r\nQUIT", "a\nQUIT", "a\rQUIT", "a\0"])
def test_no_line_becomes_two(text: str) -> None:
    """Whatever a command does, one place looks at every line that leaves."""
    client, _ = submit(GREETING + "S: 250 XRAW\n", extensions=[Rawness])
    with pytest.raises(LocalProtocolError, match="holds CR, LF or NUL"):
        client.send(Raw(text))
    assert client.data_to_send() == b""
    assert client.pending == 0
    client.send(Raw("a\tb"))
    assert client.data_to_send() == b"XRAW a\tb\r\n"


def test_bare_line_endings_do_not_leave() -> None:
    client, _ = submit(CONTENT)
    client.send(ContentChunk(b"fine\r\n"))
    with pytest.raises(LocalProtocolError, match="expected CRLF, found bare LF"):
        client.send(ContentChunk(b"a\n.\nb"))
    with pytest.raises(LocalProtocolError):
        client.send(EndOfContent())
    assert client.data_to_send() == b"fine\r\n"


def test_bare_line_endings_may_be_made_whole() -> None:
    client, _ = submit(CONTENT, line_endings=LineEndings.NORMALIZE)
    client.send(ContentChunk(b"a\n.\nb"))
    client.send(EndOfContent())
    assert client.data_to_send() == b"a\r\n..\r\nb\r\n.\r\n"


def test_preserve_is_no_policy_for_a_client() -> None:
    with pytest.raises(ValueError, match="PRESERVE"):
        Client(line_endings=LineEndings.PRESERVE)


# --- what the server may not do -------------------------------------------------------------------


@pytest.mark.parametrize(
    "script, data, reason",
    [
        ("", b"hello\r\n", "expected a reply code"),
        ("", b"199 hello\r\n", "expected a reply code"),
        ("", b"250-a\r\n220 b\r\n", "begin with 250 and 220"),
        ("", b"334 hello\r\n", "334 cannot answer greeting"),
        ("", b"220 a\rb\r\n", r"a line of a reply is refused \(bare CR\)"),
        ("", b"220 a\nb\r\n", "expected a reply code and text, found b'b'"),
        ("", b"220 a\0b\r\n", r"a line of a reply is refused \(NUL\)"),
        ("", b"220 " + b"x" * 3000, "has more than 2048 octets"),
        ("", b"220 " + b"x" * 3000 + b"\r\n", "has more than 2048 octets"),
        ("", b"220-x\r\n" * 600, "more than 512 lines"),
        (ALONE, b"250 surprise\r\n", "250 came, but no command waits"),
        (ALONE, b"550 surprise\r\n", "550 came, but no command waits"),
        (CONTENT, b"250 already?\r\n", "250 came, but no command waits"),
        (ALONE + "C: NOOP\n", b"354 go ahead\r\n", "354 cannot answer NOOP"),
        (ALONE + "C: MAIL FROM:<>\n", b"334 go on\r\n", "334 cannot answer MAIL"),
        (ENVELOPE + "C: DATA\n", b"250 OK\r\n", "250 cannot answer DATA"),
        (CONTENT + "C: .\n", b"354 more\r\n", "354 cannot answer content"),
    ],
)
def test_what_a_server_may_not_say(script: str, data: bytes, reason: str) -> None:
    client, _ = submit(script)
    with pytest.raises(RemoteProtocolError, match=reason) as first:
        feed(client, data)
    assert client.state is State.ERROR
    assert client.pending == 0
    with pytest.raises(RemoteProtocolError) as again:
        client.next_event()
    assert again.value is first.value
    with pytest.raises(LocalProtocolError, match="the connection is broken"):
        client.send(Quit())


def test_recipients_accepted_without_a_transaction() -> None:
    client, _ = submit(PIPELINING)
    client.send(MAIL)
    client.send(BOB)
    client.receive_data(b"550 no\r\n250 OK\r\n")
    assert isinstance(client.next_event(), Reply)
    with pytest.raises(RemoteProtocolError, match="250 cannot answer RCPT here"):
        client.next_event()


def test_nothing_leaves_after_an_error() -> None:
    """Above all not the end of content whose failure was reported."""
    client, _ = submit(CONTENT)
    client.send(ContentChunk(b"text\r\n"))
    client.send(EndOfContent())
    client.receive_data(b"what?\r\n")
    with pytest.raises(RemoteProtocolError):
        client.next_event()
    assert client.data_to_send() == b""


def test_a_server_that_says_too_much_at_once() -> None:
    client = Client()
    client.receive_data(b"220 mx.example\r\n250 what for?\r\n")
    assert isinstance(client.next_event(), Reply)
    with pytest.raises(RemoteProtocolError, match="250 came, but no command waits"):
        client.next_event()


# --- ends -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script, command",
    [("", None), (ALONE, None), (ALONE + "C: NOOP\n", Noop()), (CONTENT, Data())],
)
def test_421(script: str, command: Command | None) -> None:
    """RFC 5321 section 3.8: to any command, and unasked."""
    client, _ = submit(script)
    reply, closed = feed(client, b"421 4.3.2 going down\r\n250 more\r\n")
    assert reply == Reply(421, "4.3.2", "going down")
    assert isinstance(reply, Reply)
    assert reply.command == command
    assert closed == ConnectionClosed(clean=False)
    with pytest.raises(LocalProtocolError, match="the session is over"):
        client.send(Quit())


def test_a_refusal_within_content_is_the_end() -> None:
    """RFC 5321 section 4.1.1.4: a server may not say it there; nobody knows what it read."""
    client, _ = submit(CONTENT)
    client.send(ContentChunk(b"spam"))
    reply, closed = feed(client, b"554 spam\r\n")
    assert isinstance(reply, Reply)
    assert (reply.code, reply.command) == (554, Data())
    assert closed == ConnectionClosed(clean=False)


def silent(end: bytes, *, chunks: bool = False) -> Client:
    """A client whose session ended within content, in one of three ways."""
    if chunks:
        client = chunking()
        client.send(Bdat(4))
        client.send(ContentChunk(b"some"))
        client.data_to_send()
        feed(client, b"250 OK\r\n250 OK\r\n250 OK\r\n")
    else:
        client, _ = submit(CONTENT)
        client.send(ContentChunk(b"text\r\n"))
    client.data_to_send()
    feed(client, end)
    return client


@pytest.mark.parametrize("end", [b"421 going down\r\n", b"550 spam\r\n", b""])
@pytest.mark.parametrize("octets", [b"", b"more\r\n"])
def test_nothing_leaves_after_the_end_within_content(end: bytes, octets: bytes) -> None:
    client = silent(end)
    with pytest.raises(LocalProtocolError, match="the session is over"):
        client.send(ContentChunk(octets))
    with pytest.raises(LocalProtocolError, match="the session is over"):
        client.send(EndOfContent())
    assert client.data_to_send() == b""
    assert client.pending == 0


@pytest.mark.parametrize("end", [b"421 going down\r\n", b""])
@pytest.mark.parametrize(
    "message", [ContentChunk(b""), ContentChunk(b"x"), Bdat(0, last=True), EndOfContent()]
)
def test_nothing_leaves_after_the_end_between_chunks(
    end: bytes, message: ContentChunk | Bdat | EndOfContent
) -> None:
    client = silent(end, chunks=True)
    with pytest.raises(LocalProtocolError, match="the session is over"):
        client.send(message)
    assert client.data_to_send() == b""


# --- replies that came too early ------------------------------------------------------------------

ALL_AT_ONCE = b"220 mx.example\r\n250 mx.example\r\n250 a\r\n250 b\r\n354 c\r\n"
STEPS: list[tuple[bytes, Command | EndOfContent]] = [
    (b"220 mx.example\r\n", EHLO),
    (b"250 mx.example\r\n", MAIL),
    (b"250 a\r\n", BOB),
    (b"250 b\r\n", Data()),
    (b"354 c\r\n", EndOfContent()),
]


def test_replies_that_came_before_their_commands() -> None:
    """RFC 5321 section 4.3.1: a reply answers what was sent."""
    client = Client()
    client.receive_data(ALL_AT_ONCE)
    assert isinstance(client.next_event(), Reply)
    with pytest.raises(RemoteProtocolError, match=r"a reply came before EHLO .*4\.3\.1") as first:
        client.send(EHLO)
    assert client.data_to_send() == b""
    assert client.state is State.ERROR
    with pytest.raises(RemoteProtocolError) as again:
        client.next_event()
    assert again.value is first.value
    with pytest.raises(LocalProtocolError, match="the connection is broken"):
        client.send(Quit())


@pytest.mark.parametrize("early", [b"250 x\r\n", b"354 x\r\n", b"250-x\r\n", b"2", b"\r\n"])
@pytest.mark.parametrize("step", range(len(STEPS)))
@pytest.mark.parametrize("read", [False, True], ids=["unread", "read"])
def test_a_reply_that_came_before_its_command(step: int, early: bytes, *, read: bool) -> None:
    """Whether it comes with the reply before it or later, and whether somebody looked."""
    client = Client()
    for reply, message in STEPS[:step]:
        feed(client, reply)
        client.send(message)
    client.data_to_send()
    with pytest.raises(RemoteProtocolError):
        answered_early(client, *STEPS[step], early, read=read)
    assert client.data_to_send() == b""


def answered_early(
    client: Client, reply: bytes, message: Command | EndOfContent, early: bytes, *, read: bool
) -> None:
    if read:
        feed(client, reply)
        feed(client, early)
    else:
        client.receive_data(reply + early)
        assert isinstance(client.next_event(), Reply)
    client.send(message)


def test_a_reply_that_came_between_two_commands() -> None:
    """A server that answers one command twice; the second time is no answer to the next."""
    client, _ = submit(ALONE)
    client.send(MAIL)
    client.data_to_send()
    client.receive_data(b"250 OK\r\n250 OK\r\n")
    assert isinstance(client.next_event(), Reply)
    with pytest.raises(RemoteProtocolError, match="a reply came before RCPT"):
        client.send(BOB)


def test_what_is_held_back_does_not_leave_either() -> None:
    client, _ = submit(ALONE)
    client.send(MAIL)
    client.send(BOB)
    client.data_to_send()
    client.receive_data(b"250 OK\r\n2")
    assert isinstance(client.next_event(), Reply)
    assert client.next_event() is Need.DATA
    assert client.data_to_send() == b""
    client.receive_data(b"50 OK\r\n")
    with pytest.raises(RemoteProtocolError, match="a reply came before RCPT"):
        client.next_event()
    assert client.data_to_send() == b""


def test_what_was_released_behind_others_is_not_answered_before_it_left() -> None:
    """The replies to what left before it are; `Limits.unanswered` held it back."""
    client, _ = submit(PIPELINING, limits=Limits(unanswered=3))
    for command in (MAIL, BOB, BOB, BOB, BOB):
        client.send(command)
    assert client.data_to_send().count(b"\r\n") == 3
    assert len(feed(client, b"250 OK\r\n250 OK\r\n250 OK\r\n")) == 3
    client.receive_data(b"250 OK\r\n")
    with pytest.raises(RemoteProtocolError, match="a reply came before RCPT"):
        client.next_event()


def test_what_is_held_back_is_answered_once_it_left() -> None:
    client, _ = submit(ALONE)
    client.send(MAIL)
    client.send(BOB)
    assert client.data_to_send() == b"MAIL FROM:<eve@client.example>\r\n"
    feed(client, b"250 OK\r\n")
    assert client.data_to_send() == b"RCPT TO:<bob@mx.example>\r\n"
    (reply,) = feed(client, b"250 OK\r\n")
    assert isinstance(reply, Reply)
    assert reply.command == BOB


def test_a_chunk_from_memory_with_items_of_two_octets() -> None:
    client = Client()
    client.receive_data(b"220 mx.example\r\n")
    client.next_event()
    client.send(Ehlo(Domain("client.example")))
    client.data_to_send()
    client.receive_data(b"250-mx.example\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
    client.next_event()
    client.send(Mail(ReversePath(None)), Rcpt(ForwardPath(None)), Bdat(2, last=True))
    client.data_to_send()
    with pytest.raises(LocalProtocolError, match="found 4"):
        client.send(ContentChunk(memoryview(b"AAAA").cast("H")))  # type: ignore[arg-type]
    assert client.data_to_send() == b""


def test_an_early_reply_to_a_chunk_and_to_a_response() -> None:
    client = chunking()
    client.data_to_send()
    client.receive_data(b"250 OK\r\n250 OK\r\n250 OK\r\n")
    assert [client.next_event(), client.next_event()] == [Reply(250, text="OK")] * 2
    with pytest.raises(RemoteProtocolError, match="a reply came before BDAT"):
        client.send(Bdat(4, last=True))
    client = asked()
    client.receive_data(b"250 secret\r\n")
    with pytest.raises(RemoteProtocolError, match="a reply came before the response") as caught:
        client.send(AuthResponse(b"x"))
    assert "secret" not in str(caught.value)
    assert client.data_to_send() == b""


@pytest.mark.parametrize("early", [b"421 going down\r\n", b"421-going\r\n421 down\r\n"])
@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_421_may_come_before_any_command(early: bytes, size: int) -> None:
    """RFC 5321 section 3.8: a server that shuts down, while the client was about to speak."""
    client, _ = submit(ALONE)
    client.receive_data(early[:size])
    client.send(MAIL)
    client.receive_data(early[size:])
    reply = client.next_event()
    assert isinstance(reply, Reply)
    assert (reply.code, reply.command) == (421, MAIL)
    assert client.next_event() == ConnectionClosed(clean=False)


@pytest.mark.parametrize("refusal", [b"550 spam\r\n", b"421 down\r\n", b"554-no\r\n554 no\r\n"])
@pytest.mark.parametrize("size", [1, 8, 100])
def test_the_end_of_content_does_not_leave_after_a_refusal(refusal: bytes, size: int) -> None:
    """It arrived while the content was written, and nobody has read it yet."""
    client, _ = submit(CONTENT)
    client.send(ContentChunk(b"text\r\n"))
    assert client.data_to_send() == b"text\r\n"
    client.receive_data(refusal[:size])
    if size == 8:
        assert client.next_event() is Need.DATA or client.state is State.CLOSED
    if client.state is State.CONTENT:
        client.send(EndOfContent())
        assert client.data_to_send() == b""
        client.receive_data(refusal[size:])
        reply = client.next_event()
        assert isinstance(reply, Reply)
        assert reply.code == int(refusal[:3])
    assert client.data_to_send() == b""


# --- codes and lines as real servers write them ---------------------------------------------------


@pytest.mark.parametrize("code", [260, 299])
def test_codes_of_no_list_that_accept(code: int) -> None:
    """RFC 5321 section 4.3.2: the first digit decides."""
    client, _ = submit(GREETING + "S: 250 HELP\nC: MAIL FROM:<>\n")
    (reply,) = feed(client, b"%d fine\r\n" % code)
    assert isinstance(reply, Reply)
    assert (reply.code, reply.positive, reply.command) == (code, True, Mail(ReversePath(None)))
    assert client.state is State.MAIL


@pytest.mark.parametrize("code", [471, 499, 560, 571, 599])
def test_codes_of_no_list_that_refuse(code: int) -> None:
    client, _ = submit(PIPELINING)
    for command in (MAIL, BOB, EVE):
        client.send(command)
    feed(client, b"250 OK\r\n%d %d.7.1 Delivery not authorized\r\n250 OK\r\n" % (code, code // 100))
    assert client.transaction is not None
    assert client.transaction.recipients == [EVE]
    client.send(Data())


def test_content_refused_with_a_code_of_no_list() -> None:
    client, _ = submit(CONTENT + "C: .\n")
    (reply,) = feed(client, b"571 no\r\n")
    assert isinstance(reply, Reply)
    assert (reply.code, reply.permanent) == (571, True)
    assert client.state is State.READY


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_lines_that_end_with_lf_alone(size: int) -> None:
    data = b"220 mx.example\n250-mx.example\n250-PIPELINING\r\n250 SIZE\n"
    client = Client()
    events = feed(client, data[:15])
    client.send(EHLO)
    client.data_to_send()
    for at in range(15, len(data), size):
        events += feed(client, data[at : at + size])
    assert events[1:] == [Reply(250, text="mx.example\nPIPELINING\nSIZE")]
    assert Pipelining in client.offered
    assert Size in client.offered


def test_a_greeting_that_ends_as_a_refusal() -> None:
    client = Client()
    (reply,) = feed(client, b"220-mx.example\r\n521 5.7.1 blocked, see https://mx.example\r\n")
    assert isinstance(reply, Reply)
    assert (reply.code, reply.permanent) == (521, True)
    assert "blocked, see https://mx.example" in reply.text
    assert client.state is State.REFUSED


@pytest.mark.parametrize("script", ["", ALONE, CONTENT, ALONE + "C: NOOP\n"])
def test_the_server_is_gone(script: str) -> None:
    client, _ = submit(script)
    assert feed(client, b"") == [ConnectionClosed(clean=False)]
    assert client.state is State.CLOSED
    with pytest.raises(LocalProtocolError):
        client.send(Quit())


def test_a_refused_quit_changes_nothing() -> None:
    client, _ = submit(ALONE + "C: QUIT\nS: 500 no\n")
    assert client.state is State.READY
    client.send(Noop())


# --- LMTP -----------------------------------------------------------------------------------------


def test_lmtp() -> None:
    """RFC 2033 section 4.2: a reply for each recipient."""
    client, events = submit(
        """
        S: 220 mx.example LMTP
        C: LHLO client.example
        S: 250-mx.example
        S: 250 PIPELINING
        C: MAIL FROM:<eve@client.example>
        C: RCPT TO:<bob@mx.example>
        C: RCPT TO:<nobody@mx.example>
        C: RCPT TO:<eve@mx.example>
        C: RCPT TO:<bob@mx.example>
        C: DATA
        S: 250 OK
        S: 250 OK
        S: 550 no
        S: 250 OK
        S: 250 OK
        S: 354 go ahead
        C: text
        C: .
        S: 450 4.2.2 full
        S: 250 OK
        S: 250 OK
        C: QUIT
        S: 221 Bye
        """,
        protocol=Protocol.LMTP,
    )
    replies = [event for event in events if isinstance(event, Reply)]
    assert [(reply.code, reply.recipient) for reply in replies[-4:]] == [
        (450, BOB),
        (250, EVE),
        (250, BOB),
        (221, None),
    ]
    assert client.state is State.CLOSED


# --- dialogues ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ask(DialogueCommand):
    verb = "XASK"

    def format_response(self, octets: bytes | None) -> bytes:
        return b"*" if octets is None else octets


class Asking(Extension):
    keyword = "XASK"
    commands = (Ask,)
    transitions = {State.READY: {"XASK": Transition(more=State.EXCHANGE, ok=State.READY)}}


def asked() -> Client:
    client, _ = submit(GREETING + "S: 250 XASK\n", extensions=[Asking])
    client.send(Ask())
    client.data_to_send()
    feed(client, b"334 a secret?\r\n")
    return client


def test_a_dialogue() -> None:
    client = asked()
    client.send(AuthResponse(b"one"))
    with pytest.raises(LocalProtocolError, match="no challenge waits"):
        client.send(AuthResponse(b"too early"))
    with pytest.raises(LocalProtocolError, match="NOOP is not possible"):
        client.send(Noop())
    (reply,) = feed(client, b"334 more?\r\n")
    assert isinstance(reply, Reply)
    assert reply.command == Ask()
    client.send(AuthResponse(None))
    assert client.data_to_send() == b"one\r\n*\r\n"
    feed(client, b"501 given up\r\n")
    assert client.state is State.READY


@pytest.mark.parametrize("octets", [b"x" * 12287, b"a\r\nb", b"\0"])
def test_a_response_that_is_no_line(octets: bytes) -> None:
    client = asked()
    with pytest.raises(LocalProtocolError) as caught:
        client.send(AuthResponse(octets))
    assert octets.decode()[:10] not in str(caught.value)
    assert client.data_to_send() == b""


@pytest.mark.parametrize("line", [b"334 a\0secret", b"what secret", b"334 " + b"secret" * 3000])
def test_a_reply_in_a_dialogue_that_is_none(line: bytes) -> None:
    """Whoever speaks there may repeat the secret it got."""
    client = asked()
    client.send(AuthResponse(b"secret"))
    with pytest.raises(RemoteProtocolError) as caught:
        feed(client, line + b"\r\n")
    assert "secret" not in str(caught.value)


# --- TLS ------------------------------------------------------------------------------------------


class Tls(Command):
    verb = "XTLS"


class Upgrade(Extension):
    keyword = "XTLS"
    commands = (Tls,)
    transitions = {State.READY: {"XTLS": Transition(ok=State.TLS)}}


def upgrading(reply: bytes) -> Client:
    client, _ = submit(GREETING + "S: 250 XTLS\n", extensions=[Upgrade])
    client.send(Tls())
    client.receive_data(reply)
    return client


def test_tls() -> None:
    """RFC 3207 section 4.2: what was known before is forgotten."""
    client = upgrading(b"220 go ahead\r\n")
    assert isinstance(client.next_event(), Reply)
    assert client.next_event() is Need.TLS
    with pytest.raises(LocalProtocolError, match="NOOP is not possible here"):
        client.send(Noop())
    client.tls_established()
    assert client.session == Session("mx.example", secure=True)
    client.send(EHLO)


def test_a_greeting_half_in_plain_text() -> None:
    """RFC 8314 section 3.3: a multi-line reply must not begin outside TLS and end inside."""
    client = Client()
    client.receive_data(b"220-injected\r\n")
    assert client.next_event() is Need.DATA
    with pytest.raises(RemoteProtocolError, match="a greeting began in plain text"):
        client.tls_established()


def test_a_line_as_long_as_an_extension_makes_it() -> None:
    """RFC 1870 section 3: SIZE adds 26 octets to MAIL."""
    client, _ = submit(GREETING + "S: 250-SIZE\nS: 250 PIPELINING\n", limits=Limits(path=2000))
    space = 512 + 26 - len("MAIL FROM:<@client.example> SIZE=1\r\n")
    client.send(Mail(ReversePath.of("x" * 64 + "@client.example"), (SizeParameter(1),)))
    long, too_long = (
        Mail(ReversePath(Mailbox("x" * size, Domain("client.example"))), (SizeParameter(1),))
        for size in (space, space + 1)
    )
    client.send(Rset())
    client.send(long)
    client.send(Rset())
    with pytest.raises(LocalProtocolError, match="most 538 octets with CRLF, found 539"):
        client.send(too_long)


def test_a_reply_injected_before_the_handshake() -> None:
    client = upgrading(b"220 go ahead\r\n250 mine\r\n")
    assert isinstance(client.next_event(), Reply)
    with pytest.raises(RemoteProtocolError, match="plain text"):
        client.tls_established()
    with pytest.raises(RemoteProtocolError, match="plain text follow the reply to STARTTLS"):
        client.next_event()


def test_gone_before_the_handshake() -> None:
    client = upgrading(b"220 go ahead\r\n")
    client.receive_eof()
    assert isinstance(client.next_event(), Reply)
    assert client.next_event() == ConnectionClosed(clean=False)


# --- what is seen of it ---------------------------------------------------------------------------


def test_the_observer_sees_lines_and_content() -> None:
    seen: list[tuple[str, bytes, bool]] = []
    submit(
        """
        S: 220 mx.example
        C: HELO client.example
        S: 250 mx.example
        C: MAIL FROM:<>
        S: 250 OK
        C: RCPT TO:<bob@mx.example>
        S: 250 OK
        C: RCPT TO:<eve@mx.example>
        S: 250 OK
        C: DATA
        S: 354 go
        C: ..
        C: .
        S: 250 OK
        """,
        observer=lambda *what: seen.append(what),
    )
    assert seen == [
        ("S", b"220 mx.example", False),
        ("C", b"HELO client.example", False),
        ("S", b"250 mx.example", False),
        ("C", b"MAIL FROM:<>", False),
        ("S", b"250 OK", False),
        ("C", b"RCPT TO:<bob@mx.example>", False),
        ("S", b"250 OK", False),
        ("C", b"RCPT TO:<eve@mx.example>", False),
        ("S", b"250 OK", False),
        ("C", b"DATA", False),
        ("S", b"354 go", False),
        ("C", b".\r\n", True),
        ("C", b".", False),
        ("S", b"250 OK", False),
    ]


@pytest.mark.parametrize(
    "script, seconds",
    [
        # RFC 5321 section 4.5.3.2: greeting, EHLO, MAIL and RCPT, DATA, a block, the final dot
        ("", 300),
        (ALONE, 300),
        (ALONE + "C: MAIL FROM:<>\n", 300),
        (ENVELOPE + "C: DATA\n", 120),
        (CONTENT, 180),
        (CONTENT + "C: .\n", 600),
    ],
)
def test_how_long_to_wait(script: str, seconds: float) -> None:
    client, _ = submit(script)
    assert client.timeout == seconds


@pytest.mark.parametrize("command", [Helo(Domain("client.example")), EHLO, Rset()])
def test_what_ends_a_transaction(command: Command) -> None:
    client, _ = submit(ENVELOPE)
    assert client.transaction is not None
    client.send(command)
    feed(client, b"250 OK\r\n")
    assert client.state is State.READY
    assert client.transaction is None


# --- what extensions make of it -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fetch(Command):
    verb = "XFETCH"


class Fetching(Extension):
    """Content that the server gets from elsewhere, before chunks (as RFC 4468)."""

    keyword = "XFETCH"
    commands = (Fetch,)
    transitions = {State.RCPT: {"XFETCH": Transition(ok=State.CHUNKS, no=State.SPOILED)}}


def test_chunks_behind_content_from_elsewhere() -> None:
    client, _ = submit(
        GREETING + "S: 250-CHUNKING\nS: 250 XFETCH\n", extensions=[Chunking, Fetching]
    )
    for command in (MAIL, BOB, Fetch(), Bdat(3, last=True)):
        client.send(command)
    with pytest.raises(LocalProtocolError, match="found bare LF"):
        client.send(ContentChunk(b"a\nb"))


@dataclass(frozen=True, slots=True)
class Forget(Command):
    verb = "XFORGET"


class Forgetting(Extension):
    """A command that ends what EHLO has begun."""

    keyword = "XFORGET"
    commands = (Forget,)
    transitions = {
        State.READY: {"XFORGET": Transition(ok=State.GREETED, forget=Effect.SESSION)},
    }


def test_a_command_that_makes_both_forget() -> None:
    client, _ = submit(GREETING + "S: 250 XFORGET\n", extensions=[Forgetting])
    hostname = client.session.hostname
    for reply in (b"550 no\r\n", b"250 forgotten\r\n"):
        client.send(Forget())
        client.data_to_send()
        assert len(feed(client, reply)) == 1
    assert client.session.hostname == hostname
    assert Forgetting not in client.offered
    client.send(EHLO)
    client.data_to_send()
    feed(client, b"250-mx.example\r\n250 XFORGET\r\n")
    client.send(Forget())


def test_a_name_that_only_a_lenient_server_reads() -> None:
    client, _ = submit("S: 220 mx.example\n")
    with pytest.raises(LocalProtocolError, match="expected a domain, found 'my_host'"):
        client.send(Helo(NoDomain("my_host")))


def test_a_command_that_has_no_row_any_more_is_skipped_in_the_projection() -> None:
    """RCPT pipelined behind a MAIL that was refused leads nowhere."""
    client, _ = submit(PIPELINING)
    for command in (MAIL, BOB, EVE):
        client.send(command)
    feed(client, b"550 no\r\n")
    client.send(MAIL)
    assert client.pending == 3
    assert [client.pending, len(feed(client, b"503 no\r\n503 no\r\n250 OK\r\n"))] == [3, 3]
    assert client.state is State.MAIL


# --- what a client keeps --------------------------------------------------------------------------


def test_equal_replies_to_several_recipients() -> None:
    client, _ = submit(PIPELINING)
    recipients = [Rcpt(ForwardPath.of(f"user{number}@example.org")) for number in range(4)]
    client.send(MAIL, *recipients, Noop())
    client.data_to_send()
    one = b"250 2.1.5 OK\r\n"
    # Within a reply the same octets are one of its lines.
    events = feed(client, b"250 2.1.0 OK\r\n" + one * 2 + b"250-2.1.5 OK\r\n")
    events += feed(client, one * 3)
    replies = [event for event in events if isinstance(event, Reply)]
    assert [reply.text for reply in replies] == ["OK", "OK", "OK", "OK\nOK", "OK", "OK"]
    assert {reply.enhanced for reply in replies[1:]} == {"2.1.5"}
    assert [reply.command for reply in replies] == [MAIL, *recipients, Noop()]
    # In the reply to EHLO they are text.
    client.send(EHLO)
    client.data_to_send()
    assert feed(client, b"250 2.1.5 OK\r\n") == [Reply(250, "", "2.1.5 OK")]


def test_a_client_keeps_no_challenge() -> None:
    """It keeps what servers say again and again; a challenge may be a secret."""
    client = asked()
    assert "220 mx.example" in held(client)
    assert "a secret" not in held(client)


def held(thing: object) -> str:
    """All text and octets that a value refers to."""
    seen, found = {id(thing): thing}, [thing]
    for each in found:
        new = [part for part in gc.get_referents(each) if id(part) not in seen]
        new = [part for part in new if isinstance(part, (str, bytes, list, tuple, dict))]
        seen.update((id(part), part) for part in new)
        found += new
    return " ".join(repr(each) for each in found if isinstance(each, (str, bytes)))
