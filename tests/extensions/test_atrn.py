"""ATRN: the connection turns round (RFC 2645)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import (
    BodyChunk,
    Client,
    Command,
    Data,
    Domain,
    Ehlo,
    EndOfBody,
    LocalProtocolError,
    Need,
    Quit,
    Reply,
    Server,
    Session,
    State,
    TLSFacts,
)
from smtpproto.commands import Grammar, parse
from smtpproto.events import ClientEvent, ServerEvent
from smtpproto.extensions import Atrn, OnDemandRelay, Size, Turned
from smtpproto.extensions.atrn import ACCESS_UNKNOWN, NO_MAIL, TURN_REFUSED
from tests.pair import Pair, mail, rcpt

DOMAINS = (Domain("customer.example"), Domain("other.example"))
GRAMMAR = Grammar({"ATRN": Atrn})


@given(st.lists(st.from_regex(r"[a-z0-9]{1,9}(\.[a-z0-9]{1,9}){1,3}", fullmatch=True), max_size=5))
def test_what_is_written_is_read_again(names: list[str]) -> None:
    atrn = Atrn(tuple(map(Domain, names)))
    assert parse(str(atrn).encode(), GRAMMAR) == atrn


def authenticated() -> Pair:
    pair = Pair(OnDemandRelay(), session=Session(peer="192.0.2.1")).hello()
    pair.server.authenticated("customer")
    return pair


def move(client: Client, server: Server) -> tuple[list[ServerEvent], list[ClientEvent]]:
    """Move octets until nothing moves; the server accepts everything."""
    seen: list[ServerEvent] = []
    replies: list[ClientEvent] = []
    while True:
        sent, answered = client.data_to_send(), server.data_to_send()
        if sent:
            server.receive_data(sent)
        if answered:
            client.receive_data(answered)
        while not isinstance(event := server.next_event(), Need) or event is Need.REPLY:
            if event is Need.REPLY:
                server.accept()
            else:
                seen.append(event)
        while not isinstance(reply := client.next_event(), Need):
            replies.append(reply)
        if not sent and not answered:
            return seen, replies


def test_a_session_that_turns_round() -> None:
    pair = authenticated()
    assert pair.say(Atrn(DOMAINS)).text == "OK now reversing the connection"
    assert pair.client.next_event() is pair.server.next_event() is Need.TURN

    customer = pair.client.turn(Server("customer.example", [Size(1000)]))
    provider = pair.server.turn(Client())
    assert provider.session.peer == "192.0.2.1"
    assert provider.session.get(Turned) == Turned(DOMAINS, "customer")

    assert customer.next_event() is Need.REPLY
    customer.accept()
    seen, replies = move(provider, customer)
    assert provider.session.hostname == "customer.example"
    commands: list[Command] = [Ehlo(Domain("mx.example")), mail(), rcpt(), Data()]
    for command in commands:
        provider.send(command)
    seen, replies = move(provider, customer)
    assert seen == commands
    assert [reply.code for reply in replies if isinstance(reply, Reply)] == [250, 250, 250, 354]
    assert provider.offered.get(Size) == Size(1000)
    provider.send(BodyChunk(b"Your mail\r\n"))
    provider.send(EndOfBody())
    seen, _ = move(provider, customer)
    assert seen == [BodyChunk(b"Your mail\r\n"), EndOfBody()]
    provider.send(Quit())
    move(provider, customer)
    assert provider.state is customer.state is State.CLOSED


def test_octets_on_the_way_go_over() -> None:
    pair = authenticated()
    pair.client.send(Atrn())
    pair.server.receive_data(pair.client.data_to_send())
    assert pair.server.next_event() == Atrn()
    pair.server.accept()
    # Not yet sent by the provider, and the customer is quicker than its greeting is read.
    provider = pair.server.turn(Client())
    reply = provider.data_to_send()
    assert reply.startswith(b"250 ")
    pair.client.receive_data(reply)
    assert isinstance(pair.client.next_event(), Reply)
    customer = pair.client.turn(Server("customer.example"))
    customer.accept()
    provider.receive_data(customer.data_to_send())
    greeting = provider.next_event()
    assert isinstance(greeting, Reply)
    assert greeting.code == 220


def test_a_greeting_that_comes_before_the_turn() -> None:
    pair = authenticated()
    pair.say(Atrn())
    pair.server.receive_data(b"220 customer.example ESMTP\r\n")
    pair.server.receive_data(b"")
    provider = pair.server.turn(Client())
    greeting = provider.next_event()
    assert isinstance(greeting, Reply)
    assert greeting.code == 220
    assert not isinstance(provider.next_event(), Need)  # closed, and that is told


def test_inside_tls_it_stays_there() -> None:
    facts = TLSFacts("TLSv1.3")
    inside = Session(secure=True, tls=facts, identity="customer")
    pair = Pair(OnDemandRelay(), session=inside, client_session=inside).hello()
    pair.say(Atrn())
    customer = pair.client.turn(Server("customer.example"))
    provider = pair.server.turn(Client())
    for session in (customer.session, provider.session):
        assert (session.secure, session.tls, session.identity) == (True, facts, None)


def test_after_the_turn_the_old_connections_are_over() -> None:
    pair = authenticated()
    pair.say(Atrn())
    pair.client.turn(Server("customer.example"))
    pair.server.turn(Client())
    assert pair.client.state is pair.server.state is State.CLOSED
    assert pair.client.next_event() is pair.server.next_event() is Need.DATA
    assert pair.client.data_to_send() == pair.server.data_to_send() == b""


def test_without_atrn_nothing_turns() -> None:
    pair = authenticated()
    with pytest.raises(LocalProtocolError, match="the roles do not change here"):
        pair.client.turn(Server("customer.example"))


def test_it_takes_a_new_connection_of_the_other_role() -> None:
    pair = authenticated()
    pair.say(Atrn())
    used = Server("customer.example")
    used.accept()
    for other in (Client(), used):
        with pytest.raises(LocalProtocolError, match="a new connection of the other role"):
            pair.client.turn(other)


def test_it_needs_authentication() -> None:
    pair = Pair(OnDemandRelay()).hello()
    assert OnDemandRelay in pair.client.offered
    assert pair.raw("ATRN customer.example").startswith("530 ATRN needs authentication")
    assert pair.client.state is State.READY


@pytest.mark.parametrize("answer", [TURN_REFUSED, ACCESS_UNKNOWN, NO_MAIL])
def test_refusals(answer: Reply) -> None:
    pair = authenticated()
    assert pair.say(Atrn(DOMAINS), answer=answer).code == answer.code
    assert pair.client.state is pair.server.state is State.READY


@pytest.mark.parametrize("names", ["localhost", "a.example,", "a.example b.example", "[192.0.2.1]"])
def test_malformed_domains(names: str) -> None:
    assert authenticated().raw(f"ATRN {names}").startswith("501 ")


def test_there_is_time_for_the_queue() -> None:
    pair = authenticated()
    pair.client.send(Atrn())
    assert pair.client.timeout == 600.0
