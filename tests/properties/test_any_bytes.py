"""Invariant 4: no bytes whatever make a server raise, nor a client raise anything but one error."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smtpproto import (
    AuthResponse,
    Client,
    ContentChunk,
    Data,
    Domain,
    Ehlo,
    EndOfContent,
    ForwardPath,
    Lhlo,
    Limits,
    LineEndings,
    LocalProtocolError,
    Mail,
    Need,
    Noop,
    Protocol,
    Quit,
    Rcpt,
    RemoteProtocolError,
    ReversePath,
    Rset,
    Server,
    State,
    Syntax,
    Vrfy,
)
from smtpproto.extensions import Auth, Bdat, Extension, StartTls
from smtpproto.testing import strategies as smtp
from smtpproto.vocabulary.command_base import Command
from tests.effort import effort
from tests.properties.harness import refusing, run_client, run_server

ALL: tuple[Extension, ...] = (
    *smtp.offers(),
    StartTls(),
    Auth(("PLAIN", "LOGIN"), allow_plaintext=("PLAIN", "LOGIN")),
)
lines = smtp.commands(ALL).map(lambda command: f"{command.line()}\r\n".encode())
client_octets = st.one_of(
    smtp.mutated(smtp.sessions(ALL).map(lambda session: session.octets), most=8),
    smtp.mutated(st.lists(lines, max_size=15).map(b"".join)),
    st.lists(st.sampled_from([b"EHLO x\r\n", b"DATA\r\n", b"\xff\r\n", b"\0", b"."]) | lines).map(
        b"".join
    ),
    st.binary(),
)


@st.composite
def servers(draw: st.DrawFn) -> Server:
    """A server of any kind."""
    return Server(
        "mx.example",
        draw(st.sampled_from([ALL, ()])),
        protocol=draw(st.sampled_from(Protocol)),
        line_endings=draw(st.sampled_from(LineEndings)),
        syntax=draw(st.sampled_from(Syntax)),
        observer=lambda sender, octets, content: None,
    )


@given(octets=client_octets, server=servers(), number=st.integers(0, 5))
@settings(max_examples=effort(40, 200))
def test_a_server_never_raises(octets: bytes, server: Server, number: int) -> None:
    ran = run_server([octets], server=server, answer=refusing(number))
    # What it says is replies and nothing else.
    *said, rest = ran.said.split(b"\r\n")
    assert rest == b""
    for line in said:
        assert len(line) <= 510
        assert line[:3].isdigit()
        assert line[3:4] in (b"", b" ", b"-")
        assert not set(line) & set(b"\r\n\0")


# --- the client ---------------------------------------------------------------------------------


OFFERED = b"250-mx.example\r\n" + b"".join(
    f"250-{extension.line()}\r\n".encode() for extension in ALL[:-2]
)
HELLO = OFFERED + b"250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n"
EHLO, MAIL, RCPT = Ehlo(Domain("c.example")), Mail(ReversePath(None)), Rcpt(ForwardPath(None))
SENT = st.one_of(
    st.sampled_from(
        [EHLO, MAIL, RCPT, Data(), Rset(), Noop(), Quit(), Vrfy("x"), Bdat(3, last=True)]
    ),
    st.sampled_from(
        [ContentChunk(b"abc"), ContentChunk(b"\r\n"), EndOfContent(), AuthResponse(b"")]
    ),
    smtp.commands(ALL),
)


@given(
    begin=st.sampled_from([[], [b"220 mx.example\r\n"], [b"220 mx.example\r\n", HELLO]]),
    turns=st.lists(st.tuples(st.lists(SENT, max_size=6), smtp.hostile_replies()), max_size=5),
    protocol=st.sampled_from(Protocol),
)
@settings(max_examples=effort(40, 150))
def test_a_client_raises_one_error_and_the_same_again(
    begin: list[bytes],
    turns: list[tuple[list[Command | ContentChunk | EndOfContent | AuthResponse], bytes]],
    protocol: Protocol,
) -> None:
    client = Client(protocol=protocol, observer=lambda sender, octets, content: None)
    for number, octets in enumerate(begin):
        if number:
            client.send(EHLO if protocol is Protocol.SMTP else Lhlo(EHLO.name))
        run_client([octets], client, close=False)
    for messages, octets in turns:
        for message in messages:
            try:
                client.send(message)
            except LocalProtocolError:
                pass
            except RemoteProtocolError:
                # An answer that was there before the question.
                assert client.state is State.ERROR
        client.data_to_send()
        run_client([octets], client, close=False)
        if client.state is State.TLS and client.next_event() is Need.TLS:
            client.tls_established()


@pytest.mark.parametrize("octets", [b"250 \xff\xfe\r\n", b"250 \xc2\x85\xe2\x80\xa8\r\n"])
def test_texts_that_are_no_text(octets: bytes) -> None:
    client = Client(limits=Limits())
    client.receive_data(b"220 a\r\n")
    client.next_event()
    client.send(Noop())
    (reply, _) = run_client([octets], client).events
    assert str(reply).isprintable() or "\u2028" in str(reply)
