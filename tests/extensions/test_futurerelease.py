"""FUTURERELEASE (RFC 4865)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from smtpproto import LocalProtocolError, Parameter
from smtpproto.extensions import By, DeliverBy, FutureRelease, HoldFor, HoldUntil
from smtpproto.testing import Pair
from tests.commands import mail

UTC = timezone.utc
LATEST = datetime(2030, 1, 31, tzinfo=UTC)
OFFER = FutureRelease(86_400, LATEST)


def test_moments_are_written_in_utc() -> None:
    local = datetime(2030, 1, 2, 3, tzinfo=timezone(timedelta(hours=2)))
    assert str(HoldUntil(local)) == "HOLDUNTIL=2030-01-02T01:00:00Z"


@pytest.mark.parametrize(
    "text, reason",
    [
        ("HOLDFOR", "HOLDFOR: expected 1 to 999999999 seconds"),
        ("HOLDFOR=0", "HOLDFOR: expected 1 to 999999999 seconds"),
        ("HOLDFOR=01", "HOLDFOR: expected 1 to 999999999 seconds"),
        ("HOLDFOR=1000000000", "HOLDFOR: expected 1 to 999999999 seconds"),
        ("HOLDUNTIL", "HOLDUNTIL: expected a date-time"),
        ("HOLDUNTIL=tomorrow", "HOLDUNTIL: expected a date-time"),
        ("HOLDUNTIL=2030-01-02T03:04:05+01:00", "HOLDUNTIL: expected a time in UTC"),
        ("HOLDFOR=86401", "HOLDFOR: at most 86400 seconds"),
        ("HOLDUNTIL=2030-01-31T00:00:01Z", "HOLDUNTIL: at the latest 2030-01-31T00:00:00Z"),
        ("HOLDFOR=1 HOLDUNTIL=2030-01-02T03:04:05Z", "HOLDFOR and HOLDUNTIL exclude each other"),
        ("HOLDFOR=100 BY=99;R", "the message would be held for longer than BY allows"),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    pair = Pair.offering(OFFER, DeliverBy()).hello()
    assert pair.raw(f"MAIL FROM:<a@client.example> {text}").startswith(f"501 {reason}")


@pytest.mark.parametrize(
    "parameters",
    [
        (HoldFor(86_400),),
        (HoldUntil(LATEST),),
        (HoldFor(100), By(100, returned=True)),
        (HoldUntil(LATEST), By(1)),
        (By(1),),
        (),
    ],
)
def test_what_is_taken(parameters: tuple[Parameter, ...]) -> None:
    assert Pair.offering(OFFER, DeliverBy()).hello().say(mail(*parameters)).code == 250


def test_a_client_does_not_ask_for_too_much() -> None:
    pair = Pair.offering(OFFER).hello()
    with pytest.raises(LocalProtocolError, match="at most 86400 seconds") as caught:
        pair.client.send(mail(HoldFor(86_401)))
    assert (caught.value.code, caught.value.enhanced) == (501, "5.5.4")


def test_the_ehlo_line() -> None:
    assert OFFER.line() == "FUTURERELEASE 86400 2030-01-31T00:00:00Z"
    assert Pair.offering(OFFER).hello().client.offered.get(FutureRelease) == OFFER


@pytest.mark.parametrize("arguments", ["", "86400", "86400 soon", "0 2030-01-31T00:00:00Z"])
def test_offers_that_cannot_be_read(arguments: str) -> None:
    with pytest.raises(LocalProtocolError):
        FutureRelease.parse_offer(arguments)


def test_values_that_cannot_be_written() -> None:
    for seconds in (0, 10**9, 10**5000):
        with pytest.raises(LocalProtocolError, match="expected 1 to 999999999"):
            HoldFor(seconds)
    with pytest.raises(LocalProtocolError, match="offset from UTC"):
        HoldUntil(datetime(2030, 1, 2))  # noqa: DTZ001  the subject of the test
    with pytest.raises(LocalProtocolError, match="FUTURERELEASE: expected 1"):
        FutureRelease(0, LATEST)
