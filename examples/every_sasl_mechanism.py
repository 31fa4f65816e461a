"""Every SASL mechanism, both halves, in memory.

Run it as `python examples/every_sasl_mechanism.py`.  `AUTH` sends these octets as lines of base64;
you can use the exchanges in other protocols as well.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

from smtpproto.sasl import (
    Challenge,
    ClientExchange,
    Context,
    Credentials,
    Identity,
    Mechanism,
    Plain,
    SASLError,
    SASLRefused,
    ScramSHA256,
    ServerExchange,
    Users,
    scram_keys,
)
from smtpproto.sasl.mechanism_choice import MECHANISMS, available, choose, obstacles

CREDENTIALS = Credentials(
    username="ann", password="open sesame", token="vF9dft4qmT", external=True, anonymous="visitor"
)
STORE = Users(
    {
        # SCRAM needs only these keys, and a thief of the store cannot log in with them.
        "bob": scram_keys("swordfish", secrets.token_bytes(16)),
        "ann": "open sesame",
    },
    secret=secrets.token_bytes(32),
    tokens={"vF9dft4qmT": "ann"},
    delegates={"ann": ("office",)},
    anonymous=True,
)
# What both sides know of a session inside TLS; an adapter fills it in.
CONTEXT = Context(
    nonce=lambda: secrets.token_urlsafe(18),
    host="mx.example.com",
    port=587,
    secure=True,
    channel_bindings={"tls-exporter": b"the same on both sides"},
    external=("ann",),
)


def exchange(mechanism: Mechanism, credentials: Credentials, context: Context) -> Identity:
    """Let both halves talk to each other."""
    client = ClientExchange(mechanism, credentials, context)
    initial = client.initial if mechanism.takes_initial else None
    server = ServerExchange(mechanism, context, initial)
    answered = initial is not None
    while server.request is not None:
        if not isinstance(server.request, Challenge):
            # A question for the credential store.
            method = server.request.asked_of(STORE)
            server.answer(method(*server.request.arguments()) if method is not None else None)
        elif not answered and client.initial is not None:
            server.answer(client.initial)
            answered = True
        else:
            server.answer(client.respond(server.request.octets))
    client.succeeded()
    assert server.identity is not None
    return server.identity


def main() -> None:
    offered = available(CONTEXT, STORE, names=tuple(MECHANISMS))
    context = replace(CONTEXT, offered=offered)
    print("the server can offer:", *offered)
    for name in MECHANISMS:
        # Offer this mechanism alone: some cannot be used if a stronger one is offered.
        identity = exchange(MECHANISMS[name], CREDENTIALS, replace(CONTEXT, offered=(name,)))
        print(f"{name:20} lets in {identity.authorization!r}")

    best = choose(CREDENTIALS, context)
    print("a client with all of that tries, in this order:", *(each.name for each in best))
    plain = replace(context, secure=False, channel_bindings={})
    for name, obstacle in obstacles(Credentials(username="ann", password="x"), plain).items():
        print(f"without TLS, {name:20} {obstacle or 'can be used'}")

    office = replace(CREDENTIALS, authorization="office")
    print("ann acts as", exchange(Plain(), office, context).authorization)
    try:
        alone = replace(CONTEXT, offered=("SCRAM-SHA-256",))
        exchange(ScramSHA256(), replace(CREDENTIALS, password="guess"), alone)
    except SASLRefused as refused:
        print("a wrong password:", refused)
    try:
        exchange(Plain(), Credentials(username="ann"), context)
    except SASLError as error:
        print("no password:", error)


if __name__ == "__main__":
    main()
