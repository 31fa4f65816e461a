"""ENHANCEDSTATUSCODES (RFC 2034)."""

from __future__ import annotations

import pytest

from smtpproto import Data, Ehlo, Quit, Reply
from smtpproto.extensions import EnhancedStatusCodes
from smtpproto.testing import Pair
from tests.commands import CLIENT, mail, rcpt


@pytest.mark.parametrize("offered", [True, False])
def test_replies_carry_a_code_where_it_is_offered(offered: bool) -> None:
    pair = Pair.offering(*[EnhancedStatusCodes()] * offered).hello()
    replies = [
        pair.say(mail()),
        pair.say(rcpt(), answers=[Reply(550, "5.1.1", "no such mailbox")]),
        pair.say(Quit()),
    ]
    codes = ["2.1.0", "5.1.1", "2.0.0"] if offered else ["", "", ""]
    assert [reply.enhanced for reply in replies] == codes


def test_a_reply_without_a_code_gets_the_general_one() -> None:
    pair = Pair.offering(EnhancedStatusCodes()).hello()
    assert str(pair.say(mail(), answers=[Reply(451, "", "later")])) == "451 4.3.0 later"


def test_replies_that_go_without() -> None:
    """RFC 2034 section 4: the greeting, the reply to EHLO, and all 3xx."""
    pair = Pair.offering(EnhancedStatusCodes())
    assert pair.say(Ehlo(CLIENT)).lines == ("mx.example", "ENHANCEDSTATUSCODES")
    pair.say(mail())
    pair.say(rcpt())
    assert (pair.say(Data()).code, pair.client.next_event()) == (354, pair.server.next_event())
