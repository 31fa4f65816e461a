"""BDAT in both roles: the states, and that its octets are never taken for commands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import (
    Client,
    ConnectionClosed,
    ContentChunk,
    Data,
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
    State,
)
from smtpproto.extensions import (
    Bdat,
    BinaryMime,
    Body,
    Chunking,
    EightBitMime,
    Extension,
    Pipelining,
    Size,
)
from smtpproto.testing import Pair
from smtpproto.vocabulary.command_base import Grammar
from tests.commands import CLIENT
from tests.weight import weight

GRAMMAR = Grammar({"BDAT": Bdat})
MAIL = Mail(ReversePath.of("a@client.example"))
BINARY = Mail(ReversePath.of("a@client.example"), (Body("BINARYMIME"),))
RCPT = Rcpt(ForwardPath.of("b@mx.example"))
RCPT_2 = Rcpt(ForwardPath.of("c@mx.example"))
REFUSED = Reply(550, "5.1.1", "no such mailbox")
NO = Reply(554, "5.6.0", "not this")


def chunk(octets: bytes, *, last: bool = False) -> tuple[Bdat, ContentChunk]:
    return Bdat(len(octets), last), ContentChunk(octets)


def pair(*extensions: Extension, protocol: Protocol = Protocol.SMTP) -> Pair:
    return Pair.offering(Pipelining(), Chunking(), *extensions, protocol=protocol).hello()


def content(pair: Pair) -> bytes:
    return b"".join([event.octets for event in pair.events if isinstance(event, ContentChunk)])


def states(pair: Pair) -> set[State]:
    return {pair.client.state, pair.server.state}


def ends(pair: Pair) -> int:
    return sum(isinstance(event, EndOfContent) for event in pair.events)


# --- the command ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, octets, last",
    [("0", 0, False), ("86 LAST", 86, True), ("86 last", 86, True), ("007", 7, False)],
)
def test_arguments(arguments: str, octets: int, last: bool) -> None:
    bdat = Bdat.parse(arguments, GRAMMAR)
    assert bdat == Bdat(octets, last)
    assert bdat.row == ("BDAT LAST" if last else "BDAT")


MALFORMED = [
    "",
    " 5",
    "-1",
    "+5",
    "5 ",
    "5  LAST",
    "5 FIRST",
    "5LAST",
    "LAST",
    "0x10",
    "1e3",
    "\N{ARABIC-INDIC DIGIT FIVE}",
    "5 LA\N{LATIN SMALL LETTER LONG S}T",
    str(2**63),
    "9" * 20,
    "9" * 21,
]


@pytest.mark.parametrize("arguments", MALFORMED)
def test_malformed_arguments(arguments: str) -> None:
    with pytest.raises(LocalProtocolError, match="BDAT: expected") as caught:
        Bdat.parse(arguments, GRAMMAR)
    assert caught.value.code == 501


@pytest.mark.parametrize("octets", [-1, 2**63, 10**4000])
def test_octets_out_of_range(octets: int) -> None:
    with pytest.raises(LocalProtocolError, match=r"expected 0 to .* octets, found (more|less)"):
        Bdat(octets)


# --- one message ------------------------------------------------------------------------------


def test_one_chunk() -> None:
    """RFC 3030 section 4.1."""
    both = pair()
    both.talk(MAIL, RCPT)
    assert both.say(*chunk(b"To: b\r\n\r\nhello\r\n", last=True)).code == 250
    assert content(both) == b"To: b\r\n\r\nhello\r\n"
    assert ends(both) == 1
    assert states(both) == {State.READY}
    assert both.client.transaction is both.server.transaction is None


def test_chunks_in_one_group() -> None:
    """RFC 3030 section 4.2: each chunk has its reply, and the last may be empty."""
    both = pair(EightBitMime(), BinaryMime())
    both.talk(BINARY, RCPT, RCPT_2)
    replies = both.talk(*chunk(b"x" * 100_000), *chunk(b"y" * 324), Bdat(0, last=True))
    assert [reply.code for reply in replies] == [250, 250, 250]
    assert [reply.text for reply in replies] == [
        "100000 octets received",
        "100324 octets received",
        "OK",
    ]
    assert content(both) == b"x" * 100_000 + b"y" * 324
    assert ends(both) == 1


def test_without_pipelining_a_chunk_waits_with_its_octets() -> None:
    both = Pair.offering(Chunking()).hello()
    for message in (MAIL, RCPT, *chunk(b"one\r\n"), *chunk(b"two\r\n", last=True)):
        both.send(message)
    assert both.client.data_to_send() == b"MAIL FROM:<a@client.example>\r\n"
    both.server.receive_data(b"MAIL FROM:<a@client.example>\r\n")
    assert [reply.code for reply in both.run()] == [250] * 4
    assert content(both) == b"one\r\ntwo\r\n"


def test_a_chunk_may_be_sent_in_pieces_and_be_cut_anywhere() -> None:
    both = pair()
    both.talk(MAIL, RCPT)
    both.talk(Bdat(9), ContentChunk(b"one\r"), ContentChunk(b""), ContentChunk(b"\ntwo\r"))
    assert both.say(Bdat(1, last=True), ContentChunk(b"\n")).code == 250
    assert content(both) == b"one\r\ntwo\r\n"


def test_other_commands_between_chunks() -> None:
    both = pair()
    both.talk(MAIL, RCPT, *chunk(b"one\r\n"))
    assert both.say(Noop()).code == 250
    assert states(both) == {State.CHUNKS}
    assert both.say(Bdat(0, last=True)).code == 250
    assert content(both) == b"one\r\n"


def test_rset_between_chunks_drops_the_message() -> None:
    both = pair()
    both.talk(MAIL, RCPT, *chunk(b"one\r\n"))
    assert both.say(Rset()).code == 250
    both.events.clear()
    both.talk(MAIL, RCPT)
    assert both.say(*chunk(b"two\r\n", last=True)).code == 250
    assert content(both) == b"two\r\n"


@given(
    st.lists(st.binary(max_size=70), max_size=5),
    st.integers(1, 40),
    st.booleans(),
)
def test_any_octets_in_any_chunks_and_segments(
    chunks: list[bytes], step: int, empty_last: bool
) -> None:
    both = pair(EightBitMime(), BinaryMime())
    both.talk(BINARY, RCPT)
    last = b"" if empty_last else b"the end"
    for octets in chunks:
        both.send(Bdat(len(octets)))
        if octets:
            both.send(ContentChunk(octets))
    both.send(Bdat(len(last), last=True))
    if last:
        both.send(ContentChunk(last))
    both.segments = lambda data: [data[at : at + step] for at in range(0, len(data), step)]
    assert [reply.code for reply in both.run()] == [250] * (len(chunks) + 1)
    assert content(both) == b"".join(chunks) + last
    assert ends(both) == 1


# --- what is refused --------------------------------------------------------------------------


def test_octets_of_a_refused_chunk_are_no_commands() -> None:
    """No recipient, pipelined: the content looks like commands, and has no effect."""
    both = pair()
    replies = both.talk(
        MAIL,
        RCPT,
        *chunk(b"RSET\r\nMAIL FROM:<x@y>\r\nRCPT TO:<b@mx.example>\r\n", last=True),
        answers=[None, REFUSED],
    )
    assert [reply.code for reply in replies] == [250, 550, 503]
    assert states(both) == {State.SPOILED}
    assert [type(event) for event in both.events] == [Mail, Rcpt, Rejected]


def test_a_refused_mail_command() -> None:
    both = pair()
    replies = both.talk(
        MAIL, RCPT, *chunk(b"QUIT\r\n"), *chunk(b"QUIT\r\n", last=True), answers=[NO]
    )
    assert [reply.code for reply in replies] == [554, 503, 503, 503]
    assert states(both) == {State.SPOILED}
    assert both.say(Rset()).code == 250
    assert states(both) == {State.READY}


def failed_chunk(protocol: Protocol = Protocol.SMTP) -> Pair:
    """Between chunks, one of which the application refused."""
    both = pair(protocol=protocol)
    both.talk(MAIL, RCPT, RCPT_2, *chunk(b"one\r\n"))
    both.server.send(NO)
    assert both.say(*chunk(b"two\r\n")).code == 554
    return both


def test_after_a_failed_chunk_only_rset_helps() -> None:
    both = failed_chunk()
    assert states(both) == {State.SPOILED}
    assert content(both) == b"one\r\n"
    for command in (MAIL, RCPT, Data(), Bdat(0), Bdat(0, last=True)):
        with pytest.raises(LocalProtocolError, match="not possible here"):
            both.client.send(command)
    for line in ("MAIL FROM:<a@b.example>", "RCPT TO:<b@mx.example>", "DATA", "BDAT 0", "EHLO a"):
        assert both.raw(line).startswith("503 ")
    assert both.say(Noop()).code == 250
    assert both.say(Rset()).code == 250
    assert [reply.code for reply in both.talk(MAIL, RCPT, Bdat(0, last=True))] == [250] * 3
    assert failed_chunk().say(Quit()).code == 221


def test_chunks_in_the_pipeline_behind_a_failed_one_are_dropped() -> None:
    """RFC 3030 section 2.  The server does not count them as errors of the client."""
    both = pair(Size(10))
    both.talk(MAIL, RCPT)
    chunks = [message for _ in range(30) for message in chunk(b"0123456\r\n")]
    replies = both.talk(*chunks, Bdat(0, last=True))
    assert [reply.code for reply in replies] == [250, 552, *[503] * 29]
    assert content(both) == b"0123456\r\n"
    assert ends(both) == 0
    assert states(both) == {State.SPOILED}


def test_the_size_limit_holds_for_all_chunks_together() -> None:
    both = pair(Size(10))
    both.talk(MAIL, RCPT)
    assert both.say(*chunk(b"01234567\r\n")).code == 250
    assert both.say(*chunk(b"\r\n", last=True)).code == 552
    assert content(both) == b"01234567\r\n"
    assert ends(both) == 0


def test_a_chunk_too_large_is_dropped_from_its_first_octet() -> None:
    both = pair(Size(10))
    both.talk(MAIL, RCPT)
    server = both.server
    held = weight(server)
    server.receive_data(b"BDAT %d LAST\r\n" % (2**63 - 1))
    for _ in range(50):
        server.receive_data(b"NOOP\r\n" * 1000)
        assert server.next_event() is Need.DATA
        assert weight(server) < held + 3000
    assert server.data_to_send() == b""
    server.receive_eof()
    assert server.next_event() == ConnectionClosed(clean=False)


def test_the_size_begins_anew_with_each_message() -> None:
    both = pair(Size(10))
    for _ in range(3):
        replies = both.talk(MAIL, RCPT, *chunk(b"01234567\r\n", last=True))
        assert replies[-1].code == 250
        both.events.clear()


def test_refused_by_the_application_within_a_chunk() -> None:
    both = pair()
    both.talk(MAIL, RCPT)
    server = both.server
    server.receive_data(b"BDAT 10\r\n01234")
    assert server.next_event() == ContentChunk(b"01234")
    server.send(NO)
    server.send(REFUSED)
    assert server.data_to_send() == b""
    server.receive_data(b"56789")
    assert server.next_event() is Need.DATA
    assert server.data_to_send() == b"554 not this\r\n"


def test_refused_by_the_application_between_chunks() -> None:
    both = pair()
    both.talk(MAIL, RCPT, *chunk(b"one\r\n"))
    both.server.send(NO)
    with pytest.raises(LocalProtocolError, match="nothing waits"):
        both.server.send(Reply(250))
    assert both.say(Bdat(0, last=True)).code == 554
    assert ends(both) == 0


def test_a_refusal_between_chunks_ends_with_the_transaction() -> None:
    both = pair()
    both.talk(MAIL, RCPT, *chunk(b"one\r\n"))
    both.server.send(NO)
    both.talk(Rset(), MAIL, RCPT)
    assert both.say(Bdat(0, last=True)).code == 250


def test_refused_at_the_end() -> None:
    both = pair()
    both.talk(MAIL, RCPT)
    assert both.say(*chunk(b"spam\r\n", last=True), answers=[NO]).code == 554
    assert ends(both) == 1
    assert states(both) == {State.SPOILED}


HELO = ("HELO client.example", "MAIL FROM:<a@client.example>", "RCPT TO:<b@mx.example>")


@pytest.mark.parametrize("before, code", [((), 503), (HELO[:1], 503), (HELO, 502)])
def test_bdat_where_it_is_not_offered_is_read_to_its_end(
    before: tuple[str, ...], code: int
) -> None:
    both = Pair.offering(Chunking())
    for line in before:
        both.raw(line)
    both.server.receive_data(b"BDAT 6\r\nQUIT\r\nNOOP\r\n")
    event = both.server.next_event()
    assert isinstance(event, Rejected)
    assert event.content
    assert event.reply.code == code
    assert both.server.next_event() == Noop()


@pytest.mark.parametrize("state", [State.GREETED, State.READY, State.MAIL])
def test_a_client_needs_a_recipient(state: State) -> None:
    both = Pair.offering(Chunking())
    if state is not State.GREETED:
        both.hello()
    if state is State.MAIL:
        both.talk(MAIL)
    assert both.client.state is state
    with pytest.raises(LocalProtocolError) as caught:
        both.client.send(Bdat(0, last=True))
    assert caught.value.code == 503


# --- a size that cannot be known --------------------------------------------------------------


@pytest.mark.parametrize(
    "line, code",
    [
        # A server cuts off spaces at the end of a line, and reads ASCII alone.
        *(
            (f"BDAT {bad}".encode(), 501 if bad.isascii() else 500)
            for bad in MALFORMED
            if bad != "5 "
        ),
        (b"bdat", 501),
        (b"BDAT\t5", 500),
        (b" BDAT 5", 500),
        (b"BDAT 5 LAST\xff", 500),
        (b"BDAT " + b"0" * 600, 500),
        (b"BDAT 5\n", 500),
        (b"BDAT 5\0", 500),
    ],
)
def test_a_chunk_whose_size_is_unknown_ends_the_session(line: bytes, code: int) -> None:
    """The next octets may be content.  A server must not read them as commands."""
    both = pair()
    both.talk(MAIL, RCPT)
    both.events.clear()
    both.server.receive_data(line + b"\r\nRSET\r\nQUIT\r\n")
    event = both.server.next_event()
    assert isinstance(event, Rejected)
    assert event.reply.code == code
    assert both.server.next_event() == ConnectionClosed(clean=False)
    first, second = both.server.data_to_send().splitlines()
    assert first.startswith(b"%d " % code)
    assert second.startswith(b"421 ")
    assert both.server.state is State.CLOSED


@pytest.mark.parametrize("line", [b"", b"BDATX 5", b"NOOP\0", b"\xff", b"1BDAT 5"])
def test_other_lines_end_no_session(line: bytes) -> None:
    both = pair()
    both.server.receive_data(line + b"\r\n")
    assert isinstance(both.server.next_event(), Rejected)
    assert both.server.next_event() is Need.DATA


def test_one_421_is_enough() -> None:
    server = Server("mx.example", [Chunking()], limits=Limits(errors=1))
    server.accept()
    server.data_to_send()
    server.receive_data(b"BDAT x\r\n")
    assert isinstance(server.next_event(), Rejected)
    assert server.data_to_send().count(b"421 ") == 1


# --- BDAT and DATA ----------------------------------------------------------------------------


def test_data_after_bdat() -> None:
    both = pair()
    both.talk(MAIL, RCPT, *chunk(b"one\r\n"))
    with pytest.raises(LocalProtocolError) as caught:
        both.client.send(Data())
    assert caught.value.code == 503
    assert both.raw("DATA").startswith("503 ")


def test_bdat_after_bdat_last() -> None:
    """RFC 3030 section 2: 503."""
    both = pair()
    both.talk(MAIL, RCPT, Bdat(0, last=True))
    with pytest.raises(LocalProtocolError):
        both.client.send(Bdat(0))
    assert both.raw("BDAT 0").startswith("503 ")


@pytest.mark.parametrize("sent", [MAIL, BINARY])
def test_an_empty_piece_is_possible_between_chunks(sent: Mail) -> None:
    both = pair(EightBitMime(), BinaryMime())
    both.talk(sent, RCPT, Bdat(0), ContentChunk(b""))
    assert both.client.data_to_send() == b""
    with pytest.raises(LocalProtocolError, match="content is not possible here"):
        both.client.send(ContentChunk(b"x"))


def test_binarymime_needs_bdat() -> None:
    both = pair(EightBitMime(), BinaryMime())
    both.talk(BINARY, RCPT)
    with pytest.raises(LocalProtocolError, match="needs BDAT") as caught:
        both.client.send(Data())
    assert caught.value.code == 503
    assert both.raw("DATA").startswith("503 ")
    assert both.say(Bdat(0, last=True)).code == 250


def test_other_bodies_may_use_data() -> None:
    both = pair(EightBitMime(), BinaryMime())
    both.talk(Mail(MAIL.reverse_path, (Body("8BITMIME"),)), RCPT)
    assert both.say(Data()).code == 354


def test_binarymime_alone_brings_the_parameter() -> None:
    both = pair(BinaryMime())
    for kind in ("7BIT", "8BITMIME", "BINARYMIME"):
        assert both.say(Mail(MAIL.reverse_path, (Body(kind),))).code == 250
        both.say(Rset())


def test_a_server_that_forgot_to_offer_chunking() -> None:
    client = Client([Chunking, BinaryMime])
    client.receive_data(b"220 mx.example\r\n")
    client.next_event()
    client.send(Ehlo(CLIENT))
    client.receive_data(b"250-mx.example\r\n250 BINARYMIME\r\n")
    client.next_event()
    with pytest.raises(LocalProtocolError, match="needs CHUNKING"):
        client.send(BINARY)
    client.send(MAIL)


# --- line endings -----------------------------------------------------------------------------

BARE = [b"a\nb\r\n", b"a\rb\r\n", b"a\r\r\n", b"\n", b"a\r"]


@pytest.mark.parametrize("octets", BARE)
def test_bare_cr_and_lf_are_legal_in_binary_content(octets: bytes) -> None:
    both = pair(EightBitMime(), BinaryMime())
    both.talk(BINARY, RCPT)
    assert both.say(*chunk(octets, last=True)).code == 250
    assert content(both) == octets


@pytest.mark.parametrize("octets", BARE)
@pytest.mark.parametrize("cut", [0, 1, 2])
def test_bare_cr_and_lf_in_text_are_refused(octets: bytes, cut: int) -> None:
    """A relay that sends the message on with DATA must not find them in it."""
    both = pair()
    both.talk(MAIL, RCPT)
    first, second = octets[:cut], octets[cut:]
    both.server.receive_data(b"BDAT %d\r\n%b" % (len(first), first))
    both.server.receive_data(b"BDAT %d LAST\r\n%b" % (len(second), second))
    events = list(iter(both.server.next_event, Need.DATA))
    assert isinstance(events[-1], Rejected)
    assert both.server.data_to_send().splitlines()[-1].startswith(b"550 message refused")
    assert both.server.state is State.SPOILED


@pytest.mark.parametrize("octets", BARE)
def test_a_client_sends_no_bare_cr_and_lf_in_text(octets: bytes) -> None:
    both = pair()
    both.talk(MAIL, RCPT)
    both.client.send(Bdat(len(octets), last=True))
    both.client.data_to_send()
    with pytest.raises(LocalProtocolError, match="expected CRLF, found bare"):
        both.client.send(ContentChunk(octets))
    assert both.client.data_to_send() == b""
    with pytest.raises(LocalProtocolError, match="BDAT is not possible here"):
        both.client.send(Bdat(1))


def test_a_bare_cr_at_the_end_of_a_chunk_is_seen_in_the_next() -> None:
    both = pair()
    both.talk(MAIL, RCPT)
    both.send(*chunk(b"a\r"), Bdat(2, last=True))
    with pytest.raises(LocalProtocolError, match="expected CRLF, found bare"):
        both.client.send(ContentChunk(b"bc"))


def test_normalized() -> None:
    server = Server("mx.example", [Chunking()], line_endings=LineEndings.NORMALIZE)
    server.accept()
    server.receive_data(b"EHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<b@mx.example>\r\n")
    server.receive_data(b"BDAT 2\r\na\rBDAT 6 LAST\r\n\nb\nc\r\n")
    content = b""
    while not isinstance(event := server.next_event(), EndOfContent):
        if event is Need.REPLY:
            server.accept()
        elif isinstance(event, ContentChunk):
            content += event.octets
    assert content == b"a\r\nb\r\nc\r\n"


# --- the client -------------------------------------------------------------------------------


def test_nothing_else_before_the_chunk_is_complete() -> None:
    both = pair()
    both.talk(MAIL, RCPT)
    both.client.send(Bdat(5))
    both.client.send(ContentChunk(b"abc"))
    for message in (Noop(), Bdat(0), EndOfContent()):
        with pytest.raises(LocalProtocolError):
            both.client.send(message)
    with pytest.raises(LocalProtocolError, match=r"at most 2 octets of .* found 3"):
        both.client.send(ContentChunk(b"abc"))
    both.client.send(ContentChunk(b"\r\n"))
    with pytest.raises(LocalProtocolError):
        both.client.send(ContentChunk(b"x"))
    with pytest.raises(LocalProtocolError):
        both.client.send(EndOfContent())
    assert [reply.code for reply in both.run()] == [250]


def test_a_refusal_that_comes_early() -> None:
    """The client must still send the octets that it announced."""
    both = pair()
    both.talk(MAIL, RCPT)
    both.client.send(Bdat(5))
    both.client.data_to_send()
    assert both.client.timeout == 600
    both.client.receive_data(b"552 too large\r\n")
    event = both.client.next_event()
    assert isinstance(event, Reply)
    assert event.command == Bdat(5)
    assert both.client.state is State.SPOILED
    with pytest.raises(LocalProtocolError):
        both.client.send(Rset())
    both.client.send(ContentChunk(b"abc\r\n"))
    both.client.send(Rset())
    assert both.client.data_to_send() == b"abc\r\nRSET\r\n"


def test_the_reply_to_the_chunk_before_may_come_while_the_next_is_sent() -> None:
    both = pair()
    both.talk(MAIL, RCPT)
    for message in (*chunk(b"one\r\n"), Bdat(5)):
        both.client.send(message)
    both.client.receive_data(b"250 5 octets received\r\n")
    event = both.client.next_event()
    assert isinstance(event, Reply)
    assert event.command == Bdat(5)
    both.client.send(ContentChunk(b"abc\r\n"))


@pytest.mark.parametrize(
    "octets, reply, complaint",
    [
        (0, b"354 go on\r\n", "cannot answer BDAT"),
        (0, b"334 \r\n", "cannot answer BDAT"),
        (5, b"250 lovely\r\n", "before the octets of a chunk were sent"),
    ],
)
def test_replies_that_are_no_answer(octets: int, reply: bytes, complaint: str) -> None:
    both = pair()
    both.talk(MAIL, RCPT)
    both.client.send(Bdat(octets))
    both.client.receive_data(reply)
    with pytest.raises(RemoteProtocolError, match=complaint):
        both.client.next_event()


def test_421_in_the_middle() -> None:
    both = pair()
    both.talk(MAIL, RCPT)
    both.client.send(Bdat(5))
    both.client.receive_data(b"421 going down\r\n")
    event = both.client.next_event()
    assert isinstance(event, Reply)
    assert both.client.state is State.CLOSED
    with pytest.raises(LocalProtocolError):
        both.client.send(ContentChunk(b"abc\r\n"))


# --- LMTP -------------------------------------------------------------------------------------


def test_lmtp_a_reply_for_each_recipient() -> None:
    """RFC 2033 section 4.2, after BDAT LAST alone."""
    both = pair(protocol=Protocol.LMTP)
    both.talk(MAIL, RCPT, RCPT_2)
    replies = both.talk(*chunk(b"one\r\n"), *chunk(b"two\r\n", last=True), answers=[None, NO])
    assert [(reply.code, reply.recipient) for reply in replies] == [
        (250, None),
        (250, RCPT),
        (554, RCPT_2),
    ]
    # One recipient has the message, so the chunk did not fail.
    assert states(both) == {State.READY}


def test_lmtp_a_chunk_that_every_recipient_refuses() -> None:
    both = pair(protocol=Protocol.LMTP)
    both.talk(MAIL, RCPT, RCPT_2)
    replies = both.talk(*chunk(b"two\r\n", last=True), answers=[NO, NO])
    assert [reply.code for reply in replies] == [554, 554]
    assert states(both) == {State.SPOILED}


def test_lmtp_behind_a_failed_chunk() -> None:
    both = pair(Size(5), protocol=Protocol.LMTP)
    replies = both.talk(
        MAIL, RCPT, RCPT_2, *chunk(b"too much\r\n"), *chunk(b"two\r\n", last=True), Rset()
    )
    assert [reply.code for reply in replies] == [250, 250, 250, 552, 503, 503, 250]
    assert [reply.recipient for reply in replies[4:6]] == [RCPT, RCPT_2]


def test_lmtp_without_recipients() -> None:
    both = pair(protocol=Protocol.LMTP)
    replies = both.talk(MAIL, RCPT, *chunk(b"two\r\n", last=True), answers=[None, REFUSED])
    assert [reply.code for reply in replies] == [250, 550, 503]
    assert both.say(Rset()).code == 250
