"""XFORWARD (Postfix's XFORWARD_README)."""

from __future__ import annotations

import pytest

from smtpproto import ContentChunk, Data, EndOfContent, LocalProtocolError, Rset, Session
from smtpproto.extensions import ForwardedClient, XClient, XClientCommand, XForward, XForwardCommand
from smtpproto.extensions.xclient import Unavailable
from smtpproto.testing import Pair
from smtpproto.wire.proxy_header_parser import TrustedNetworks
from tests.commands import CLIENT, mail, rcpt

FILTER = Session(peer="127.0.0.1")
LOCAL = TrustedNetworks(["127.0.0.0/8"])
OFFER = XForward(LOCAL)
NAME, ADDRESS = ("NAME", "spike.example"), ("ADDR", "192.0.2.2")


def trusted() -> Pair:
    return Pair.offering(OFFER, session=FILTER).hello()


def test_a_filter_tells_whose_message_it_passes_on() -> None:
    pair = trusted()
    assert OFFER.line() == "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE"
    assert pair.client.offered.get(XForward) == OFFER
    assert pair.say(XForwardCommand((NAME, ADDRESS, ("PROTO", "ESMTP")))).code == 250
    assert pair.say(XForwardCommand((("HELO", "a"), ("NAME", Unavailable.PERMANENT)))).code == 250
    for session in (pair.server.session, pair.client.session):
        fact = session.get(ForwardedClient)
        assert fact is not None
        assert fact.get("ADDR") == "192.0.2.2"
        assert (fact.get("HELO"), fact.get("NAME"), fact.get("PORT")) == ("a", None, None)
    assert pair.server.session.peer == "127.0.0.1"


def test_it_is_about_one_message() -> None:
    pair = trusted()
    pair.say(XForwardCommand((NAME,)))
    pair.talk(mail(), rcpt(), Data())
    assert pair.server.session.get(ForwardedClient) is not None
    assert pair.say(ContentChunk(b"Hi\r\n"), EndOfContent()).code == 250
    assert pair.server.session.get(ForwardedClient) is None
    assert pair.client.session.get(ForwardedClient) is None


def test_rset_forgets_it() -> None:
    pair = trusted()
    pair.say(XForwardCommand((NAME,)))
    pair.say(Rset())
    assert pair.server.session.facts == pair.client.session.facts == ()


def test_filters_that_are_not_trusted() -> None:
    pair = Pair.offering(OFFER, session=Session(peer="192.0.2.1")).hello()
    assert XForward not in pair.client.offered
    assert pair.raw("XFORWARD NAME=a") == "550 XFORWARD: insufficient authorization\r\n"
    assert pair.server.session.facts == ()


def test_the_client_of_a_proxy_is_not_trusted_but_the_proxy_is() -> None:
    pair = Pair.offering(XClient(LOCAL), XForward(LOCAL), session=FILTER).hello()
    assert pair.say(XClientCommand((ADDRESS,))).code == 220
    pair.hello()
    assert pair.say(XForwardCommand((NAME,))).code == 250
    far = Pair.offering(XForward(TrustedNetworks(["192.0.2.2"])), XClient(LOCAL), session=FILTER)
    far.hello()
    far.say(XClientCommand((ADDRESS,)))
    far.hello()
    assert far.server.session.peer == "192.0.2.2"
    assert XForward not in far.client.offered


def test_not_within_a_transaction() -> None:
    pair = trusted()
    pair.say(mail())
    assert pair.raw("XFORWARD NAME=a").startswith("503 ")


@pytest.mark.parametrize(
    "attribute, reason",
    [
        ("SOURCE=FAR", "expected SOURCE=LOCAL or SOURCE=REMOTE"),
        (f"PROTO={'x' * 65}", "expected up to 64 characters for PROTO"),
        ("LOGIN=x", "LOGIN is not offered here"),
    ],
)
def test_attributes_that_the_server_refuses(attribute: str, reason: str) -> None:
    assert trusted().raw(f"XFORWARD {attribute}").startswith(f"501 XFORWARD: {reason}")


@pytest.mark.parametrize("attribute", [("SOURCE", "local"), ("PROTO", "UUCP"), ("ADDR", "x25")])
def test_values_that_need_no_internet(attribute: tuple[str, str]) -> None:
    assert trusted().say(XForwardCommand((attribute,))).code == 250


def test_a_client_says_what_the_server_understands() -> None:
    pair = Pair.offering(XForward(LOCAL, ("NAME",)), session=FILTER).hello()
    assert pair.client.offered.get(XForward) == XForward(names=("NAME",))
    with pytest.raises(LocalProtocolError, match="ADDR is not offered here"):
        pair.client.send(XForwardCommand((ADDRESS,)))
    assert pair.server.session.name == CLIENT
