"""What OAUTHBEARER and XOAUTH2 share; how they differ is in their own files."""

from __future__ import annotations

import pytest

from smtpproto.sasl import (
    Challenge,
    ClientExchange,
    ClientHalf,
    Context,
    Credentials,
    SASLError,
    SASLRefused,
    ServerExchange,
    ServerHalf,
    TokenRefused,
)
from smtpproto.sasl.bearer_token import Bearer, acting, explained
from tests.sasl.driver import context, wants

ME = Credentials(username="tim", token="s3cret")


class Bare(Bearer):
    """The least that a subclass has to say."""

    name = "X-BARE"
    dummy = b"-"

    def explain(self, refused: TokenRefused) -> dict[str, str]:
        return {"status": refused.status, "scope": refused.scope}

    def client(self, credentials: Credentials, context: Context) -> ClientHalf:
        yield from self.present((credentials.token or "").encode(), credentials)

    def server(self, context: Context) -> ServerHalf:
        token = yield Challenge(b"")
        return (yield from self.verify("", token.decode()))


def test_a_refusal_is_explained_before_it_is_one() -> None:
    here = ClientExchange(Bare(), ME, context())
    there = ServerExchange(Bare(), context(), here.initial)
    there.answer(TokenRefused("expired", "mail"))
    assert wants(there) == Challenge(b'{"status":"expired","scope":"mail"}')
    assert here.respond(b'{"status":"expired","scope":"mail"}') == b"-"
    with pytest.raises(SASLRefused):
        there.answer(b"-")
    assert str(here.refused()).endswith(": status 'expired', scope 'mail'")


def test_a_refusal_without_an_explanation() -> None:
    assert str(ClientExchange(Bare(), ME, context()).refused()) == (
        "the server refused the credentials (RFC 4954 section 6)"
    )


@pytest.mark.parametrize(
    "credentials, who",
    [
        (Credentials(), ""),
        (Credentials(username="tim"), "tim"),
        (Credentials(username="tim", authorization="ursel"), "ursel"),
    ],
)
def test_whom_the_client_acts_as(credentials: Credentials, who: str) -> None:
    assert acting(credentials) == who


@pytest.mark.parametrize(
    "explanation",
    [
        *(b"", b"not JSON", b"\xff", b"[" * 9000, b"1" * 9000, b"[]", b"{}", b'{"status": 401}'),
        b'{"status": "bad s3cret"}',
    ],
)
def test_an_explanation_that_explains_nothing(explanation: bytes) -> None:
    assert explained(explanation, ME) == "the server refused the token (RFC 7628 section 3.2.2)"


@pytest.mark.parametrize(
    "credentials, obstacle",
    [
        (ME, None),
        (Credentials(username="tim"), "a token is needed"),
        (Credentials(username="u", password="p"), "a token is needed"),
        (Credentials(username="\x01", token="t"), "the user name may not hold a control-A"),
        (Credentials(username="a\x01auth=Bearer b", token="t"), "the user name may not hold"),
    ],
)
def test_what_it_needs(credentials: Credentials, obstacle: str | None) -> None:
    found = Bare().obstacle(credentials, context())
    if obstacle is None:
        assert found is None
        return
    assert (found or "").startswith(obstacle)
    with pytest.raises(SASLError, match=obstacle):
        ClientExchange(Bare(), credentials, context())


def test_after_an_explanation_only_failure_can_come() -> None:
    here = ClientExchange(Bare(), ME, context())
    here.respond(b"{}")
    with pytest.raises(SASLError, match="X-BARE: expected a failure, found success"):
        here.succeeded()
    here = ClientExchange(Bare(), ME, context())
    here.respond(b"{}")
    with pytest.raises(SASLError, match="X-BARE: expected a failure, found another challenge"):
        here.respond(b"{}")


@pytest.mark.parametrize("answer", [True, 1, "", b"tim", object()])
def test_other_answers_of_the_store(answer: object) -> None:
    there = ServerExchange(Bare(), context(), b"s3cret")
    with pytest.raises(TypeError, match="check_token: expected an identity or a refusal"):
        there.answer(answer)
    assert there.identity is None


def test_how_a_refusal_is_worded_is_left_to_subclasses() -> None:
    with pytest.raises(NotImplementedError):
        Bearer().explain(TokenRefused())
