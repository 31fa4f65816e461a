"""ETRN (RFC 1985)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import LocalProtocolError, Reply
from smtpproto.commands import Grammar, parse
from smtpproto.extensions import Etrn, QueueStarting
from smtpproto.extensions.etrn import node_refused, pending_messages, queue_failed
from tests.pair import Pair, mail

GRAMMAR = Grammar({"ETRN": Etrn})
DOMAINS = st.from_regex(r"[a-z0-9-]{1,9}(\.[a-z0-9-]{1,9}){1,3}", fullmatch=True)
NODES = DOMAINS | DOMAINS.map("@{}".format) | st.from_regex("#[!-~]{1,20}", fullmatch=True)


@given(st.builds(Etrn, NODES))
def test_what_is_written_is_read_again(etrn: Etrn) -> None:
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
    pair = Pair(QueueStarting()).hello()
    answer = pair.say(Etrn(NODE), answer=reply)
    assert answer.code == code
    assert answer.command == Etrn(NODE)
    assert NODE in answer.text or reply is None
    # The session stays where it was.
    assert pair.say(mail()).code == 250


@pytest.mark.parametrize("node", ["", "localname", "@localname", "#", "a b.example", "@#x", "a..b"])
def test_nodes_that_are_none(node: str) -> None:
    reply = Pair(QueueStarting()).hello().raw(f"ETRN {node}")
    assert reply.startswith("501 ETRN: expected a fully qualified domain name")


def test_not_within_a_transaction() -> None:
    pair = Pair(QueueStarting()).hello()
    pair.say(mail())
    assert pair.raw(f"ETRN {NODE}").startswith("503 ")
    with pytest.raises(LocalProtocolError, match="ETRN is not possible here"):
        pair.client.send(Etrn(NODE))


def test_clients_that_say_helo_may_ask_too() -> None:
    pair = Pair(QueueStarting()).hello(helo=True)
    assert QueueStarting in pair.server.offered
    assert QueueStarting not in pair.client.offered
    assert pair.raw(f"ETRN {NODE}").startswith("250 ")
