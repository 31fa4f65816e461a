"""PLAIN (RFC 4616)."""

from __future__ import annotations

import pytest

from smtpproto.sasl import (
    Authorize,
    Challenge,
    CheckPassword,
    ClientExchange,
    Credentials,
    Identity,
    Plain,
    SASLError,
    SASLRefused,
    ServerExchange,
)
from tests.sasl.driver import context, exchange, users, wants

TIM = Credentials(username="tim", password="tanstaaftanstaaf")
KURT = Credentials(username="Kurt", password="xipj3plmq", authorization="Ursel")


@pytest.mark.parametrize(
    "credentials, message",
    [
        (TIM, b"\0tim\0tanstaaftanstaaf"),  # RFC 4616 section 4
        (KURT, b"Ursel\0Kurt\0xipj3plmq"),
        (Credentials(username="é", password="\u2168"), "\0é\0\u2168".encode()),
    ],
)
def test_the_clients_message(credentials: Credentials, message: bytes) -> None:
    here = ClientExchange(Plain(), credentials, context())
    assert here.initial == message
    here.succeeded()


def test_the_server_asks_about_the_password() -> None:
    there = ServerExchange(Plain(), context(), b"\0tim\0tanstaaftanstaaf")
    assert wants(there) == CheckPassword("tim", "tanstaaftanstaaf")
    there.answer(True)
    assert wants(there) is None
    assert there.identity == Identity("tim", "tim")


def test_without_initial_response_the_server_asks_for_it() -> None:
    there = ServerExchange(Plain(), context())
    assert wants(there) == Challenge(b"")
    there.answer(b"Ursel\0Kurt\0xipj3plmq")
    assert wants(there) == CheckPassword("Kurt", "xipj3plmq")
    there.answer(True)
    assert wants(there) == Authorize("Kurt", "Ursel")
    there.answer(True)
    assert there.identity == Identity("Kurt", "Ursel")


def test_both_strings_are_prepared() -> None:
    there = ServerExchange(Plain(), context(), "\0\u2168\0I\u00adX".encode())
    assert wants(there) == CheckPassword("IX", "IX")


@pytest.mark.parametrize(
    "message, why",
    [
        (b"", "expected"),
        (b"tim\0secret", "expected"),
        (b"\0tim\0", "expected"),
        (b"\0\0secret", "expected"),
        (b"\0tim\0sec\0ret", "expected"),
        (b"\0tim\0\xff", "expected UTF-8"),
        (b"\0tim\0" + b"x" * 1025, "at most 1024"),
        (b"x" * 1025 + b"\0tim\0secret", "at most 1024"),
    ],
)
def test_malformed(message: bytes, why: str) -> None:
    with pytest.raises(SASLError, match=why) as found:
        ServerExchange(Plain(), context(), message)
    assert (found.value.code, found.value.enhanced) == (501, "5.5.2")


@pytest.mark.parametrize("message", [b"\0\x07\0secret", b"\0tim\0\x07", b"\0tim\0\xc2\xad"])
def test_what_cannot_be_prepared_is_refused(message: bytes) -> None:
    with pytest.raises(SASLRefused):
        ServerExchange(Plain(), context(), message)


def test_wrong_password_and_unknown_user_look_the_same() -> None:
    store = users(tim="tanstaaftanstaaf")
    wrong = exchange(Plain(), Credentials(username="tim", password="x"), store)
    unknown = exchange(Plain(), Credentials(username="tom", password="x"), store)
    assert wrong.server_error is not None
    assert str(wrong.server_error) == str(unknown.server_error)
    assert wrong.server_error.code == 535


def test_the_client_expects_no_challenge() -> None:
    here = ClientExchange(Plain(), TIM, context())
    with pytest.raises(SASLError, match="expected the outcome, found a challenge of 5 octets"):
        here.respond(b"hello")
