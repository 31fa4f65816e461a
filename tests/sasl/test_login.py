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
    ServerExchange,
)
from tests.sasl.driver import context, wants

TIM = Credentials(username="tim", password="tanstaaftanstaaf")


def test_the_client_answers_in_order_and_ignores_the_prompts() -> None:
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
