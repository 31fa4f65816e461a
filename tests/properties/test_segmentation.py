"""Invariant 1: the same bytes in any split give the same events and the same output."""

from __future__ import annotations

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
    Mail,
    Noop,
    Protocol,
    Rcpt,
    ReversePath,
    Server,
)
from smtpproto.testing import strategies as smtp
from smtpproto.vocabulary.replies import format_reply
from tests.properties.harness import OFFERS, Ran, refusing, run_client, run_server

ENVELOPE = b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<postmaster>\r\n"
whole_sessions = st.one_of(
    smtp.sessions().map(lambda session: session.octets),
    smtp.mutated(smtp.sessions().map(lambda session: session.octets)),
    st.lists(
        smtp.commands(OFFERS).map(lambda command: f"{command.line()}\r\n".encode()), max_size=12
    ).map(b"".join),
)


def one_by_one(octets: bytes) -> list[bytes]:
    return [octets[at : at + 1] for at in range(len(octets))]


@given(
    octets=whole_sessions,
    data=st.data(),
    line_endings=st.sampled_from(LineEndings),
    number=st.integers(0, 5),
)
@example(b"x" * 600 + b"\r\nNOOP\r\n", None, LineEndings.REFUSE, 0)
@example(b"x" * 70_000 + b"\r\nNOOP\r\n", None, LineEndings.REFUSE, 0)
@example(b"NO\0OP" * 600 + b"\r\n", None, LineEndings.REFUSE, 0)
@example(ENVELOPE + b"DATA\r\n.\r\nNOOP\r\n", None, LineEndings.REFUSE, 0)
@example(ENVELOPE + b"DATA\r\na\r", None, LineEndings.NORMALIZE, 0)
@example(ENVELOPE + b"BDAT 4\r\na\r\nbBDAT 2 LAST\r\n\r\n", None, LineEndings.NORMALIZE, 0)
@example(ENVELOPE + b"BDAT 4\r\na\r\nbBDAT x\r\nQUIT\r\n", None, LineEndings.REFUSE, 0)
def test_server(
    octets: bytes, data: st.DataObject | None, line_endings: LineEndings, number: int
) -> None:
    pieces = one_by_one(octets) if data is None else data.draw(smtp.segmentations(octets))

    def outcome(pieces: list[bytes]) -> tuple[Ran, list[tuple[str, bytes]]]:
        seen: list[tuple[str, bytes]] = []

        def observe(sender: str, octets: bytes, content: bool) -> None:
            if content and seen and seen[-1][0] == "content":
                octets = seen.pop()[1] + octets
            seen.append(("content" if content else sender, octets))

        server = Server("mx.example", OFFERS, line_endings=line_endings, observer=observe)
        return run_server(pieces, server=server, answer=refusing(number)), seen

    assert outcome(pieces) == outcome([octets])


@given(session=smtp.sessions(protocol=Protocol.LMTP), data=st.data(), number=st.integers(0, 5))
def test_lmtp_server(session: smtp.ClientSession, data: st.DataObject, number: int) -> None:
    def outcome(pieces: list[bytes]) -> Ran:
        server = Server("mx.example", OFFERS, protocol=Protocol.LMTP)
        return run_server(pieces, server=server, answer=refusing(number))

    pieces = data.draw(smtp.segmentations(session.octets))
    assert outcome(pieces) == outcome([session.octets])


# --- the client ---------------------------------------------------------------------------------


def waiting_client() -> Client:
    """A client with an envelope under way."""
    client = Client()
    client.receive_data(b"220 mx.example\r\n")
    client.next_event()
    client.send(Ehlo(Domain("c.example")))
    client.receive_data(b"250-mx.example\r\n250-8BITMIME\r\n250 PIPELINING\r\n")
    client.next_event()
    for command in (
        Mail(ReversePath(None)),
        Rcpt(ForwardPath(None)),
        Rcpt(ForwardPath(None)),
        Noop(),
        Noop("again"),
    ):
        client.send(command)
    client.data_to_send()
    return client


def content_client() -> Client:
    """A client that waits for the answer to its content, with another envelope behind it."""
    client = waiting_client()
    # NOOP ends a group, so the second one leaves by itself.
    for count in (4, 1):
        client.receive_data(b"250 OK\r\n" * count)
        for _ in range(count):
            client.next_event()
        client.data_to_send()
    client.send(Data())
    client.receive_data(b"354 go\r\n")
    client.next_event()
    client.send(ContentChunk(b"text\r\n"))
    client.send(EndOfContent())
    client.send(Mail(ReversePath(None)))
    client.send(Rcpt(ForwardPath(None)))
    client.data_to_send()
    return client


answers = st.lists(
    st.one_of(
        smtp.replies(),
        smtp.replies(classes=[2]),
        smtp.replies(smtputf8=True),
    ).map(lambda reply: b"\r\n".join(format_reply(reply, "", enhanced=True, utf8=True)) + b"\r\n"),
    max_size=8,
).map(b"".join)


@pytest.mark.parametrize("begin", [Client, waiting_client, content_client])
@given(octets=answers | smtp.hostile_replies(), data=st.data())
def test_client(begin: type[Client], octets: bytes, data: st.DataObject) -> None:
    pieces = data.draw(smtp.segmentations(octets))
    whole, split = begin(), begin()
    assert run_client(pieces, split) == run_client([octets], whole)
    assert split.state is whole.state
    assert list(split.offered) == list(whole.offered)


@pytest.mark.parametrize(
    "octets",
    [
        b"250 " + b"x" * 3000 + b"\r\n",
        b"250 " + b"x" * 2042 + b"\r\n250 " + b"x" * 2043 + b"\r\n",
        b"250-a\r\n" * 512 + b"250 a\r\n",
        b"250 a\r\n\r\n",
        b"250 a\0\r\n",
        b"421 bye\r\nanything\n",
    ],
)
def test_client_at_its_limits(octets: bytes) -> None:
    assert run_client(one_by_one(octets), waiting_client()) == run_client(
        [octets], waiting_client()
    )
