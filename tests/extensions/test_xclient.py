"""XCLIENT (Postfix's XCLIENT_README)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from smtpproto import AddressLiteral, Domain, Ehlo, LocalProtocolError, Need, Reply, Session, State
from smtpproto.extensions import ClientOverride, HelpExtension, Pipelining, XClient, XClientCommand
from smtpproto.extensions.extension import TLSBegun
from smtpproto.extensions.xclient import AttributeCommand, Unavailable, ip_address
from smtpproto.testing import Pair
from smtpproto.vocabulary.command_base import Grammar
from smtpproto.vocabulary.command_parser import parse
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


def test_all_attributes() -> None:
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


def test_an_unknown_attribute_hides_the_fact_of_the_proxy() -> None:
    pair = trusted()
    pair.server.authenticated("proxy")
    unknown = Unavailable.PERMANENT
    command = XClientCommand((("ADDR", unknown), ("HELO", unknown), ("LOGIN", unknown)))
    assert pair.say(command).code == 220
    session = pair.server.session
    assert (session.peer, session.name, session.identity) == ("", None, None)


def test_an_address_stays_if_the_command_names_none() -> None:
    pair = trusted()
    assert pair.say(XClientCommand((("HELO", "not_a_domain!"),))).code == 220
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
    assert pair.server.session.peer == peer


def test_no_peer_is_trusted_by_default() -> None:
    assert XClient not in Pair.offering(XClient(), session=PROXY).hello().client.offered


def test_a_proxy_that_says_helo() -> None:
    pair = Pair.offering(OFFER, session=PROXY).hello(helo=True)
    assert pair.raw("XCLIENT ADDR=192.0.2.2 NAME=spike.example").startswith("220 ")
    assert pair.server.session.peer == "192.0.2.2"


def test_before_ehlo() -> None:
    """As with Postfix.  HELP is possible before EHLO, and so after XCLIENT too."""
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
def test_attributes_that_the_server_refuses(attribute: str, reason: str) -> None:
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
    refusal = Reply(554, "5.7.1", "not you")
    assert pair.say(XClientCommand((ADDRESS,)), answers=[refusal]).code == 554
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
    # After TLS has begun, the peer is the proxy again.
    session = XClient.after(TLSBegun(), pair.server.session)
    assert (session.peer, session.peer_port) == ("127.0.0.1", 999)
    assert XClient.after(TLSBegun(), PROXY) == PROXY


# --- attributes -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class XTry(AttributeCommand):
    verb = "XTRY"
    temporary = frozenset({"NAME"})


GRAMMAR = Grammar({"XTRY": XTry})


@pytest.mark.parametrize(
    "line, attributes",
    [
        ("xtry name=a.example addr=192.0.2.1", (("NAME", "a.example"), ("ADDR", "192.0.2.1"))),
        ("XTRY HELO=a+2Bb", (("HELO", "a+b"),)),
        ("XTRY NAME=[Unavailable]", (("NAME", Unavailable.PERMANENT),)),
        ("XTRY NAME=[tempunavail]", (("NAME", Unavailable.TEMPORARY),)),
        ("XTRY  PORT=25", (("PORT", "25"),)),
    ],
)
def test_attributes(line: str, attributes: object) -> None:
    assert parse(line.encode(), GRAMMAR) == XTry(attributes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "line, reason",
    [
        ("XTRY", "one or more attributes, each of them once"),
        ("XTRY NAME=a NAME=b", "one or more attributes, each of them once"),
        ("XTRY NAME", "expected name=value"),
        ("XTRY =a", "the name of an attribute"),
        ("XTRY N.A=a", "the name of an attribute"),
        ("XTRY NAME=", "visible ASCII characters for NAME"),
        ("XTRY NAME=a+20b", "visible ASCII characters for NAME"),
        ("XTRY NAME=a+0D+0Ab", "visible ASCII characters for NAME"),
        ("XTRY NAME=+C3+A4", "visible ASCII characters for NAME"),
        (f"XTRY NAME={'a' * 256}", "visible ASCII characters for NAME"),
        ("XTRY NAME=+5BUNAVAILABLE]", "visible ASCII characters for NAME"),
        ("XTRY NAME=a+b", "expected xtext"),
        ("XTRY PORT=smtp", "0 to 65535 for PORT"),
        ("XTRY DESTPORT=65536", "0 to 65535 for DESTPORT"),
        ("XTRY HELO=[TEMPUNAVAIL]", "a value of HELO or [UNAVAILABLE]"),
    ],
)
def test_malformed_attributes(line: str, reason: str) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        parse(line.encode(), GRAMMAR)
    assert reason in str(caught.value)
    assert caught.value.code == 501


def test_names_are_in_upper_case() -> None:
    with pytest.raises(LocalProtocolError, match="the name of an attribute"):
        XTry((("name", "a"),))


@pytest.mark.parametrize(
    "text, address",
    [
        ("192.0.2.1", "192.0.2.1"),
        ("IPV6:2001:db8::1", "2001:db8::1"),
        ("ipv6:2001:DB8:0::1", "2001:db8::1"),
        ("2001:db8::1", None),
        ("IPV6:192.0.2.1", None),
        ("IPV6:fe80::1%eth0", None),
        ("[192.0.2.1]", None),
        ("a.example", None),
    ],
)
def test_ip_addresses(text: str, address: str | None) -> None:
    assert ip_address(text) == address
