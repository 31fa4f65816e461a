"""Hosts and domains that accept no mail (RFC 7504)."""

from __future__ import annotations

import doctest

import pytest

from smtpproto import Client, Ehlo, LocalProtocolError, Need, Quit, Rejected, Reply, Server, State
from smtpproto.testing import Pair
from smtpproto.vocabulary import accepts_no_mail as refusals
from smtpproto.vocabulary.accepts_no_mail import DOMAIN_ACCEPTS_NO_MAIL, HOST_ACCEPTS_NO_MAIL
from tests.commands import CLIENT, mail, rcpt


def refusing() -> tuple[Client, Server]:
    client, server = Client(), Server("www.example")
    server.send(HOST_ACCEPTS_NO_MAIL)
    client.receive_data(server.data_to_send())
    return client, server


def test_a_host_that_accepts_no_mail_takes_quit_and_nothing_else() -> None:
    client, server = refusing()
    greeting = client.next_event()
    assert isinstance(greeting, Reply)
    assert (greeting.code, greeting.text) == (521, HOST_ACCEPTS_NO_MAIL.text)
    assert {client.state, server.state} == {State.REFUSED}
    with pytest.raises(LocalProtocolError, match="EHLO is not possible here"):
        client.send(Ehlo(CLIENT))
    client.send(Quit())
    server.receive_data(client.data_to_send())
    assert server.next_event() == Quit()
    server.accept()
    client.receive_data(server.data_to_send())
    reply = client.next_event()
    assert isinstance(reply, Reply)
    assert reply.code == 221
    assert client.state is server.state is State.CLOSED


def test_a_client_that_goes_on_all_the_same() -> None:
    _, server = refusing()
    server.receive_data(b"EHLO client.example\r\nMAIL FROM:<a@client.example>\r\n")
    events = [server.next_event(), server.next_event()]
    assert [type(event) for event in events] == [Rejected, Rejected]
    assert server.next_event() is Need.DATA
    assert server.data_to_send().startswith(b"503 ")


def test_a_relay_that_knows_of_a_domain_without_mail() -> None:
    pair = Pair.offering().hello()
    assert pair.say(mail()).code == 250
    reply = pair.say(rcpt(), answers=[DOMAIN_ACCEPTS_NO_MAIL])
    assert (reply.code, reply.permanent) == (556, True)
    assert pair.server.state is State.MAIL


@pytest.mark.parametrize("reply", [HOST_ACCEPTS_NO_MAIL, DOMAIN_ACCEPTS_NO_MAIL])
def test_what_they_mean(reply: Reply) -> None:
    assert not reply.explain().retry


def test_the_example_in_the_docstring() -> None:
    result = doctest.testmod(refusals)
    assert (result.failed, result.attempted) == (0, 4)
