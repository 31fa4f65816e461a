"""DELIVERBY (RFC 2852)."""

from __future__ import annotations

import pytest

from smtpproto import LocalProtocolError
from smtpproto.extensions import By, DeliverBy
from smtpproto.testing import Pair
from tests.commands import mail


@pytest.mark.parametrize(
    "text, by",
    [
        ("120;R", By(120, returned=True)),
        ("+120;r", By(120, returned=True)),
        ("120;RT", By(120, returned=True, trace=True)),
        ("0;N", By(0)),
        ("-999999999;nt", By(-999_999_999, trace=True)),
    ],
)
def test_by_values(text: str, by: By) -> None:
    assert By.parse(text) == by


@pytest.mark.parametrize(
    "text, reason",
    [
        ("BY", "expected seconds"),
        ("BY=120", "expected seconds"),
        ("BY=120;", "expected seconds"),
        ("BY=120;X", "expected seconds"),
        ("BY=;N", "expected seconds"),
        ("BY=1234567890;N", "expected seconds"),
        ("BY=1.5;N", "expected seconds"),
        ("BY=120;NTT", "expected seconds"),
        ("BY=0;R", "expected more than 0 seconds with mode R, found 0"),
        ("BY=-5;R", "expected more than 0 seconds with mode R, found -5"),
    ],
)
def test_malformed_values(text: str, reason: str) -> None:
    reply = Pair.offering(DeliverBy()).hello().raw(f"MAIL FROM:<a@client.example> {text}")
    assert reply.startswith(f"501 BY: {reason}")
    assert "RFC 2852 section 4" in reply


@pytest.mark.parametrize("seconds", [10**9, -(10**9), pytest.param(10**5000, id="huge")])
def test_more_than_nine_digits(seconds: int) -> None:
    with pytest.raises(LocalProtocolError, match="up to nine digits"):
        By(seconds)


def test_a_message_to_be_delivered_in_time() -> None:
    pair = Pair.offering(DeliverBy(60)).hello()
    assert pair.client.offered.get(DeliverBy) == DeliverBy(60)
    assert pair.say(mail(By(60, returned=True))).code == 250


def test_times_that_are_too_short() -> None:
    pair = Pair.offering(DeliverBy(60)).hello()
    assert pair.raw("MAIL FROM:<a@client.example> BY=59;R").startswith(
        "555 BY: the least time is 60"
    )
    with pytest.raises(LocalProtocolError, match="the least time is 60 seconds") as caught:
        pair.client.send(mail(By(59, returned=True)))
    assert caught.value.code == 555


@pytest.mark.parametrize("least", [60, None])
def test_the_least_time_is_not_for_notifications(least: int | None) -> None:
    pair = Pair.offering(DeliverBy(least)).hello()
    assert pair.say(mail(By(-5))).code == 250


def test_no_least_time() -> None:
    assert Pair.offering(DeliverBy()).hello().say(mail(By(1, returned=True))).code == 250


@pytest.mark.parametrize(
    "extension, line",
    [
        (DeliverBy(), "DELIVERBY"),
        (DeliverBy(240), "DELIVERBY 240"),
        (DeliverBy(240, ("X", "y-2")), "DELIVERBY 240,X,y-2"),
        (DeliverBy(None, ("X",)), "DELIVERBY ,X"),
    ],
)
def test_ehlo_lines(extension: DeliverBy, line: str) -> None:
    assert extension.line() == line
    assert DeliverBy.parse_offer(line.partition(" ")[2]) == extension


@pytest.mark.parametrize("arguments", ["soon", "-1", "1234567890", "240,", "240 X"])
def test_offers_that_cannot_be_read(arguments: str) -> None:
    with pytest.raises(LocalProtocolError, match="expected seconds"):
        DeliverBy.parse_offer(arguments)


@pytest.mark.parametrize("extension", [(10**9,), (-1,), (1, ("a b",)), (1, ("",))])
def test_offers_that_cannot_be_written(extension: tuple[int]) -> None:
    with pytest.raises(ValueError, match="is no deliverby-param"):
        DeliverBy(*extension)
