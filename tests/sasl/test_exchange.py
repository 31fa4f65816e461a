"""The shells around the two halves."""

from __future__ import annotations

from typing import Any

import pytest

from smtpproto.sasl import (
    Challenge,
    CheckPassword,
    ClientExchange,
    ClientHalf,
    Context,
    Credentials,
    Mechanism,
    Plain,
    SASLError,
    SASLRefused,
    ServerExchange,
    ServerHalf,
)
from tests.sasl.driver import context, wants

ME = Credentials(username="tim", password="x")


class Odd(Mechanism):
    """Both halves do what their contract does not foresee."""

    name = "X-ODD"

    def client(self, credentials: Credentials, context: Context) -> ClientHalf:
        try:
            yield b"first"
        except SASLRefused:
            return

    def server(self, context: Context) -> ServerHalf:
        yield Challenge(b"")
        return "tim"  # type: ignore[return-value]  # just what a user might write


class Chatty(Mechanism):
    """A client that does not know when it is over."""

    name = "X-CHATTY"

    def client(self, credentials: Credentials, context: Context) -> ClientHalf:
        while True:
            yield b"more"


def test_a_client_half_that_ends_early() -> None:
    here = ClientExchange(Odd(), ME, context())
    with pytest.raises(SASLError, match="X-ODD: expected the outcome, found a challenge"):
        here.respond(b"challenge")
    with pytest.raises(SASLError, match="found success before"):
        here.succeeded()


def test_a_client_half_that_swallows_its_refusal() -> None:
    here = ClientExchange(Odd(), ME, context())
    assert str(here.refused()).startswith("the server refused the credentials")


def test_a_client_half_that_goes_on_after_success() -> None:
    here = ClientExchange(Chatty(), ME, context())
    assert here.respond(b"") == b"more"
    with pytest.raises(SASLError, match="X-CHATTY: found success before"):
        here.succeeded()


def test_an_exchange_is_used_once() -> None:
    here = ClientExchange(Plain(), ME, context())
    here.succeeded()
    with pytest.raises(SASLError, match="found success"):
        here.succeeded()
    here = ClientExchange(Plain(), ME, context())
    assert here.refused().code == 535
    with pytest.raises(SASLError):
        here.succeeded()
    with pytest.raises(SASLError):
        here.respond(b"")


def test_a_server_half_without_an_identity() -> None:
    there = ServerExchange(Odd(), context())
    with pytest.raises(TypeError, match="X-ODD ended without an identity"):
        there.answer(b"first")
    assert there.identity is None


@pytest.mark.parametrize("response", [None, "text", True])
def test_a_response_is_octets(response: Any) -> None:
    there = ServerExchange(Plain(), context())
    with pytest.raises(TypeError, match="expected a response as bytes"):
        there.answer(response)


def test_a_failed_server_exchange_stays_failed() -> None:
    there = ServerExchange(Plain(), context(), b"\0tim\0x")
    with pytest.raises(SASLRefused):
        there.answer(False)
    assert wants(there) is None
    with pytest.raises(TypeError, match="without an identity"):
        there.answer(True)
    assert there.identity is None


@pytest.mark.parametrize("answer", ["yes", 1, object()])
def test_a_password_is_not_right_because_an_answer_is_truthy(answer: object) -> None:
    there = ServerExchange(Plain(), context(), b"\0tim\0x")
    assert isinstance(there.request, CheckPassword)
    with pytest.raises(TypeError):
        there.answer(answer)
    assert there.identity is None


def test_the_base_class_is_no_mechanism() -> None:
    class Nothing(Mechanism):
        name = "X-NOTHING"

    with pytest.raises(NotImplementedError):
        ClientExchange(Nothing(), ME, context())
    with pytest.raises(NotImplementedError):
        ServerExchange(Nothing(), context())
