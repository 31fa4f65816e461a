"""ETRN (RFC 1985)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import LocalProtocolError, Reply
from smtpproto.extensions import Etrn, EtrnCommand
from smtpproto.extensions.etrn import node_refused, pending_messages, queue_failed
from smtpproto.testing import Pair
from smtpproto.vocabulary.command_base import Grammar
from smtpproto.vocabulary.command_parser import parse
from tests.commands import mail

GRAMMAR = Grammar({"ETRN": EtrnCommand})
DOMAINS = st.from_regex(r"[a-z0-9-]{1,9}(\.[a-z0-9-]{1,9}){1,3}", fullmatch=True)
NODES = DOMAINS | DOMAINS.map("@{}".format) | st.from_regex("#[!-~]{1,20}", fullmatch=True)


@given(st.builds(EtrnCommand, NODES))
def test_what_is_written_is_read_again(etrn: EtrnCommand) -> None:
    assert parse(str(etrn).encode(), GRAMMAR) == etrn


NODE = "customer.example"


@pytest.mark.parametrize(
    "reply, code",
    [
        (None, 250),
        (pending_messages(NODE, 0), 251),
        (pending_messages(NODE), 252),
        (pending_messages(NODE, 14), 253),
        (queue_failed(NODE), 458),
        (node_refused(NODE, "unable to resolve the name"), 459),
    ],
)
def test_the_replies(reply: Reply | None, code: int) -> None:
    pair = Pair.offering(Etrn()).hello()
    answer = pair.say(EtrnCommand(NODE), answers=[reply])
    assert answer.code == code
    assert answer.command == EtrnCommand(NODE)
    assert NODE in answer.text or reply is None
    # The session stays where it was.
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


def test_clients_that_say_helo_may_ask_too() -> None:
    pair = Pair.offering(Etrn()).hello(helo=True)
    assert Etrn in pair.server.offered
    assert Etrn not in pair.client.offered
    assert pair.raw(f"ETRN {NODE}").startswith("250 ")
