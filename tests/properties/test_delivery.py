"""Invariants 6 and 7: a message is delivered once and whole, or not at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from smtpproto import (
    ConnectionClosed,
    ContentChunk,
    Data,
    EndOfContent,
    LineEndings,
    Protocol,
    Rejected,
    Server,
)
from smtpproto.testing import strategies as smtp
from smtpproto.testing.strategies import ClientSession
from smtpproto.vocabulary.events import ServerEvent
from tests.properties.harness import OFFERS, run_server

protocols = st.sampled_from(Protocol)


@st.composite
def sessions(draw: st.DrawFn) -> tuple[ClientSession, Server]:
    """A right session, and a server for it."""
    protocol = draw(protocols)
    session = draw(smtp.sessions(protocol=protocol))
    return session, Server("mx.example", OFFERS, protocol=protocol)


@given(sessions())
def test_every_message_arrives_whole(session_and_server: tuple[ClientSession, Server]) -> None:
    session, server = session_and_server
    ran = run_server([session.octets], server=server)
    assert ran.messages == [message.content for message in session.messages]
    assert ran.commands == list(session.commands)


@given(session_and_server=sessions(), data=st.data())
def test_a_session_cut_anywhere_delivers_what_was_complete(
    session_and_server: tuple[ClientSession, Server], data: st.DataObject
) -> None:
    """Whatever ended before its end of content is not delivered, not even its beginning."""
    session, server = session_and_server
    at = data.draw(st.integers(0, len(session.octets)))
    ran = run_server([session.octets[:at]], server=server)
    assert isinstance(ran.events[-1], ConnectionClosed)
    complete = [message.content for message in session.messages]
    assert ran.messages == complete[: len(ran.messages)]
    # And no message is acknowledged that is not delivered.
    whole = run_server(
        [session.octets],
        server=Server("mx.example", OFFERS, protocol=server.session.protocol),
    )
    assert whole.said.startswith(ran.said)


@given(
    octets=smtp.mutated(smtp.sessions().map(lambda session: session.octets)),
    line_endings=st.sampled_from(LineEndings),
)
def test_whatever_is_said_the_end_of_content_comes_once(
    octets: bytes, line_endings: LineEndings
) -> None:
    """Between 354 and the end of the content there is content and nothing else, and one end."""
    ran = run_server([octets], line_endings=line_endings)
    in_content = False
    for event in ran.events:
        ends = isinstance(event, (EndOfContent, ConnectionClosed)) or (
            isinstance(event, Rejected) and event.content
        )
        if in_content:
            assert ends or isinstance(event, ContentChunk)
            in_content = not ends
        else:
            # A lone dot is content without a chunk; only counted content comes without DATA.
            assert not isinstance(event, ContentChunk) or b"BDAT" in octets.upper()
            in_content = isinstance(event, Data)


@given(session_and_server=sessions(), closing=st.integers(0, 30))
def test_a_server_that_closes_delivers_nothing_more(
    session_and_server: tuple[ClientSession, Server], closing: int
) -> None:
    """421 in place of one answer: what follows it is read by nobody."""
    session, server = session_and_server
    asked = 0

    def answer(server: Server, event: ServerEvent | None) -> None:
        nonlocal asked
        asked += 1
        if asked > closing:
            server.reject(421)
        else:
            server.accept()

    ran = run_server([session.octets], server=server, answer=answer)
    complete = [message.content for message in session.messages]
    assert ran.messages == complete[: len(ran.messages)]
    if asked > closing:
        assert ran.said.splitlines()[-1].startswith(b"421")
        assert ran.events[-1] == ConnectionClosed(clean=False)
