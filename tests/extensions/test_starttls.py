"""STARTTLS (RFC 3207)."""

from __future__ import annotations

import pytest

from smtpproto import (
    Data,
    Ehlo,
    LocalProtocolError,
    Need,
    Noop,
    Protocol,
    Quit,
    Rejected,
    RemoteProtocolError,
    Session,
    State,
    TLSFacts,
)
from smtpproto.extensions import (
    Auth,
    Chunking,
    ExpnExtension,
    HelpExtension,
    Size,
    StartTls,
    StartTlsCommand,
)
from smtpproto.testing import Pair
from smtpproto.testing.attacks import BEHIND_STARTTLS, BEHIND_STARTTLS_REPLY
from tests.commands import CLIENT, mail, rcpt

FACTS = TLSFacts("TLSv1.3", "TLS_AES_128_GCM_SHA256")


def within_tls(*extensions: object, **options: object) -> Pair:
    pair = Pair.offering(StartTls(**options), *extensions).hello()  # type: ignore[arg-type]
    pair.tls = None
    assert pair.say(StartTlsCommand()).code == 220
    assert pair.server.next_event() is Need.TLS
    assert pair.client.next_event() is Need.TLS
    pair.tls = FACTS
    pair.run()
    return pair


def test_everything_is_forgotten_but_the_handshake() -> None:
    pair = within_tls(Size(1000))
    for side in (pair.client, pair.server):
        assert side.state is State.GREETED
        assert side.session.secure
        assert side.session.tls == FACTS
        assert side.session.name is None
        assert len(side.offered) == 0
    pair.hello()
    assert Size in pair.client.offered
    assert StartTls not in pair.client.offered
    assert pair.say(mail()).code == 250


def test_once_is_enough() -> None:
    pair = within_tls().hello()
    assert pair.raw("STARTTLS").startswith("503 STARTTLS is possible once")
    with pytest.raises(LocalProtocolError, match="once") as caught:
        pair.client.send(StartTlsCommand())
    assert (caught.value.code, caught.value.enhanced) == (503, "5.5.1")


def test_not_offered_on_a_channel_that_is_secure() -> None:
    pair = Pair.offering(StartTls(), session=Session(secure=True)).hello()
    assert StartTls not in pair.client.offered
    assert pair.raw("STARTTLS").startswith("503")


def test_only_where_no_transaction_is_under_way() -> None:
    pair = Pair.offering(StartTls())
    assert pair.raw("STARTTLS").startswith("503 STARTTLS is not possible here")
    pair.hello().say(mail())
    with pytest.raises(LocalProtocolError, match="not possible here"):
        pair.client.send(StartTlsCommand())
    assert pair.raw("STARTTLS").startswith("503 STARTTLS is not possible here")


def test_arguments_are_refused() -> None:
    pair = Pair.offering(StartTls()).hello()
    assert pair.raw("STARTTLS now").startswith("501 STARTTLS takes no argument")
    assert pair.server.state is State.READY


def test_where_it_is_required() -> None:
    pair = Pair.offering(StartTls(required=True))
    assert pair.raw("HELO client.example").startswith("530 Must issue a STARTTLS command first")
    pair.hello()
    assert pair.say(Noop()).code == 250
    assert pair.say(Ehlo(CLIENT)).code == 250
    assert pair.say(Quit()).code == 221
    Pair.offering(StartTls(required=True), protocol=Protocol.LMTP).hello()


@pytest.mark.parametrize("hello", [False, True])
def test_where_it_is_required_even_what_is_out_of_order_or_malformed(hello: bool) -> None:
    """RFC 3207 section 4: 530 to every command but EHLO, NOOP, STARTTLS and QUIT."""
    pair = Pair.offering(
        StartTls(required=True), Chunking(), Auth(("PLAIN",)), HelpExtension(), ExpnExtension()
    )
    if hello:
        pair.hello()
    lines = ["MAIL FROM:<>", "RCPT TO:<b@mx.example>", "DATA", "BDAT 0 LAST", "RSET", "HELP"]
    lines += ["EXPN list", "VRFY bob", "HELO c.example", "AUTH PLAIN", "AUTH PLAIN !", "MAIL"]
    lines += ["DATA 1"]
    assert {line: pair.raw(line)[:3] for line in lines} == dict.fromkeys(lines, "530")
    assert pair.raw("NOOP").startswith("250")


def test_nothing_is_demanded_within_tls() -> None:
    pair = within_tls(required=True).hello()
    assert [reply.code for reply in pair.talk(mail(), rcpt(), Data())][:2] == [250, 250]


@pytest.mark.parametrize("tail", BEHIND_STARTTLS)
def test_commands_injected_behind_the_command(tail: bytes) -> None:
    """The attack of CVE-2011-0411: a man in the middle adds plain text to the client's STARTTLS."""
    pair = Pair.offering(StartTls()).hello()
    pair.server.receive_data(b"STARTTLS\r\n" + tail)
    event = pair.server.next_event()
    assert isinstance(event, Rejected)
    assert event.reply.code == 421
    assert b"421" in pair.server.data_to_send()
    assert pair.server.state is State.CLOSED


def test_commands_injected_before_the_handshake() -> None:
    """The same, when the plain text comes in a segment of its own, behind our reply."""
    pair = Pair.offering(StartTls()).hello()
    assert pair.raw("STARTTLS").startswith("220")
    pair.server.receive_data(b"MAIL FROM:<m@evil.example>\r\n")
    event = pair.server.next_event()
    assert isinstance(event, Rejected)
    # Where a handshake is expected, a reply would be noise.
    assert pair.server.data_to_send() == b""
    assert pair.server.state is State.CLOSED
    with pytest.raises(LocalProtocolError):
        pair.server.tls_established(FACTS)


@pytest.mark.parametrize("tail", BEHIND_STARTTLS_REPLY)
def test_replies_injected_behind_the_reply(tail: bytes) -> None:
    """CVE-2020-15685 and its likes: what a client reads as the reply to its EHLO inside TLS."""
    pair = Pair.offering(StartTls()).hello()
    pair.client.send(StartTlsCommand())
    pair.client.receive_data(b"220 2.0.0 Ready\r\n" + tail)
    reply = pair.client.next_event()
    assert getattr(reply, "code", 0) == 220
    with pytest.raises(RemoteProtocolError, match="plain text follow"):
        pair.client.next_event()
    assert pair.client.state is State.ERROR


def test_a_negative_reply_changes_nothing() -> None:
    pair = Pair.offering(StartTls()).hello()
    pair.server.receive_data(b"STARTTLS\r\n")
    pair.server.next_event()
    pair.server.reject(454, "4.7.0", "TLS not available due to temporary reason")
    assert pair.server.state is State.READY
    assert StartTls in pair.server.offered
