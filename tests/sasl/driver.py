"""Two halves of a mechanism joined in memory, as the AUTH command would join them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from smtpproto.sasl import (
    Challenge,
    ClientExchange,
    Context,
    Credentials,
    Identity,
    Mechanism,
    Question,
    Request,
    SASLError,
    SASLRefused,
    ServerExchange,
    Users,
    prepare,
)

SECRET = b"sixteen octets, or more"
BINDINGS = {"tls-exporter": b"\x01exported", "tls-server-end-point": b"\x02certificate"}


def nonces(*texts: str) -> Callable[[], str]:
    """These nonces in turn, then numbered ones."""

    def give() -> Iterator[str]:
        yield from texts
        number = 0
        while True:
            number += 1
            yield f"nonce.{number}"

    return give().__next__


def context(**changes: Any) -> Context:
    plain = Context(nonce=nonces(), host="mx.example", port=587, secure=True)
    return replace(plain, **changes)


def ask(store: object, question: Question) -> Any:
    method = question.asked_of(store)
    return None if method is None else method(*question.arguments())


@dataclass
class Outcome:
    """How an exchange ended, and what went over the wire in it."""

    identity: Identity | None = None
    believed: bool = False
    refusal: SASLRefused | None = None
    client_error: SASLError | None = None
    server_error: SASLError | None = None
    sent: list[bytes] = field(default_factory=list)


def wants(there: ServerExchange) -> Request | None:
    """What the server waits for; a function, so that type checkers look anew each time."""
    return there.request


Tamper = Callable[[int, bytes], bytes]


def exchange(
    mechanism: Mechanism,
    credentials: Credentials,
    store: object,
    *,
    client: Context | None = None,
    server: Context | None = None,
    tamper: Tamper = lambda step, octets: octets,
    initial: bool = True,
) -> Outcome:
    """Run both halves; only documented errors may come out of either."""
    outcome = Outcome()

    def carry(octets: bytes) -> bytes:
        outcome.sent.append(tamper(len(outcome.sent), octets))
        return outcome.sent[-1]

    try:
        here = ClientExchange(mechanism, credentials, client or context())
    except SASLError as error:
        outcome.client_error = error
        return outcome
    try:
        first = carry(here.initial) if initial and here.initial is not None else None
        there = ServerExchange(mechanism, server or context(), first)
        waiting = None if first is not None else here.initial
        while (request := there.request) is not None:
            if not isinstance(request, Challenge):
                assert not isinstance(request, Challenge)
                there.answer(ask(store, request))
                continue
            challenge = carry(request.octets)
            if waiting is not None:
                response, waiting = waiting, None
            else:
                try:
                    response = here.respond(challenge)
                except SASLError as error:
                    outcome.client_error = error
                    return outcome
            there.answer(carry(response))
    except SASLError as error:
        outcome.server_error = error
        outcome.refusal = here.refused()
        return outcome
    outcome.identity = there.identity
    try:
        here.succeeded()
        outcome.believed = True
    except SASLError as error:
        outcome.client_error = error
    return outcome


def users(**passwords: str) -> Users:
    return Users(passwords, secret=SECRET)


def preparable(text: str) -> bool:
    try:
        prepare(text, stored=True)
    except SASLError:
        return False
    return True


# Mostly text of one script, so that the bidirectional rule does not refuse nearly all of it.
ALPHABETS = ("abcXYZ019 ,=.@-\u00aa", "äöüßÉñŁ½\u0301", "абвгд", "אבגד", "日本語ｱ", "\u00ad\u2168x")
texts = (
    st.one_of(*(st.text(alphabet, min_size=1, max_size=12) for alphabet in ALPHABETS))
    | st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=8)
).filter(preparable)
