"""CRAM-MD5 (RFC 2195)."""

from __future__ import annotations

from typing import Any

import pytest

from smtpproto.sasl import (
    Challenge,
    ClientExchange,
    CramMD5,
    Credentials,
    FetchSecret,
    Identity,
    SASLError,
    SASLRefused,
    ServerExchange,
    scram_keys,
)
from tests.sasl.driver import context, nonces, wants

# RFC 2195 section 2.
CHALLENGE = b"<1896.697170952@postoffice.reston.mci.net>"
RESPONSE = b"tim b913a602c7eda7a495b4e6e7334d3890"
TIM = Credentials(username="tim", password="tanstaaftanstaaf")
THERE = {"host": "postoffice.reston.mci.net"}


def server() -> ServerExchange:
    return ServerExchange(CramMD5(), context(nonce=nonces("1896.697170952"), **THERE))


def test_the_example_of_the_rfc() -> None:
    here, there = ClientExchange(CramMD5(), TIM, context()), server()
    assert here.initial is None
    assert wants(there) == Challenge(CHALLENGE)
    assert here.respond(CHALLENGE) == RESPONSE
    there.answer(RESPONSE)
    assert wants(there) == FetchSecret("CRAM-MD5", "tim")
    there.answer("tanstaaftanstaaf")
    assert there.identity == Identity("tim", "tim")
    here.succeeded()


@pytest.mark.parametrize(
    "response, secret",
    [
        (RESPONSE, "tanstaaftanstaag"),
        (RESPONSE, None),
        (RESPONSE, ""),
        (RESPONSE[:-1], "tanstaaftanstaaf"),
        (RESPONSE + b"0", "tanstaaftanstaaf"),
        (RESPONSE.upper(), "tanstaaftanstaaf"),
        (b"tim ", "tanstaaftanstaaf"),
        (b"tim \xff", "tanstaaftanstaaf"),
    ],
)
def test_refused(response: bytes, secret: str | None) -> None:
    there = server()
    there.answer(response)
    with pytest.raises(SASLRefused):
        there.answer(secret)
    assert there.identity is None


def test_a_digest_made_with_the_stand_in_for_an_unknown_user_does_not_help() -> None:
    """The nonce is the key then, and the client knows it."""
    guess = ClientExchange(
        CramMD5(), Credentials(username="tim", password="1896.697170952"), context()
    )
    there = server()
    there.answer(guess.respond(CHALLENGE))
    with pytest.raises(SASLRefused):
        there.answer(None)


def test_a_user_name_may_hold_spaces() -> None:
    here = ClientExchange(CramMD5(), Credentials(username="tim the first", password="x"), context())
    there = server()
    there.answer(here.respond(CHALLENGE))
    assert wants(there) == FetchSecret("CRAM-MD5", "tim the first")
    there.answer("x")
    assert there.identity == Identity("tim the first", "tim the first")


@pytest.mark.parametrize("response", [b"", b"tim", b"\xff b913a602c7eda7a495b4e6e7334d3890"])
def test_malformed(response: bytes) -> None:
    with pytest.raises(SASLError) as found:
        server().answer(response)
    assert found.value.code == 501


def test_there_is_no_initial_response() -> None:
    with pytest.raises(SASLError, match="expected no initial response") as found:
        ServerExchange(CramMD5(), context(), RESPONSE)
    assert (found.value.code, found.value.enhanced) == (501, "5.7.0")


@pytest.mark.parametrize("answer", [scram_keys("x", b"salt"), True, b"bytes"])
def test_only_a_password_will_do(answer: object) -> None:
    there = server()
    there.answer(RESPONSE)
    with pytest.raises(TypeError, match="CRAM-MD5 needs a password"):
        there.answer(answer)


@pytest.mark.parametrize("changes", [{"nonce": nonces("a<b")}, {"nonce": nonces("")}, {"host": ""}])
def test_the_challenge_has_to_be_a_message_id(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="msg-id"):
        ServerExchange(CramMD5(), context(**changes))


def test_the_client_wants_a_challenge() -> None:
    with pytest.raises(SASLError, match="found none"):
        ClientExchange(CramMD5(), TIM, context()).respond(b"")
    with pytest.raises(SASLError, match="expected a challenge"):
        ClientExchange(CramMD5(), TIM, context()).succeeded()
    over = ClientExchange(CramMD5(), TIM, context())
    over.respond(CHALLENGE)
    with pytest.raises(SASLError, match="expected the outcome"):
        over.respond(CHALLENGE)


def test_it_cannot_carry_an_authorization_identity() -> None:
    other = Credentials(username="tim", password="x", authorization="ursel")
    with pytest.raises(SASLError, match="CRAM-MD5 cannot be used: it cannot carry an authoriz"):
        ClientExchange(CramMD5(), other, context())


def test_a_user_name_that_cannot_be_prepared_is_an_obstacle() -> None:
    odd = Credentials(username="\x07", password="x")
    with pytest.raises(SASLError, match="CRAM-MD5 cannot be used: SASLprep"):
        ClientExchange(CramMD5(), odd, context())
