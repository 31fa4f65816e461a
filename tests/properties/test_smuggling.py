"""Invariant 6: one message in, at most one message out.

The sequences are those of `smtpproto.testing.attacks`: what one server takes for a part of the
content, and another one for its end, so that what follows is a second message.
"""

from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smtpproto import (
    Client,
    ContentChunk,
    Data,
    Domain,
    Ehlo,
    EndOfContent,
    ForwardPath,
    LineEndings,
    LocalProtocolError,
    Mail,
    Need,
    Rcpt,
    ReversePath,
)
from smtpproto.testing.attacks import LINE_ENDS, SMUGGLING
from tests.properties.harness import OFFERS, run_server

GENUINE = b"\r\n.\r\n"

ENVELOPE = b"EHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<postmaster>\r\n"
SMUGGLED = b"MAIL FROM:<admin@mx.example>\r\nRCPT TO:<victim@mx.example>\r\nDATA\r\nFake\r\n"
POLICIES = pytest.mark.parametrize("line_endings", LineEndings)


def has_bare(octets: bytes) -> bool:
    rest = octets.replace(b"\r\n", b"")
    return b"\r" in rest or b"\n" in rest


@POLICIES
@pytest.mark.parametrize("sequence", SMUGGLING, ids=repr)
def test_no_sequence_makes_two_messages(sequence: bytes, line_endings: LineEndings) -> None:
    content = b"Subject: first\r\n\r\ntext" + sequence + SMUGGLED
    ran = run_server([ENVELOPE, b"DATA\r\n", content, b".\r\nQUIT\r\n"], line_endings=line_endings)
    refused = line_endings is LineEndings.REFUSE and has_bare(content)
    assert len(ran.messages) == (0 if refused else 1)
    verbs = [command.verb for command in ran.commands]
    assert verbs == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]
    if not refused:
        assert b"victim" in ran.messages[0]


@POLICIES
def test_the_genuine_one_ends_it(line_endings: LineEndings) -> None:
    """So the test above can fail."""
    content = b"text" + GENUINE + SMUGGLED + b".\r\n"
    ran = run_server([ENVELOPE, b"DATA\r\n", content], line_endings=line_endings)
    assert len(ran.messages) == 2


@POLICIES
@pytest.mark.parametrize("sequence", SMUGGLING, ids=repr)
def test_no_sequence_makes_two_messages_in_chunks(
    sequence: bytes, line_endings: LineEndings
) -> None:
    content = b"text" + sequence + SMUGGLED
    sent = f"BDAT {len(content)} LAST\r\n".encode() + content + b"QUIT\r\n"
    ran = run_server([ENVELOPE, sent], line_endings=line_endings)
    assert len(ran.messages) <= 1
    assert [command.verb for command in ran.commands] == ["EHLO", "MAIL", "RCPT", "QUIT"]


@POLICIES
@pytest.mark.parametrize("end", LINE_ENDS, ids=repr)
def test_no_line_makes_two_commands(end: bytes, line_endings: LineEndings) -> None:
    """The same with commands, such as after STARTTLS or by way of a proxy."""
    sent = b"NOOP" + end + b"RSET\r\nMAIL FROM:<a@c.example>" + end + b"RCPT TO:<b@mx.example>\r\n"
    ran = run_server([b"EHLO c.example\r\n", sent], line_endings=line_endings)
    assert [command.verb for command in ran.commands] == ["EHLO"]


# --- relayed ------------------------------------------------------------------------------------


LAX_END = re.compile(rb"(?:\A|(?<=[\r\n]))\.(?:\r|\n)")


def lax_receiver(octets: bytes) -> int:
    """How many messages it sees in what a client sent after DATA.

    It takes every CR and every LF for the end of a line, and a line with a dot alone for the end of
    the content: more careless than any server that was found.
    """
    return len(LAX_END.findall(octets))


@pytest.mark.parametrize(
    "sequence", [s for s in SMUGGLING if s in {b"\n.\n", b"\r.\r", b"\n.\r\n"}]
)
def test_the_receiver_is_lax(sequence: bytes) -> None:
    assert lax_receiver(b"text" + sequence + SMUGGLED + b".\r\n") == 2


def sent_on(content: bytes, line_endings: LineEndings) -> bytes | None:
    """What a client sends for a content; None if it refuses."""
    client = Client(line_endings=line_endings)
    for command, reply in (
        (None, b"220 relay.example\r\n"),
        (Ehlo(Domain("c.example")), b"250 relay.example\r\n"),
        (Mail(ReversePath(None)), b"250 OK\r\n"),
        (Rcpt(ForwardPath(None)), b"250 OK\r\n"),
        (Data(), b"354 go\r\n"),
    ):
        if command is not None:
            client.send(command)
        client.data_to_send()
        client.receive_data(reply)
        assert client.next_event() is not Need.DATA
    try:
        for at in range(0, len(content), 7):
            client.send(ContentChunk(content[at : at + 7]))
        client.send(EndOfContent())
    except LocalProtocolError:
        return None
    return client.data_to_send()


pieces = st.lists(
    st.sampled_from([b"\r", b"\n", b".", b"\0", b"a", b"\r\n", b"\r\n.", *SMUGGLING]), max_size=12
).map(b"".join)


@given(
    content=pieces | st.binary(max_size=40),
    received=st.sampled_from(LineEndings),
    relayed=st.sampled_from([LineEndings.REFUSE, LineEndings.NORMALIZE]),
)
@example(b"\r\n..\r\n", LineEndings.PRESERVE, LineEndings.REFUSE)
@example(b"a\n.\nb", LineEndings.NORMALIZE, LineEndings.REFUSE)
@example(b"a\r.\rb", LineEndings.PRESERVE, LineEndings.NORMALIZE)
def test_a_relay_of_ours_makes_one_message_of_one(
    content: bytes, received: LineEndings, relayed: LineEndings
) -> None:
    ran = run_server(
        [ENVELOPE, b"DATA\r\n", content, b"\r\n.\r\n"], extensions=OFFERS, line_endings=received
    )
    for message in ran.messages:
        octets = sent_on(message, relayed)
        if octets is None:
            assert has_bare(message)
            assert relayed is LineEndings.REFUSE
            assert received is LineEndings.PRESERVE
        else:
            assert lax_receiver(octets) == 1
            assert octets.endswith(b".\r\n")


@pytest.mark.parametrize("sequence", SMUGGLING, ids=repr)
def test_the_corpus_relayed(sequence: bytes) -> None:
    content = b"text" + sequence + SMUGGLED + b".\r\n"
    for received, relayed in product(LineEndings, [LineEndings.REFUSE, LineEndings.NORMALIZE]):
        ran = run_server([ENVELOPE, b"DATA\r\n", content], line_endings=received)
        assert len(ran.messages) <= 1
        for message in ran.messages:
            octets = sent_on(message, relayed)
            assert octets is None or lax_receiver(octets) == 1
