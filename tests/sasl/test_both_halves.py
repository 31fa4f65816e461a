"""Properties of every mechanism: both halves against each other, and tampered messages.

A wrong secret is always refused, all octets give the documented errors only, and no text that a
person might log holds a secret.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from smtpproto.sasl import (
    Authorize,
    Challenge,
    CheckPassword,
    CheckToken,
    ClientExchange,
    Context,
    Credentials,
    Identity,
    Mechanism,
    SASLError,
    SASLRefused,
    ScramKeys,
    ServerExchange,
    Users,
    prepare,
    scram_keys,
)
from smtpproto.sasl.mechanism_choice import MECHANISMS
from tests.effort import effort
from tests.sasl.driver import BINDINGS, SECRET, Outcome, Tamper, context, exchange, nonces, texts

PASSWORDS = [
    each
    for each in MECHANISMS.values()
    if each.obstacle(Credentials(username="u", password="p"), context(channel_bindings=BINDINGS))
    is None
]
DELEGATING = [each for each in PASSWORDS if each.name not in {"LOGIN", "CRAM-MD5"}]
TOKENS = [MECHANISMS["OAUTHBEARER"], MECHANISMS["XOAUTH2"]]


F = TypeVar("F", bound=Callable[..., None])


def named(mechanisms: list[Mechanism]) -> Callable[[F], F]:
    mark: Callable[[F], F] = pytest.mark.parametrize(
        "mechanism", mechanisms, ids=[each.name for each in mechanisms]
    )
    return mark


def channel(mechanism: Mechanism, *nonce: str) -> Context:
    bound = BINDINGS if mechanism.name.endswith("-PLUS") else {}
    return context(channel_bindings=bound, external=("cert",), nonce=nonces(*nonce))


def run(mechanism: Mechanism, me: Credentials, store: object, **options: Any) -> Outcome:
    here, there = channel(mechanism, "client"), channel(mechanism, "server")
    return exchange(mechanism, me, store, client=here, server=there, **options)


def test_every_mechanism_is_among_those_tried() -> None:
    tried = {each.name for each in (*PASSWORDS, *TOKENS)}
    assert set(MECHANISMS) - tried == {"EXTERNAL", "ANONYMOUS"}
    assert len(PASSWORDS) == 7


@named(PASSWORDS)
@given(username=texts, password=texts, initial=st.booleans())
def test_the_right_password_opens(
    mechanism: Mechanism, username: str, password: str, initial: bool
) -> None:
    me = Credentials(username=username, password=password)
    store = Users({username: password}, secret=SECRET)
    outcome = run(mechanism, me, store, initial=initial)
    assert outcome.identity == Identity(prepare(username), prepare(username))
    assert outcome.believed


@named(PASSWORDS)
@given(username=texts, password=texts, wrong=texts, known=st.booleans())
def test_a_wrong_password_does_not(
    mechanism: Mechanism, username: str, password: str, wrong: str, known: bool
) -> None:
    assume(not known or prepare(password) != prepare(wrong))
    me = Credentials(username=username, password=wrong)
    store = Users({username: password} if known else {}, secret=SECRET)
    outcome = run(mechanism, me, store)
    assert isinstance(outcome.server_error, SASLRefused)
    assert outcome.identity is None
    assert not outcome.believed


@named(DELEGATING)
@given(username=texts, authorization=texts, allowed=st.booleans())
def test_acting_as_another(
    mechanism: Mechanism, username: str, authorization: str, allowed: bool
) -> None:
    who, wanted = prepare(username), prepare(authorization)
    assume(who != wanted)
    me = Credentials(username=username, password="x", authorization=authorization)
    store = Users({username: "x"}, secret=SECRET, delegates={who: [wanted]} if allowed else {})
    outcome = run(mechanism, me, store)
    assert outcome.identity == (Identity(who, wanted) if allowed else None)


@named(TOKENS)
@given(
    username=texts,
    token=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40),
    right=st.booleans(),
)
def test_tokens(mechanism: Mechanism, username: str, token: str, right: bool) -> None:
    tokens = {token if right else token + "x": prepare(username)}
    me = Credentials(username=username, token=token)
    outcome = run(mechanism, me, Users({}, secret=SECRET, tokens=tokens))
    assert outcome.believed is right
    assert (outcome.identity is not None) is right
    assert isinstance(outcome.server_error, SASLRefused) is not right


# Tampering: both halves raise documented errors only (the driver lets no other pass), and a changed
# message gives no other identity.

ME = Credentials(
    username="tim",
    password="tanstaaftanstaaf",
    token="t0ken",
    authorization="",
    external=True,
    anonymous="trace",
)
STORE = Users(
    {"tim": "tanstaaftanstaaf", "cert": "of no interest here"},
    secret=SECRET,
    tokens={"t0ken": "tim"},
    anonymous=True,
)
FALSE = Credentials(
    username="tim", password="tanstaaftanstaaG", token="t0keN", external=True, anonymous="trace"
)


def flip(octets: bytes, place: int, bit: int) -> bytes:
    if not octets:
        return bytes([1 << bit])
    place %= len(octets)
    return octets[:place] + bytes([octets[place] ^ (1 << bit)]) + octets[place + 1 :]


def truncate(octets: bytes, place: int, bit: int) -> bytes:
    return octets[: place % len(octets)] if octets else b"\0"


def double(octets: bytes, place: int, bit: int) -> bytes:
    return octets + octets[-bit - 1 :] + bytes([place % 256])


@st.composite
def tampers(draw: st.DrawFn) -> Tamper:
    """A change of one message."""
    step, place, bit = (draw(st.integers(0, most)) for most in (4, 200, 7))
    change = draw(st.sampled_from([flip, truncate, double]))
    return lambda now, octets: change(octets, place, bit) if now == step else octets


@named(list(MECHANISMS.values()))
@given(tamper=tampers())
@settings(max_examples=effort(40, 150))
def test_one_changed_message(mechanism: Mechanism, tamper: Tamper) -> None:
    outcome = run(mechanism, ME, STORE, tamper=tamper)
    clean = run(mechanism, ME, STORE)
    assert clean.believed
    if outcome.sent == clean.sent[: len(outcome.sent)] or not mechanism.name.startswith("SCRAM"):
        # The others prove nothing about their messages; a changed user name is another user.
        assert outcome.identity in {None, clean.identity}
        return
    # SCRAM notices every change, on one side or the other, and never both sides believe.
    assert not outcome.believed
    assert outcome.client_error or outcome.server_error


@named(PASSWORDS + TOKENS)
@given(
    replaced=st.dictionaries(
        st.integers(0, 5),
        st.binary(max_size=40)
        | st.sampled_from(
            (
                *(b"", b"=", b"{}", b"v=", b"e=other-error", b"r=client", b"n,,n=tim,r=client"),
                *(b"r=clientserver,s=AAAA,i=4096", b"\0tim\0x"),
                b"user=tim\x01auth=Bearer x\x01\x01",
            )
        ),
        max_size=4,
    )
)
@example(replaced={})
def test_a_false_secret_is_refused_with_any_messages(
    mechanism: Mechanism, replaced: dict[int, bytes]
) -> None:
    def tamper(now: int, octets: bytes) -> bytes:
        return replaced.get(now, octets)

    outcome = run(mechanism, FALSE, STORE, tamper=tamper)
    assert outcome.identity is None
    assert not outcome.believed
    assert outcome.client_error or outcome.server_error


@named([each for each in MECHANISMS.values() if each.name.startswith("SCRAM")])
@given(challenges=st.lists(st.binary(max_size=60), max_size=3))
def test_no_server_that_does_not_know_the_password_is_believed(
    mechanism: Mechanism, challenges: list[bytes]
) -> None:
    here = ClientExchange(mechanism, ME, channel(mechanism, "client"))
    offer = b"r=clientserver,s=c2FsdA==,i=4096"
    for challenge in (offer, *challenges):
        try:
            here.respond(challenge)
        except SASLError:
            break
    with pytest.raises(SASLError):
        here.succeeded()


@named(list(MECHANISMS.values()))
@given(messages=st.lists(st.binary(max_size=60), min_size=1, max_size=4))
def test_no_octets_bring_a_server_anything_but_documented_errors(
    mechanism: Mechanism, messages: list[bytes]
) -> None:
    there = ServerExchange(mechanism, channel(mechanism, "server"))
    try:
        for message in messages:
            while there.request is not None and not isinstance(there.request, Challenge):
                method = there.request.asked_of(STORE)
                assert method is not None
                there.answer(method(*there.request.arguments()))
            if there.request is None:
                break
            there.answer(message)
    except SASLError:
        pass
    # Only these two need no secret.
    assert there.identity is None or mechanism.name in {"ANONYMOUS", "EXTERNAL"}


# Secrets.

SECRETS = ("tanstaaf", "t0ken", "swordfish")


def shown(value: object) -> str:
    return f"{value!r} {value!s} {value.__dict__ if isinstance(value, BaseException) else ''}"


def chain(error: BaseException | None) -> list[BaseException]:
    found = []
    while error is not None:
        found.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found


@named(list(MECHANISMS.values()))
@given(tamper=tampers())
def test_no_error_tells_a_secret(mechanism: Mechanism, tamper: Tamper) -> None:
    for me in (ME, FALSE):
        outcome = run(mechanism, me, STORE, tamper=tamper)
        for error in (outcome.client_error, outcome.server_error, outcome.refusal):
            for each in chain(error):
                assert not any(secret in shown(each) for secret in SECRETS)


@pytest.mark.parametrize(
    "value",
    [
        Credentials(username="u", password="swordfish", token="swordfish"),
        CheckPassword("u", "swordfish"),
        CheckToken("u", "swordfish"),
        Challenge(b"swordfish"),
        Users({"u": "swordfish"}, secret=b"swordfish" * 4, tokens={"swordfish": "u"}),
        ClientExchange(
            MECHANISMS["PLAIN"], Credentials(username="u", password="swordfish"), context()
        ),
        ServerExchange(MECHANISMS["PLAIN"], context(), b"\0u\0swordfish"),
        context(channel_bindings={"tls-exporter": b"swordfish"}, nonce=lambda: "swordfish"),
        Authorize("u", "v"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_value_shows_a_secret(value: object) -> None:
    assert not any(secret in shown(value) for secret in SECRETS)


def test_keys_are_not_shown() -> None:
    keys = scram_keys("swordfish", b"saltsaltsalt")
    assert isinstance(keys, ScramKeys)
    assert repr(keys) == "ScramKeys(algorithm='sha256', iterations=4096)"
