"""NO-SOLICITING (RFC 3865)."""

from __future__ import annotations

import pytest

from smtpproto import LocalProtocolError
from smtpproto.extensions import NoSoliciting, Solicit
from smtpproto.extensions.no_soliciting import unsolicited
from smtpproto.testing import Pair
from tests.commands import mail, rcpt

ADV, ADLT = "net.example:ADV", "org.example:ADV:ADLT"


@pytest.mark.parametrize("text", ["", "=1ADV", "=net.example:ADV,", "=,a", "=a+b"])
def test_malformed_values(text: str) -> None:
    reply = Pair.offering(NoSoliciting()).hello().raw(f"MAIL FROM:<a@client.example> SOLICIT{text}")
    assert reply.startswith("501 SOLICIT: expected solicitation class keywords")


def test_too_many_characters() -> None:
    Solicit(("a" * 1000,))
    with pytest.raises(LocalProtocolError, match="in 1000 characters"):
        Solicit(("a" * 1001,))


@pytest.mark.parametrize("keywords", [(), (ADV,), (ADV, ADLT)])
def test_ehlo_lines(keywords: tuple[str, ...]) -> None:
    extension = NoSoliciting(keywords)
    assert Pair.offering(extension).hello().client.offered.get(NoSoliciting) == extension


def test_offers_that_are_none() -> None:
    with pytest.raises(LocalProtocolError, match="NO-SOLICITING: expected"):
        NoSoliciting.parse_offer("a b")


def test_classes_that_the_server_refuses() -> None:
    pair = Pair.offering(NoSoliciting((ADV,))).hello()
    reply = pair.raw(f"MAIL FROM:<a@client.example> SOLICIT={ADLT},NET.example:adv")
    assert reply == "550 SOLICIT=NET.example:adv\r\n"
    with pytest.raises(LocalProtocolError, match=f"SOLICIT={ADV}"):
        pair.client.send(mail(Solicit((ADV,))))


@pytest.mark.parametrize("command", [mail(), mail(Solicit((ADLT,)))])
def test_other_messages(command: object) -> None:
    assert Pair.offering(NoSoliciting((ADV,))).hello().say(command).code == 250  # type: ignore[arg-type]


def test_a_recipient_with_a_sign_of_its_own() -> None:
    pair = Pair.offering(NoSoliciting()).hello()
    command = mail(Solicit((ADLT,)))
    refusal = unsolicited(command, (ADLT,))
    assert refusal is not None
    replies = pair.talk(command, rcpt(), answers=[None, refusal])
    assert [str(reply) for reply in replies[1:]] == [f"550 SOLICIT={ADLT}"]


def test_the_line_may_be_longer() -> None:
    long = Solicit(("a" * 1000,))
    pair = Pair.offering(NoSoliciting()).hello()
    assert pair.say(mail(long)).code == 250
    refusal = unsolicited(mail(long), long.keywords)
    assert refusal is not None
    assert len(refusal.text) < 500
