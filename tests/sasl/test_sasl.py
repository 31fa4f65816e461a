"""Which mechanisms a client uses and a server offers."""

from __future__ import annotations

from typing import Any

import pytest

from smtpproto.sasl import Credentials, Mechanism, Users
from smtpproto.sasl.mechanism_choice import (
    MECHANISMS,
    available,
    choose,
    known_mechanisms,
    obstacles,
)
from tests.sasl.driver import BINDINGS, SECRET, context, users

ALL = tuple(MECHANISMS)
PASSWORD = Credentials(username="tim", password="x")
TOKEN = Credentials(username="tim", token="x")


def chosen(credentials: Credentials, offered: tuple[str, ...], **options: Any) -> list[str]:
    allowed = options.pop("allowed", ())
    found = choose(credentials, context(offered=offered, **options), allowed=allowed)
    return [mechanism.name for mechanism in found]


def test_the_strongest_comes_first() -> None:
    assert chosen(PASSWORD, ALL) == ["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"]
    assert chosen(PASSWORD, tuple(reversed(ALL))) == chosen(PASSWORD, ALL)
    assert chosen(TOKEN, ALL) == ["OAUTHBEARER", "XOAUTH2"]
    assert chosen(Credentials(external=True), ALL) == ["EXTERNAL"]
    assert chosen(Credentials(anonymous=""), ALL) == ["ANONYMOUS"]
    assert chosen(Credentials(), ALL) == []


def test_what_is_not_offered_is_not_used() -> None:
    assert chosen(PASSWORD, ("LOGIN", "plain", "LOGIN", "X-OWN")) == ["PLAIN", "LOGIN"]
    assert chosen(PASSWORD, ()) == []


def test_no_reusable_secret_goes_over_an_open_channel() -> None:
    assert chosen(PASSWORD, ("PLAIN", "LOGIN", "SCRAM-SHA-1"), secure=False) == ["SCRAM-SHA-1"]
    assert chosen(TOKEN, ALL, secure=False) == []
    assert chosen(PASSWORD, ("PLAIN", "LOGIN"), secure=False, allowed=("LOGIN",)) == ["LOGIN"]


def test_channel_binding_is_used_where_both_sides_can() -> None:
    assert chosen(PASSWORD, ALL, channel_bindings=BINDINGS)[:2] == [
        "SCRAM-SHA-256-PLUS",
        "SCRAM-SHA-1-PLUS",
    ]
    # RFC 5802 section 6: the plain form of an offered -PLUS mechanism would be a way around it.
    assert "SCRAM-SHA-256" not in chosen(PASSWORD, ALL, channel_bindings=BINDINGS)
    assert chosen(PASSWORD, ("SCRAM-SHA-256",), channel_bindings=BINDINGS) == ["SCRAM-SHA-256"]


def test_a_password_beyond_saslprep_goes_by_plain() -> None:
    odd = Credentials(username="tim", password="\U0001f511")
    assert chosen(odd, ("PLAIN", "SCRAM-SHA-256")) == ["PLAIN"]


def test_a_person_learns_why_nothing_fits() -> None:
    offered = ("PLAIN", "XOAUTH2", "X-OWN", "SCRAM-SHA-1")
    assert obstacles(PASSWORD, context(offered=offered, secure=False), allowed=("XOAUTH2",)) == {
        "PLAIN": "it sends a reusable secret, and the channel is not secure",
        "XOAUTH2": "a token is needed",
        "X-OWN": "it is not known here",
        "SCRAM-SHA-1": "",
    }


def offered(store: object, **options: Any) -> tuple[str, ...]:
    names, allowed = options.pop("names", None), options.pop("allowed", ())
    return available(context(**options), store, names=names, allowed=allowed)


def test_what_a_server_offers() -> None:
    assert offered(users(tim="x")) == ("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN")
    assert offered(users(tim="x"), secure=False) == ("SCRAM-SHA-256", "SCRAM-SHA-1")
    assert offered(users(tim="x"), secure=False, allowed=("PLAIN",))[-1] == "PLAIN"
    everything = Users({}, secret=SECRET, tokens={}, anonymous=True)
    on_tls = {"channel_bindings": BINDINGS, "external": ("tim",)}
    assert offered(everything, names=ALL, **on_tls) == ALL
    assert set(ALL) - set(offered(everything, **on_tls)) == {"CRAM-MD5", "ANONYMOUS"}
    assert offered(users(), names=("CRAM-MD5", "XOAUTH2")) == ("CRAM-MD5",)


def test_what_the_store_cannot_answer_is_not_offered() -> None:
    class Checks:
        def check_password(self, username: str, password: str) -> bool:
            return False

    assert offered(Checks(), names=ALL) == ("PLAIN", "LOGIN")
    assert offered(object(), names=ALL) == ()


def test_a_mechanism_of_ones_own() -> None:
    class Own(Mechanism):
        name = "X-OWN"
        strength = 99

    known = {**MECHANISMS, "X-OWN": Own()}
    here = context(offered=("PLAIN", "X-OWN"))
    assert [each.name for each in choose(PASSWORD, here, mechanisms=known)] == ["X-OWN", "PLAIN"]
    assert available(here, object(), mechanisms=known) == ("X-OWN",)
    assert choose(PASSWORD, here, mechanisms={}) == ()


def test_the_registry_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        MECHANISMS["X"] = Mechanism()  # type: ignore[index]  # that it cannot is the point


class Own(Mechanism):
    name = "X-OWN"


def test_what_an_option_stands_for() -> None:
    assert known_mechanisms(None) is MECHANISMS
    assert list(known_mechanisms(["LOGIN", "PLAIN"])) == ["PLAIN", "LOGIN"]
    own = {**MECHANISMS, "X-OWN": Own()}
    assert known_mechanisms(own) is own


@pytest.mark.parametrize(
    "given, error, said",
    [
        ("PLAIN", TypeError, "expected a collection of names, found 'PLAIN'"),
        (["PLIAN"], ValueError, "PLIAN is not known here, which are EXTERNAL, "),
        ({"X-OWN": Own}, TypeError, "X-OWN: expected a Mechanism object, found <class"),
        ({"X-ELSE": Own()}, ValueError, "X-ELSE: the mechanism calls itself X-OWN"),
    ],
)
def test_options_that_stand_for_none(given: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        known_mechanisms(given)
