"""What a mechanism is, and the last step of a server's half."""

from __future__ import annotations

import pytest

from smtpproto.sasl import (
    Authorize,
    Credentials,
    Identity,
    Mechanism,
    SASLRefused,
    ServerHalf,
    authorized,
)
from smtpproto.sasl import mechanism as module
from smtpproto.sasl.mechanism_choice import MECHANISMS
from tests.sasl.driver import context


@pytest.mark.parametrize("mechanism", MECHANISMS.values(), ids=list(MECHANISMS))
def test_names_are_what_rfc_4422_allows(mechanism: Mechanism) -> None:
    assert 1 <= len(mechanism.name) <= 20
    assert mechanism.name == mechanism.name.upper()
    assert set(mechanism.name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
    assert mechanism.asks


def test_strengths_are_all_different() -> None:
    assert len({mechanism.strength for mechanism in MECHANISMS.values()}) == len(MECHANISMS)


def test_what_a_subclass_inherits() -> None:
    mechanism = Mechanism()
    assert mechanism.obstacle(Credentials(), context()) is None
    assert mechanism.offered_in(context())
    assert mechanism.offered_unasked(context())
    assert (mechanism.client_first, mechanism.plaintext, mechanism.default) == (True, False, True)


def run(half: ServerHalf, answer: object) -> tuple[list[object], Identity]:
    asked: list[object] = []
    try:
        asked.append(next(half))
        while True:
            asked.append(half.send(answer))
    except StopIteration as stop:
        identity = stop.value
        assert isinstance(identity, Identity)
        return asked, identity


@pytest.mark.parametrize(
    "half, asked, identity",
    [
        (authorized("tim", ""), [], Identity("tim", "tim")),
        (authorized("tim", "tim"), [], Identity("tim", "tim")),
        (authorized("IX", "\u2168"), [], Identity("IX", "IX")),
        (authorized("tim", "", always=True), [Authorize("tim", "tim")], Identity("tim", "tim")),
        (authorized("tim", "\u2168"), [Authorize("tim", "IX")], Identity("tim", "IX")),
    ],
)
def test_who_the_client_acts_as(half: ServerHalf, asked: list[object], identity: Identity) -> None:
    assert run(half, True) == (asked, identity)


@pytest.mark.parametrize("authorization", ["ursel", "\x07"])
def test_not_allowed(authorization: str) -> None:
    with pytest.raises(SASLRefused):
        run(authorized("tim", authorization), False)


@pytest.mark.parametrize(
    "credentials, delegation, lacking",
    [
        (Credentials(username="u", password="p"), True, None),
        (Credentials(username="u", password="p", authorization="v"), True, None),
        (Credentials(username="u", password="p", authorization="u"), False, None),
        (
            Credentials(username="u", password="p", authorization="v"),
            False,
            "it cannot carry an authorization identity",
        ),
        (Credentials(username="u"), True, "a user name and a password are needed"),
    ],
)
def test_what_a_mechanism_with_password_lacks(
    credentials: Credentials, delegation: bool, lacking: str | None
) -> None:
    assert module.password_obstacle(credentials, delegation=delegation) == lacking


@pytest.mark.parametrize(
    "password, stored, fits",
    [("x", True, True), ("\U0001f511", False, True), ("\U0001f511", True, False)],
)
def test_what_cannot_be_hashed(password: str, stored: bool, fits: bool) -> None:
    me = Credentials(username="u", password=password)
    assert (module.preparation_obstacle(me, stored=stored) is None) is fits
