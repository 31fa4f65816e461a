"""Invariant 3: client and server agree about everything, never wait for each other, lose nothing.

`smtpproto.testing.stateful.Lockstep` is the machine; here it runs with what changes a connection:
TLS, which makes both forget, AUTH, refusals of all kinds, and 421 at any time.
"""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from smtpproto import (
    Client,
    Command,
    ContentChunk,
    Data,
    Domain,
    Ehlo,
    EndOfContent,
    ForwardPath,
    Lhlo,
    LineEndings,
    Mail,
    Protocol,
    Rcpt,
    Reply,
    ReversePath,
    Server,
    State,
)
from smtpproto.extensions import Auth, Extension, Pipelining, StartTls
from smtpproto.testing import Pair
from smtpproto.testing import strategies as smtp
from smtpproto.testing.stateful import Lockstep
from tests.effort import effort

ALL: tuple[Extension, ...] = (
    *smtp.offers(),
    StartTls(),
    Auth(("PLAIN", "LOGIN"), allow_plaintext=("PLAIN", "LOGIN")),
)
REFUSALS = [
    Reply(421, "4.3.2", "going down"),
    Reply(450, "4.2.1", "later"),
    Reply(550, "5.1.1", "no"),
    Reply(554, "5.0.0", "never"),
]


class Changing(Lockstep):
    extensions = ALL

    @precondition(lambda self: self.pair.server.state is State.CONTENT)
    @rule(reply=st.sampled_from(REFUSALS))
    def refuse_content(self, reply: Reply) -> None:
        """The server has had enough of the content, or of the whole session."""
        self.pair.run()
        if self.pair.server.state is State.CONTENT:
            self.pair.reply(reply)

    @precondition(lambda self: self.pair.server.state is not State.CLOSED)
    @rule()
    def close(self) -> None:
        """The server ends the session unasked."""
        self.pair.run()
        if self.pair.server.state is not State.CLOSED:
            self.pair.reply(REFUSALS[0])


class OneByOne(Changing):
    """No PIPELINING: each command waits for the reply before it."""

    extensions = tuple(e for e in ALL if not isinstance(e, Pipelining))


for machine in (Changing, OneByOne):
    machine.TestCase.settings = settings(
        max_examples=effort(10, 50), stateful_step_count=25, deadline=None
    )

TestChanging = Changing.TestCase
TestOneByOne = OneByOne.TestCase


# --- content arrives unchanged ------------------------------------------------------------------


@given(
    pieces=st.lists(st.binary(max_size=30) | smtp.contents(), max_size=5),
    data=st.data(),
    pipelining=st.booleans(),
    protocol=st.sampled_from(Protocol),
)
def test_content_arrives_unchanged(
    pieces: list[bytes], data: st.DataObject, protocol: Protocol, *, pipelining: bool
) -> None:
    """Whatever the octets are: with line endings made whole, and a last line that is complete."""

    def segments(octets: bytes) -> Iterator[bytes]:
        yield from data.draw(smtp.segmentations(octets))

    pair = Pair(
        Client(line_endings=LineEndings.NORMALIZE, protocol=protocol),
        Server("mx.example", [Pipelining()] if pipelining else [], protocol=protocol),
        segments=segments,
    )
    pair.run()
    hello: Command = (Lhlo if protocol is Protocol.LMTP else Ehlo)(Domain("c.example"))
    for command in (hello, Mail(ReversePath(None)), Rcpt(ForwardPath(None)), Data()):
        pair.send(command)
    pair.run()
    assert pair.client.state is State.CONTENT
    for piece in pieces:
        pair.client.send(ContentChunk(piece))
    pair.client.send(EndOfContent())
    pair.server.receive_data(pair.client.data_to_send())
    received = b""
    while isinstance(event := pair.server.next_event(), ContentChunk):
        received += event.octets
    assert event == EndOfContent()
    sent = b"".join(pieces)
    lines = sent.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    assert received == b"".join(line + b"\r\n" for line in lines)
