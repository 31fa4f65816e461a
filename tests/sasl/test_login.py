"""LOGIN (draft-murchison-sasl-login)."""

from __future__ import annotations

import pytest

from smtpproto.sasl import (
    Challenge,
    CheckPassword,
    ClientExchange,
    Credentials,
    Identity,
    Login,
    SASLError,
    SASLRefused,
    ServerExchange,
)
from tests.sasl.driver import context, exchange, users, wants

TIM = Credentials(username="tim", password="tanstaaftanstaaf")


def test_the_client_answers_in_order_whatever_the_prompts_say() -> None:
    here = ClientExchange(Login(), TIM, context())
    assert here.initial is None
    assert here.respond(b"User Name\0") == b"tim"
    assert here.respond(b"") == b"tanstaaftanstaaf"
    here.succeeded()


@pytest.mark.parametrize("initial", [None, b"tim"])
def test_the_server_takes_the_user_name_with_the_command_too(initial: bytes | None) -> None:
    there = ServerExchange(Login(), context(), initial)
    if initial is None:
        assert wants(there) == Challenge(b"Username:")
        there.answer(b"tim")
    assert wants(there) == Challenge(b"Password:")
    there.answer(b"tanstaaftanstaaf")
    assert wants(there) == CheckPassword("tim", "tanstaaftanstaaf")
    there.answer(True)
    assert there.identity == Identity("tim", "tim")


def test_a_wrong_password() -> None:
    outcome = exchange(Login(), TIM, users(tim="another"))
    assert isinstance(outcome.server_error, SASLRefused)
    assert outcome.identity is None


def test_an_answer_that_is_merely_true_lets_nobody_in() -> None:
    there = ServerExchange(Login(), context(), b"tim")
    there.answer(b"tanstaaftanstaaf")
    with pytest.raises(TypeError, match="check_password: expected True or False"):
        there.answer("yes")
    assert there.identity is None


@pytest.mark.parametrize("username, password", [(b"\xff", b"x"), (b"tim", b"x" * 1025)])
def test_malformed(username: bytes, password: bytes) -> None:
    there = ServerExchange(Login(), context(), username)
    with pytest.raises(SASLError) as found:
        there.answer(password)
    assert found.value.code == 501


@pytest.mark.parametrize("challenges", [0, 1])
def test_success_cannot_come_early(challenges: int) -> None:
    here = ClientExchange(Login(), TIM, context())
    for _ in range(challenges):
        here.respond(b"")
    with pytest.raises(SASLError, match="expected a challenge, found success"):
        here.succeeded()


def test_a_third_prompt_is_one_too_many() -> None:
    here = ClientExchange(Login(), TIM, context())
    here.respond(b"")
    here.respond(b"")
    with pytest.raises(SASLError, match="expected the outcome"):
        here.respond(b"")


@pytest.mark.parametrize("authorization, fits", [("", True), ("tim", True), ("ursel", False)])
def test_it_cannot_carry_an_authorization_identity(authorization: str, fits: bool) -> None:
    credentials = Credentials(username="tim", password="x", authorization=authorization)
    assert (Login().obstacle(credentials, context()) is None) is fits
