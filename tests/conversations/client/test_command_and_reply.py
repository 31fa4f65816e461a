"""Commands and replies one by one, and taking leave."""

from __future__ import annotations

import pytest

from smtpproto import Client, LocalProtocolError, Noop, Rcpt, RemoteProtocolError, Rset, State
from smtpproto.conversations import ConnectionLost, Envelope
from smtpproto.conversations import client as submit
from smtpproto.conversations.io_requests import Receive, Send
from smtpproto.extensions import StartTls, StartTlsCommand
from smtpproto.testing import Link
from tests.conversations.driver import begin, follow, serve

HELLO = "S: 220 mx.example\nC: EHLO client.example\nS: 250 mx.example\n"


def start(text: str) -> tuple[Link, Client]:
    link = follow(HELLO + text)
    return link, begin(link)


def test_a_reply_in_pieces_has_one_deadline() -> None:
    link, client = start("C: NOOP\nS: 250-a\nS: 250-b\nS: 250 c")
    link.server.faults.clear()
    before = len(link.client.requests)
    flow = submit.ask(client, Noop())
    assert isinstance(flow.send(None), Send)
    request = flow.send(None)
    fresh = []
    for piece in (b"2", b"50-a\r\n"):
        assert isinstance(request, Receive)
        fresh.append(request.fresh)
        request = flow.send(piece)
    assert isinstance(request, Receive)
    assert [*fresh, request.fresh] == [True, False, False]
    with pytest.raises(StopIteration) as stop:
        flow.send(b"250 b\r\n")
    assert stop.value.value.lines == ("a", "b")
    assert len(link.client.requests) == before


@pytest.mark.parametrize(
    "text, error, words",
    [
        ("C: NOOP", ConnectionLost, "without a reply"),
        ("C: NOOP\nS: what?", RemoteProtocolError, "reply code"),
    ],
)
def test_no_reply(text: str, error: type[Exception], words: str) -> None:
    link, client = start(text)
    with pytest.raises(error, match=words):
        link.run(submit.ask(client, Noop()))


@pytest.mark.parametrize("at, words", [(0, "link broke"), (1, "link broke")])
def test_the_link_breaks(at: int, words: str) -> None:
    link = serve()
    client = begin(link)
    link.client.faults[len(link.client.requests) + at] = ConnectionResetError("reset")
    with pytest.raises(ConnectionLost, match=words):
        link.run(submit.ask(client, Noop()))


def test_time_runs_out() -> None:
    link, client = start("C: NOOP\nEOF")
    with pytest.raises(ConnectionLost, match="no reply: none within 300 seconds"):
        link.run(submit.ask(client, Noop()))


def test_a_reply_that_comes_before_all_is_written() -> None:
    """It is looked at, and the rest leaves with the next reply that is waited for."""
    client = begin(follow(HELLO.replace("250 mx", "250-mx") + "S: 250 PIPELINING\nEOF"))
    client.send(Rset())
    client.send(Rset())
    flow = submit.next_reply(client)
    request = flow.send(None)
    assert isinstance(request, Send)
    assert request.reads
    with pytest.raises(StopIteration) as stop:
        flow.send(b"250 one\r\n250 t")
    assert stop.value.value.lines == ("one",)
    flow = submit.next_reply(client)
    assert isinstance(flow.send(None), Receive)
    with pytest.raises(StopIteration) as stop:
        flow.send(b"wo\r\n")
    assert stop.value.value.lines == ("two",)


def test_the_server_closes_before_all_is_written() -> None:
    _, client = start("EOF")
    client.send(Noop())
    flow = submit.next_reply(client)
    assert isinstance(flow.send(None), Send)
    with pytest.raises(ConnectionLost, match="before it read everything"):
        flow.send(b"")


def test_why_the_server_closed_is_read_though_nothing_can_be_written() -> None:
    link, client = start("")
    link.client.inbox += b"421 4.3.2 shutting down\r\n"
    assert link.run(submit.ask(client, Noop())).code == 421
    assert client.state is State.CLOSED


def test_what_is_not_possible_is_not_sent() -> None:
    link, client = start("EOF")
    before = len(link.client.requests)
    with pytest.raises(LocalProtocolError):
        link.run(submit.ask(client, Rcpt(Envelope.of("", ["b@mx.example"]).forward_paths[0])))
    assert len(link.client.requests) == before


def test_no_reply_is_due_before_a_handshake() -> None:
    link = follow(
        HELLO.replace("250 mx", "250-mx") + "S: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nEOF"
    )
    client = begin(link)
    assert StartTls in client.offered
    assert link.run(submit.ask(client, StartTlsCommand())).code == 220
    with pytest.raises(LocalProtocolError, match="TLS handshake"):
        link.run(submit.next_reply(client))
    link.end()


# --- the end ----------------------------------------------------------------------------------


def test_taking_leave() -> None:
    link = serve()
    client = begin(link)
    link.run(submit.end(client))
    assert client.state is State.CLOSED
    assert link.server.done


@pytest.mark.parametrize("text", ["C: QUIT", "C: QUIT\nS: what?", "C: QUIT\nS: 500 no"])
def test_leave_is_taken_whatever_the_server_says(text: str) -> None:
    link, client = start(text)
    link.run(submit.end(client))
    link.end()
    # Once more does no harm.
    link.run(submit.end(client))


def test_when_a_command_may_be_sent() -> None:
    client = Client()
    assert not submit.is_ready(client)
    link = serve()
    begin(link, client)
    assert submit.is_ready(client)
    client.send(Noop())
    assert not submit.is_ready(client)
