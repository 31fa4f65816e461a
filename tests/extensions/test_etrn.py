"""ETRN (RFC 1985)."""

from __future__ import annotations

import pytest

from smtpproto import LocalProtocolError, Reply
from smtpproto.extensions import Etrn, EtrnCommand
from smtpproto.testing import Pair
from tests.commands import mail

NODE = "customer.example"


@pytest.mark.parametrize("code", [250, 251, 252, 253, 458, 459])
def test_the_session_stays_where_it_was(code: int) -> None:
    pair = Pair.offering(Etrn()).hello()
    answer = pair.say(EtrnCommand(NODE), answers=[Reply(code)])
    assert (answer.code, answer.command) == (code, EtrnCommand(NODE))
    assert pair.say(mail()).code == 250


@pytest.mark.parametrize("node", ["", "localname", "@localname", "#", "a b.example", "@#x", "a..b"])
def test_nodes_that_are_none(node: str) -> None:
    reply = Pair.offering(Etrn()).hello().raw(f"ETRN {node}")
    assert reply.startswith("501 ETRN: expected a fully qualified domain name")


def test_not_within_a_transaction() -> None:
    pair = Pair.offering(Etrn()).hello()
    pair.say(mail())
    assert pair.raw(f"ETRN {NODE}").startswith("503 ")
    with pytest.raises(LocalProtocolError, match="ETRN is not possible here"):
        pair.client.send(EtrnCommand(NODE))


def test_a_client_that_said_helo_may_ask_too() -> None:
    pair = Pair.offering(Etrn()).hello(helo=True)
    assert Etrn in pair.server.offered
    assert Etrn not in pair.client.offered
    assert pair.raw(f"ETRN {NODE}").startswith("250 ")
