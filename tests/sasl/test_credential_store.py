"""The credential store in memory."""

from __future__ import annotations

from typing import Any

import pytest

from smtpproto.sasl import (
    CheckToken,
    CramMD5,
    Credentials,
    OAuthBearer,
    SASLError,
    ScramKeys,
    ScramSHA1,
    ScramSHA256,
    Users,
    scram_keys,
)
from smtpproto.sasl import credential_store as module
from tests.sasl.driver import SECRET, exchange, users

KEYS = scram_keys("pencil", b"a salt of its own", 5000)
KEYS_SHA1 = scram_keys("pencil", b"a salt of its own", 5000, "sha1")


@pytest.mark.parametrize("entry", ["pencil", KEYS, KEYS_SHA1, [KEYS, KEYS_SHA1], (KEYS_SHA1,)])
def test_a_password_is_checked_against_every_kind_of_entry(entry: Any) -> None:
    store = Users({"user": entry}, secret=SECRET)
    assert store.check_password("user", "pencil") is True
    assert store.check_password("user", "pen") is False
    assert store.check_password("user", "\x07") is False
    assert store.check_password("nobody", "pencil") is False


def test_names_and_passwords_are_prepared() -> None:
    store = users(Ⅸ="I\u00adX")
    assert store.check_password("IX", "IX")
    assert exchange(
        ScramSHA1(), Credentials(username="I\u00adX", password="\u2168"), store
    ).believed


@pytest.mark.parametrize(
    "mechanism, entry, believed",
    [
        (ScramSHA256(), "pencil", True),
        (ScramSHA1(), "pencil", True),
        (CramMD5(), "pencil", True),
        (ScramSHA256(), KEYS, True),
        (ScramSHA1(), KEYS, False),
        (ScramSHA1(), [KEYS, KEYS_SHA1], True),
        (CramMD5(), KEYS, False),
    ],
)
def test_what_each_mechanism_gets(mechanism: Any, entry: Any, believed: bool) -> None:
    store = Users({"user": entry}, secret=SECRET)
    me = Credentials(username="user", password="pencil")
    assert exchange(mechanism, me, store).believed is believed
    nobody = Credentials(username="nobody", password="pencil")
    assert not exchange(mechanism, nobody, store).believed


def test_a_known_user_looks_like_an_unknown_one() -> None:
    known, unknown = users(tim="x"), users(tom="x")
    one = known.fetch_secret("SCRAM-SHA-256", "tim")
    other = unknown.fetch_secret("SCRAM-SHA-256", "tim")
    assert isinstance(one, ScramKeys)
    assert isinstance(other, ScramKeys)
    assert (one.salt, one.iterations) == (other.salt, other.iterations)
    assert one != other


@pytest.mark.parametrize("username", ["user", "nobody"])
def test_a_check_costs_one_derivation_for_every_name(
    username: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = users(user="pencil")
    costs = []

    def count(password: str, salt: bytes, iterations: int, algorithm: str) -> ScramKeys:
        costs.append((iterations, algorithm))
        return scram_keys(password, salt, iterations, algorithm)

    monkeypatch.setattr(module, "scram_keys", count)
    store.check_password(username, "guess")
    assert costs == [(4096, "sha256")]


def test_an_unknown_user_has_no_password_not_even_by_chance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "unknown_user_keys", lambda *arguments: KEYS)
    assert users().check_password("nobody", "pencil") is False


def test_who_may_act_as_whom() -> None:
    store = Users({"tim": "x"}, secret=SECRET, delegates={"tim": ["ursel"], "cert": {"tim"}})
    assert store.authorize("tim", "tim")
    assert store.authorize("tim", "ursel")
    assert store.authorize("cert", "tim")
    assert not store.authorize("tim", "root")
    assert not store.authorize("tom", "tom")
    assert not users(tim="x").authorize("tim", "ursel")


def test_tokens() -> None:
    store = Users({}, secret=SECRET, tokens={"t0ken": "tim"})
    assert CheckToken("tim", "t0ken").asked_of(store) is not None
    me = Credentials(username="tim", token="t0ken")
    assert exchange(OAuthBearer(), me, store).believed
    assert not exchange(OAuthBearer(), Credentials(username="tim", token="t0ke"), store).believed
    assert not exchange(OAuthBearer(), Credentials(username="tom", token="t0ken"), store).believed
    # Without tokens there is no method, so the mechanisms for them are not offered.
    assert CheckToken("tim", "t0ken").asked_of(users(tim="x")) is None


@pytest.mark.parametrize(
    "arguments, error",
    [
        ({"users": {}, "secret": b"too short"}, ValueError),
        ({"users": {"tim": []}, "secret": SECRET}, ValueError),
        ({"users": {"tim": "\x07"}, "secret": SECRET}, SASLError),
        ({"users": {"\x07": "x"}, "secret": SECRET}, SASLError),
        ({"users": {"tim": ""}, "secret": SECRET}, SASLError),
        ({"users": {"": "x"}, "secret": SECRET}, SASLError),
    ],
)
def test_what_cannot_be_stored(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Users(**arguments)


def test_keys_for_another_hash_alone_do_not_serve() -> None:
    other = scram_keys("pencil", b"salt", 4096, "sha512")
    with pytest.raises(ValueError, match="SHA-256 or SHA-1"):
        Users({"user": other}, secret=SECRET)


def test_a_store_shows_how_many_it_holds_and_no_more() -> None:
    assert repr(users(tim="x", tom="y")) == "<Users: 2 users>"
