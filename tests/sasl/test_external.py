"""EXTERNAL (RFC 4422 appendix A)."""

from __future__ import annotations

import pytest

from smtpproto.sasl import (
    Authorize,
    ClientExchange,
    Credentials,
    External,
    Identity,
    SASLError,
    SASLRefused,
    ServerExchange,
    Users,
)
from tests.sasl.driver import SECRET, context, exchange, wants

NAMED = context(external=("tim.example", "tim"))


@pytest.mark.parametrize(
    "authorization, question",
    [
        (b"", Authorize("tim.example", "tim.example")),
        (b"tim", Authorize("tim", "tim")),
        (b"ursel", Authorize("tim.example", "ursel")),
    ],
)
def test_the_store_has_the_last_word(authorization: bytes, question: Authorize) -> None:
    there = ServerExchange(External(), NAMED, authorization)
    assert wants(there) == question
    there.answer(True)
    assert there.identity == Identity(question.authentication, question.authorization)
    there = ServerExchange(External(), NAMED, authorization)
    with pytest.raises(SASLRefused, match="may not act"):
        there.answer(False)


def test_a_client_without_a_certificate_is_refused() -> None:
    with pytest.raises(SASLRefused, match="no certificate"):
        ServerExchange(External(), context(), b"tim")
    assert not External().offered_in(context())
    assert External().offered_in(NAMED)


@pytest.mark.parametrize("message, error", [(b"\xff", SASLError), (b"\x07", SASLRefused)])
def test_malformed(message: bytes, error: type[SASLError]) -> None:
    with pytest.raises(error):
        ServerExchange(External(), NAMED, message)


def test_both_halves() -> None:
    store = Users({"tim": "unused"}, secret=SECRET, delegates={"tim.example": ["ursel"]})
    me = Credentials(external=True, authorization="tim")
    assert exchange(External(), me, store, server=NAMED).identity == Identity("tim", "tim")
    ursel = Credentials(external=True, authorization="ursel")
    outcome = exchange(External(), ursel, store, server=NAMED)
    assert outcome.identity == Identity("tim.example", "ursel")
    assert outcome.believed
    # The store does not know the owner of this certificate.
    stranger = exchange(External(), Credentials(external=True), store, server=NAMED)
    assert isinstance(stranger.server_error, SASLRefused)


def test_what_it_needs() -> None:
    mechanism = External()
    assert mechanism.obstacle(Credentials(external=True), context()) is None
    assert mechanism.obstacle(Credentials(), context()) is not None
    assert "TLS" in (mechanism.obstacle(Credentials(external=True), context(secure=False)) or "")


def test_the_client_expects_no_challenge() -> None:
    here = ClientExchange(External(), Credentials(external=True), context())
    assert here.initial == b""
    with pytest.raises(SASLError):
        here.respond(b"")
