"""SCRAM (RFC 5802, RFC 7677): whole exchanges, and what either side must not accept."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from smtpproto.sasl import (
    Authorize,
    Challenge,
    ClientExchange,
    Context,
    Credentials,
    FetchSecret,
    Identity,
    Mechanism,
    SASLError,
    SASLRefused,
    ScramKeys,
    ScramSHA1,
    ScramSHA1Plus,
    ScramSHA256,
    ScramSHA256Plus,
    ServerExchange,
    Users,
    scram_keys,
)
from smtpproto.sasl.mechanism_choice import available
from smtpproto.sasl.scram import MAXIMUM_ITERATIONS
from tests.sasl.driver import BINDINGS, SECRET, context, exchange, nonces, users, wants

PENCIL = Credentials(username="user", password="pencil")

# RFC 5802 section 5 and RFC 7677 section 3: mechanism, nonces, salt, and the four messages.
EXAMPLES = [
    (
        ScramSHA1(),
        ("fyko+d2lbbFgONRv9qkxdawL", "3rfcNHYJY1ZVvWVs7j"),
        "QSXCR+Q6sek8bf92",
        b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ),
    (
        ScramSHA256(),
        ("rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"),
        "W22ZaJ0SNY7soEsUEjb6gQ==",
        b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        (
            b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        ),
        b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=["RFC 5802", "RFC 7677"])
def test_the_examples_of_the_rfcs(example: Any) -> None:
    mechanism, (c_nonce, s_nonce), salt, first, offer, final, verifier = example
    here = ClientExchange(mechanism, PENCIL, context(nonce=nonces(c_nonce)))
    there = ServerExchange(mechanism, context(nonce=nonces(s_nonce)), here.initial)
    assert here.initial == first
    assert wants(there) == FetchSecret(mechanism.name, "user")
    there.answer(scram_keys("pencil", base64.b64decode(salt), 4096, mechanism.algorithm))
    assert wants(there) == Challenge(offer)
    assert here.respond(offer) == final
    there.answer(final)
    assert wants(there) == Challenge(verifier)
    assert here.respond(verifier) == b""
    waiting = there.identity  # the client may still say that the server is a fraud
    there.answer(b"")
    assert (waiting, there.identity) == (None, Identity("user", "user"))
    here.succeeded()


# The client's part.

SHA1 = EXAMPLES[0]
NONCE = "fyko+d2lbbFgONRv9qkxdawL"


def client(**changes: Any) -> ClientExchange:
    return ClientExchange(ScramSHA1(), PENCIL, context(nonce=nonces(NONCE), **changes))


@pytest.mark.parametrize("challenges", [0, 1, 2])
def test_success_counts_only_after_the_servers_proof(challenges: int) -> None:
    here = client()
    for challenge in (SHA1[4], SHA1[6])[:challenges]:
        here.respond(challenge)
    if challenges == 2:
        here.succeeded()
    else:
        with pytest.raises(SASLError, match="found success"):
            here.succeeded()


def test_a_false_server_that_goes_on_to_report_success() -> None:
    here = client()
    here.respond(SHA1[4])
    with pytest.raises(SASLError, match="expected the server's proof"):
        here.respond(b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    with pytest.raises(SASLError, match="found success before the exchange was complete"):
        here.succeeded()
    with pytest.raises(SASLError):
        here.respond(SHA1[6])


def test_nothing_comes_after_the_servers_proof() -> None:
    here = client()
    here.respond(SHA1[4])
    here.respond(SHA1[6] + b",x=an extension")
    with pytest.raises(SASLError, match="expected the outcome"):
        here.respond(b"more")


@pytest.mark.parametrize(
    "offer, why",
    [
        ("r=other,s=c2FsdA==,i=4096", "our nonce"),
        (f"r={NONCE},s=c2FsdA==,i=4096", "our nonce"),
        (f"r={NONCE}x,s=c2FsdA==,i=4095", "4096 to 4000000 iterations, found 4095"),
        (f"r={NONCE}x,s=c2FsdA==,i={MAXIMUM_ITERATIONS + 1}", "iterations"),
        (f"r={NONCE}x,s=c2FsdA==,i=99999999999", "iteration count"),
        (f"m=x,r={NONCE}x,s=c2FsdA==,i=4096", "mandatory extension"),
        ("e=unknown-user", "the server reports unknown-user"),
        ("e=something of its own\r\n", "the server reports other-error"),
    ],
)
def test_an_offer_that_the_client_declines(offer: str, why: str) -> None:
    with pytest.raises(SASLError, match=why):
        client().respond(offer.encode())


def test_the_server_may_end_with_an_error() -> None:
    here = client()
    here.respond(SHA1[4])
    with pytest.raises(SASLRefused, match="the server reports invalid-proof"):
        here.respond(b"e=invalid-proof,x=more")


def test_the_client_hashes_up_to_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []

    def remember(password: str, salt: bytes, iterations: int, algorithm: str) -> bytes:
        counts.append(iterations)
        return b"x" * 20

    monkeypatch.setattr("smtpproto.sasl.scram.salted", remember)
    client().respond(f"r={NONCE}x,s=c2FsdA==,i={MAXIMUM_ITERATIONS}".encode())
    assert counts == [MAXIMUM_ITERATIONS]


@pytest.mark.parametrize(
    "mechanism, bindings, offered, header",
    [
        (ScramSHA1(), {}, (), b"n,,"),
        (ScramSHA1(), BINDINGS, ("SCRAM-SHA-1",), b"y,,"),
        (ScramSHA1(), BINDINGS, ("SCRAM-SHA-1", "SCRAM-SHA-256-PLUS"), b"y,,"),
        (ScramSHA1(), {}, ("SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"), b"n,,"),
        (ScramSHA1Plus(), BINDINGS, ("SCRAM-SHA-1-PLUS",), b"p=tls-exporter,,"),
        (ScramSHA256Plus(), {"tls-unique": b"x"}, (), b"p=tls-unique,,"),
    ],
)
def test_the_channel_binding_flag(
    mechanism: Mechanism, bindings: dict[str, bytes], offered: tuple[str, ...], header: bytes
) -> None:
    here = ClientExchange(mechanism, PENCIL, context(channel_bindings=bindings, offered=offered))
    assert here.initial == header + b"n=user,r=nonce.1"


@pytest.mark.parametrize(
    "mechanism, credentials, changes, obstacle",
    [
        (ScramSHA1Plus(), PENCIL, {}, "the channel gives nothing to bind to"),
        (
            ScramSHA256(),
            PENCIL,
            {"channel_bindings": BINDINGS, "offered": ("SCRAM-SHA-256-PLUS",)},
            "the server offers it with channel binding (RFC 5802 section 6)",
        ),
        (ScramSHA1(), Credentials(token="t"), {}, "a user name and a password are needed"),
        (
            ScramSHA1(),
            Credentials(username="u", password="\U0001f511"),
            {},
            "SASLprep prohibits a character of the user name or password (RFC 4013)",
        ),
    ],
)
def test_when_a_client_cannot_use_it(
    mechanism: Mechanism, credentials: Credentials, changes: dict[str, Any], obstacle: str
) -> None:
    assert mechanism.obstacle(credentials, context(**changes)) == obstacle


def test_a_half_that_is_run_without_asking_for_obstacles() -> None:
    with pytest.raises(SASLError, match="nothing to bind to"):
        next(ScramSHA1Plus().client(PENCIL, context()))


def test_names_are_prepared_and_quoted() -> None:
    me = Credentials(username="a,b=\u2168", password="x", authorization="c=d")
    assert ClientExchange(ScramSHA1(), me, context()).initial == (
        b"n,a=c=3Dd,n=a=2Cb=3DIX,r=nonce.1"
    )


# The server's part.


def server(first: bytes, mechanism: Mechanism | None = None, **changes: Any) -> ServerExchange:
    there = ServerExchange(mechanism or ScramSHA1(), context(**changes), first)
    there.answer(scram_keys("pencil", b"salt", 4096, "sha1"))
    return there


def test_the_proof_covers_the_header() -> None:
    there = server(b"n,,n=user,r=abc")
    with pytest.raises(SASLRefused, match="are not this exchange's"):
        there.answer(b"c=eSws,r=abcnonce.1,p=AAAA")  # "y,,"


@pytest.mark.parametrize("nonce", [b"abc", b"abcnonce.2", b"nonce.1", b"abcnonce.1x"])
def test_the_nonce_has_to_be_this_exchanges(nonce: bytes) -> None:
    with pytest.raises(SASLRefused, match="are not this exchange's"):
        server(b"n,,n=user,r=abc").answer(b"c=biws,r=" + nonce + b",p=AAAA")


@pytest.mark.parametrize("proof", [b"AAAA", b"AAAAAAAAAAAAAAAAAAAAAAAAAAA="])
def test_a_wrong_proof(proof: bytes) -> None:
    with pytest.raises(SASLRefused):
        server(b"n,,n=user,r=abc").answer(b"c=biws,r=abcnonce.1,p=" + proof)


def test_a_right_proof_with_something_behind_it() -> None:
    here = ClientExchange(ScramSHA1(), PENCIL, context())
    there = server(here.initial or b"", nonce=nonces("server"))
    assert isinstance(there.request, Challenge)
    final = here.respond(there.request.octets)
    head, _, proof = final.rpartition(b",p=")
    longer = base64.b64encode(base64.b64decode(proof) + b"x")
    with pytest.raises(SASLRefused):
        there.answer(head + b",p=" + longer)


def test_the_last_response_is_empty() -> None:
    here = ClientExchange(ScramSHA1(), PENCIL, context())
    there = server(here.initial or b"", nonce=nonces("server"))
    assert isinstance(there.request, Challenge)
    there.answer(here.respond(there.request.octets))
    with pytest.raises(SASLError, match="expected an empty response"):
        there.answer(b"x")
    assert there.identity is None


def test_acting_as_another_is_decided_before_the_server_proves_itself() -> None:
    me = Credentials(username="user", password="pencil", authorization="ursel")
    here = ClientExchange(ScramSHA1(), me, context())
    there = server(here.initial or b"", nonce=nonces("server"))
    assert isinstance(there.request, Challenge)
    there.answer(here.respond(there.request.octets))
    assert wants(there) == Authorize("user", "ursel")
    with pytest.raises(SASLRefused, match="may not act"):
        there.answer(False)


BOUND: dict[str, Any] = {"channel_bindings": BINDINGS}


@pytest.mark.parametrize(
    "mechanism, first, changes, why",
    [
        (ScramSHA1(), b"p=tls-exporter,,", BOUND, "does not go with"),
        (ScramSHA1Plus(), b"n,,", BOUND, "does not go with"),
        (ScramSHA1Plus(), b"y,,", BOUND, "does not go with"),
        (ScramSHA1Plus(), b"p=tls-unique,,", BOUND, "is not supported"),
        (ScramSHA1Plus(), b"p=tls-exporter,,", {}, "is not supported"),
        (ScramSHA1(), b"y,,", BOUND, "an attacker hid"),
        (ScramSHA1(), b"y,,", {**BOUND, "offered": ("SCRAM-SHA-1-PLUS",)}, "an attacker hid"),
    ],
)
def test_channel_binding_that_a_server_refuses(
    mechanism: Mechanism, first: bytes, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(SASLRefused, match=why):
        server(first + b"n=user,r=abc", mechanism, **changes)


@pytest.mark.parametrize("changes", [{}, {**BOUND, "offered": ("SCRAM-SHA-1",)}])
def test_a_server_that_offers_no_channel_binding_takes_a_y(changes: dict[str, Any]) -> None:
    assert isinstance(server(b"y,,n=user,r=abc", **changes).request, Challenge)


@pytest.mark.parametrize("kind", sorted(BINDINGS))
@pytest.mark.parametrize("mechanism", [ScramSHA1Plus(), ScramSHA256Plus()])
def test_both_sides_see_the_same_channel(mechanism: Mechanism, kind: str) -> None:
    store = users(user="pencil")
    here = context(channel_bindings={kind: BINDINGS[kind]})
    there = context(**BOUND)
    assert exchange(mechanism, PENCIL, store, client=here, server=there).believed
    # A man in the middle has a TLS connection to each of them.
    middle = context(channel_bindings={kind: b"another channel"})
    outcome = exchange(mechanism, PENCIL, store, client=middle, server=there)
    assert isinstance(outcome.server_error, SASLRefused)


def test_plus_is_offered_where_there_is_something_to_bind_to() -> None:
    assert ScramSHA1Plus().offered_in(context(**BOUND))
    assert not ScramSHA1Plus().offered_in(context())
    assert not ScramSHA1Plus().offered_in(context(channel_bindings={"tls-exporter": b""}))
    assert ScramSHA1().offered_in(context())


def test_plus_is_offered_unasked_only_with_the_type_that_clients_use() -> None:
    """GNU SASL binds to tls-exporter in TLS 1.3, and to nothing else."""
    for kind in ("tls-exporter", "tls-unique"):
        assert ScramSHA1Plus().offered_unasked(context(channel_bindings={kind: b"a digest"}))
    certificate = context(channel_bindings={"tls-server-end-point": b"a digest"})
    assert not ScramSHA1Plus().offered_unasked(certificate)
    assert ScramSHA1().offered_unasked(certificate)
    name = ScramSHA1Plus.name
    assert name not in available(certificate, users(user="pencil"))
    assert name in available(certificate, users(user="pencil"), names=(name,))


@pytest.mark.parametrize("username", [b"\x07", b"\xc2\xad"])
def test_a_user_name_that_cannot_be_prepared(username: bytes) -> None:
    with pytest.raises(SASLRefused):
        ServerExchange(ScramSHA1(), context(), b"n,,n=" + username + b",r=abc")


@pytest.mark.parametrize("nonce", ["", "a,b", "a b", "é"])
def test_a_nonce_that_is_none_is_a_mistake_on_this_side(nonce: str) -> None:
    broken = Context(nonce=nonces(nonce, nonce))
    with pytest.raises(ValueError, match="expected a nonce"):
        ClientExchange(ScramSHA1(), PENCIL, broken)
    with pytest.raises(ValueError, match="expected a nonce"):
        ServerExchange(ScramSHA1(), broken, b"n,,n=user,r=abc")


# What the credential store may answer.


class Passwords:
    """A store that holds passwords, and says None for whom it does not know."""

    def __init__(self, **passwords: str) -> None:
        self.passwords = passwords

    def fetch_secret(self, mechanism: str, username: str) -> str | None:
        return self.passwords.get(username)


@pytest.mark.parametrize("mechanism", [ScramSHA1(), ScramSHA256()])
def test_a_store_may_hold_passwords(mechanism: Mechanism) -> None:
    assert exchange(mechanism, PENCIL, Passwords(user="pencil")).believed
    wrong = exchange(mechanism, PENCIL, Passwords(user="pen"))
    unknown = exchange(mechanism, PENCIL, Passwords(other="pencil"))
    assert str(wrong.server_error) == str(unknown.server_error)
    # Neither the messages nor their sizes tell the two apart.
    assert list(map(len, wrong.sent)) == list(map(len, unknown.sent))


def test_the_stand_in_for_an_unknown_user_is_no_password() -> None:
    """The server's nonce serves as password then, and the client knows it by then."""
    there = ServerExchange(ScramSHA1(), context(nonce=nonces("server")), b"n,,n=user,r=abc")
    there.answer(None)
    guess = ClientExchange(
        ScramSHA1(), Credentials(username="user", password="server"), context(nonce=nonces("abc"))
    )
    assert isinstance(there.request, Challenge)
    with pytest.raises(SASLRefused):
        there.answer(guess.respond(there.request.octets))


@pytest.mark.parametrize("answer", [True, b"keys", scram_keys("pencil", b"salt", 1, "sha256")])
def test_another_answer_is_a_mistake_on_this_side(answer: object) -> None:
    there = ServerExchange(ScramSHA1(), context(), b"n,,n=user,r=abc")
    with pytest.raises(TypeError, match="expected sha1 keys, a password or None, found"):
        there.answer(answer)


@pytest.mark.parametrize("mechanism", [ScramSHA1(), ScramSHA256()])
def test_unknown_users_are_offered_the_same_salt_each_time(mechanism: Mechanism) -> None:
    offers = []
    for store in (users(tim="x"), Users({"tim": "x"}, secret=SECRET)):
        for name in ("tim", "tom"):
            there = ServerExchange(mechanism, context(), f"n,,n={name},r=abc".encode())
            keys = store.fetch_secret(mechanism.name, name)
            assert isinstance(keys, ScramKeys)
            there.answer(keys)
            assert isinstance(there.request, Challenge)
            offers.append(there.request.octets)
    assert offers[:2] == offers[2:]
    assert offers[0] != offers[1]
    assert len(offers[0]) == len(offers[1])
