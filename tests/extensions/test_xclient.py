"""XCLIENT (Postfix's XCLIENT_README)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smtpproto import AddressLiteral, Domain, Ehlo, LocalProtocolError, Need, Reply, Session, State
from smtpproto.extensions import ClientOverride, HelpExtension, Pipelining, XClient, XClientCommand
from smtpproto.extensions.extension import TLSBegun
from smtpproto.testing import Pair
from smtpproto.vocabulary.xclient_attributes import Unavailable
from smtpproto.wire.proxy_header_parser import TrustedNetworks
from tests.commands import CLIENT, mail

PROXY = Session(peer="127.0.0.1")
OFFER = XClient(TrustedNetworks(["127.0.0.0/8"]))
NAME, ADDRESS = ("NAME", "spike.example"), ("ADDR", "192.0.2.2")


def trusted(session: Session = PROXY) -> Pair:
    return Pair.offering(OFFER, Pipelining(), session=session).hello()


def test_a_proxy_and_its_client() -> None:
    pair = trusted()
    assert pair.client.offered.get(XClient) == OFFER
    reply = pair.say(XClientCommand((NAME, ADDRESS)))
    assert (reply.code, reply.text) == (220, "ESMTP")
    assert pair.client.state is pair.server.state is State.GREETED
    session = pair.server.session
    assert (session.peer, session.name, session.identity) == ("192.0.2.2", None, None)
    assert not session.extended
    fact = session.get(ClientOverride)
    assert fact is not None
    assert (fact.get("NAME"), fact.get("PORT")) == ("spike.example", None)
    # What the proxy says of its client does not change whom the proxy itself talks to.
    assert pair.client.session.peer == ""
    assert pair.client.session.get(ClientOverride) is None
    assert pair.say(Ehlo(Domain("spike.example"))).code == 250
    assert pair.say(mail()).code == 250
    assert pair.server.session.peer == "192.0.2.2"


def test_everything_that_can_be_said() -> None:
    pair = trusted()
    attributes = (
        ("NAME", Unavailable.TEMPORARY),
        ("ADDR", "IPV6:2001:db8::2"),
        ("PORT", "4711"),
        ("PROTO", "ESMTP"),
        ("HELO", "[IPv6:2001:db8::2]"),
        ("LOGIN", "user"),
        ("DESTADDR", "192.0.2.25"),
        ("DESTPORT", "25"),
    )
    assert pair.say(XClientCommand(attributes)).code == 220
    session = pair.server.session
    assert session.peer == "2001:db8::2"
    assert session.identity == "user"
    assert session.name == AddressLiteral("IPv6:2001:db8::2")
    fact = session.get(ClientOverride)
    assert fact == ClientOverride(attributes)
    assert fact.get("NAME") is None


def test_several_commands_before_ehlo() -> None:
    """The attributes may not fit one line, so other proxies send them in a group."""
    pair = trusted()
    assert pair.say(XClientCommand((NAME, ADDRESS))).code == 220
    assert pair.say(XClientCommand((("HELO", "spike.example"), ("LOGIN", "user")))).code == 220
    session = pair.server.session
    assert (session.peer, session.name) == ("192.0.2.2", Domain("spike.example"))
    assert session.identity == "user"


def test_what_is_unknown_is_not_the_proxy_s() -> None:
    pair = trusted()
    pair.server.authenticated("proxy")
    unknown = Unavailable.PERMANENT
    assert (
        pair.say(XClientCommand((("ADDR", unknown), ("HELO", unknown), ("LOGIN", unknown)))).code
        == 220
    )
    session = pair.server.session
    assert (session.peer, session.name, session.identity) == ("", None, None)


def test_an_address_is_kept_that_nothing_is_said_of() -> None:
    pair = trusted()
    assert pair.say(XClientCommand((("HELO", "not a domain!".replace(" ", "_")),))).code == 220
    assert (pair.server.session.peer, pair.server.session.name) == ("127.0.0.1", None)
    fact = pair.server.session.get(ClientOverride)
    assert fact is not None
    assert fact.get("HELO") == "not_a_domain!"


def test_the_proxy_stays_trusted_and_its_client_is_not() -> None:
    pair = trusted()
    assert pair.say(XClientCommand((ADDRESS,))).code == 220
    assert pair.say(Ehlo(CLIENT)).code == 250
    assert pair.say(XClientCommand((("ADDR", "192.0.2.3"),))).code == 220
    assert pair.server.session.peer == "192.0.2.3"


@pytest.mark.parametrize("peer", ["192.0.2.1", "", "/run/socket"])
def test_peers_that_are_not_trusted(peer: str) -> None:
    pair = Pair.offering(OFFER, session=Session(peer=peer)).hello()
    assert XClient not in pair.client.offered
    with pytest.raises(LocalProtocolError, match="XCLIENT is not offered"):
        pair.client.send(XClientCommand((ADDRESS,)))
    assert pair.raw("XCLIENT ADDR=127.0.0.1") == "550 XCLIENT: insufficient authorization\r\n"
    assert pair.raw("XCLIENT ADDR=127.0.0.1") == "550 XCLIENT: insufficient authorization\r\n"
    assert pair.server.session.peer == peer


def test_nobody_is_trusted_unless_it_is_said() -> None:
    assert XClient not in Pair.offering(XClient(), session=PROXY).hello().client.offered


def test_a_proxy_that_says_helo() -> None:
    pair = Pair.offering(OFFER, session=PROXY).hello(helo=True)
    assert pair.raw("XCLIENT ADDR=192.0.2.2 NAME=spike.example").startswith("220 ")
    assert pair.server.session.peer == "192.0.2.2"


def test_before_ehlo() -> None:
    """As Postfix has it; and what may be said before EHLO may be said behind XCLIENT, too."""
    pair = Pair.offering(OFFER, HelpExtension(), session=PROXY)
    assert pair.raw("XCLIENT ADDR=192.0.2.2").startswith("220 ")
    assert pair.server.session.peer == "192.0.2.2"
    assert pair.raw("HELP").startswith("214 ")
    assert Pair.offering(OFFER).raw("XCLIENT ADDR=192.0.2.2").startswith("550 ")


def test_not_within_a_transaction() -> None:
    pair = trusted()
    pair.say(mail())
    assert pair.raw("XCLIENT ADDR=192.0.2.2").startswith("503 XCLIENT is not possible here")


@pytest.mark.parametrize(
    "attribute, reason",
    [
        ("ADDR=a.example", "expected an IP address for ADDR"),
        ("ADDR=2001:db8::1", "expected an IP address for ADDR"),
        ("DESTADDR=a.example", "expected an IP address for DESTADDR"),
        ("PROTO=UUCP", "expected PROTO=SMTP or PROTO=ESMTP"),
        ("SESSION=x", "SESSION is not offered here"),
    ],
)
def test_malformed_attributes(attribute: str, reason: str) -> None:
    reply = trusted().raw(f"XCLIENT {attribute}")
    assert reply.startswith(f"501 XCLIENT: {reason}")


def test_a_client_says_what_the_server_understands() -> None:
    pair = Pair.offering(XClient(TrustedNetworks(["::1"]), ("NAME",)), session=Session(peer="::1"))
    pair.hello()
    assert pair.say(XClientCommand((NAME,))).code == 220
    with pytest.raises(LocalProtocolError, match="ADDR is not offered here"):
        pair.client.send(XClientCommand((ADDRESS,)))


def test_a_client_that_is_refused() -> None:
    pair = trusted()
    assert (
        pair.say(XClientCommand((ADDRESS,)), answers=[Reply(554, "5.7.1", "not you")]).code == 554
    )
    assert pair.client.state is pair.server.state is State.READY
    assert pair.server.session.peer == "127.0.0.1"
    assert pair.server.session.get(ClientOverride) is None


def test_the_session_may_be_closed() -> None:
    pair = trusted()
    assert pair.say(XClientCommand((ADDRESS,)), answers=[Reply(421)]).code == 421
    assert pair.client.state is pair.server.state is State.CLOSED
    assert pair.client.next_event() is Need.DATA


def test_the_ehlo_line() -> None:
    assert OFFER.line() == "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"
    assert XClient.parse_offer("Name Addr").names == ("NAME", "ADDR")


def test_the_port_is_that_of_the_client() -> None:
    pair = Pair.offering(OFFER, Pipelining(), session=replace(PROXY, peer_port=999)).hello()
    assert pair.server.session.peer_port == 999
    pair.say(XClientCommand((ADDRESS, ("PORT", "2525"))))
    assert (pair.server.session.peer, pair.server.session.peer_port) == ("192.0.2.2", 2525)
    pair.hello()
    pair.say(XClientCommand((("PORT", Unavailable.PERMANENT),)))
    assert pair.server.session.peer_port == 0
    # TLS makes forget whom the proxy spoke for.
    session = XClient.after(TLSBegun(), pair.server.session)
    assert (session.peer, session.peer_port) == ("127.0.0.1", 999)
    assert XClient.after(TLSBegun(), PROXY) == PROXY
