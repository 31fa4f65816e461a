"""XOAUTH2, as Google and Microsoft describe it."""

from __future__ import annotations

import json

import pytest

from smtpproto.sasl import (
    Challenge,
    CheckToken,
    ClientExchange,
    Credentials,
    Identity,
    SASLError,
    SASLRefused,
    ServerExchange,
    TokenRefused,
    XOAuth2,
)
from tests.sasl.driver import context, wants

ME = Credentials(username="someuser@example.com", token="ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGE")
MESSAGE = b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGE\x01\x01"


def test_the_clients_message() -> None:
    here = ClientExchange(XOAuth2(), ME, context())
    assert here.initial == MESSAGE
    here.succeeded()


def test_the_server_asks_whose_token_it_is() -> None:
    there = ServerExchange(XOAuth2(), context(), MESSAGE)
    assert wants(there) == CheckToken("someuser@example.com", ME.token or "")
    there.answer("someuser@example.com")
    assert there.identity == Identity("someuser@example.com", "someuser@example.com")


@pytest.mark.parametrize(
    "answer, explanation",
    [
        (None, {"status": "401", "schemes": "bearer"}),
        (
            TokenRefused(scope="https://mail.example/"),
            {"status": "401", "schemes": "bearer", "scope": "https://mail.example/"},
        ),
    ],
)
def test_a_refused_token(answer: object, explanation: dict[str, str]) -> None:
    here = ClientExchange(XOAuth2(), ME, context())
    there = ServerExchange(XOAuth2(), context(), here.initial)
    there.answer(answer)
    assert isinstance(there.request, Challenge)
    assert json.loads(there.request.octets) == explanation
    assert here.respond(there.request.octets) == b""
    with pytest.raises(SASLRefused):
        there.answer(b"")
    assert "status '401'" in str(here.refused())


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"user=\x01auth=Bearer t\x01\x01",
        b"user=a\x01auth=Bearer t\x01",
        b"user=a\x01auth=Basic t\x01\x01",
        b"user=a\x01auth=Bearer t u\x01\x01",
        b"user=a\x01auth=Bearer t\x01\x01x",
        b"auth=Bearer t\x01user=a\x01\x01",
        b"user=\xff\x01auth=Bearer t\x01\x01",
        b"user=" + b"x" * 1025 + b"\x01auth=Bearer t\x01\x01",
    ],
)
def test_malformed(message: bytes) -> None:
    with pytest.raises(SASLError) as found:
        ServerExchange(XOAuth2(), context(), message)
    assert found.value.code == 501


def test_an_unpreparable_user_is_refused() -> None:
    with pytest.raises(SASLRefused):
        ServerExchange(XOAuth2(), context(), b"user=\x07\x01auth=Bearer t\x01\x01")


def test_it_needs_a_user_name() -> None:
    obstacle = XOAuth2().obstacle(Credentials(token="t"), context())
    assert (obstacle or "").startswith("a user name is needed")
