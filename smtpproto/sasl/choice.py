"""Which mechanisms a client can use and a server can offer (RFC 4422, RFC 4954 section 4)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from .anonymous import Anonymous
from .cram_md5 import CramMD5
from .external import External
from .login import Login
from .mechanism import (
    Mechanism,
)
from .oauthbearer import OAuthBearer
from .plain import Plain
from .scram_sha1 import ScramSHA1, ScramSHA1Plus
from .scram_sha256 import ScramSHA256, ScramSHA256Plus
from .values import Context, Credentials
from .xoauth2 import XOAuth2

__all__ = [
    "ALL",
    "MECHANISMS",
    "available",
    "choose",
    "known_mechanisms",
    "obstacles",
    "strongest_first",
]

ALL: tuple[Mechanism, ...] = (
    External(),
    ScramSHA256Plus(),
    ScramSHA1Plus(),
    ScramSHA256(),
    ScramSHA1(),
    OAuthBearer(),
    XOAuth2(),
    CramMD5(),
    Plain(),
    Login(),
    Anonymous(),
)


MECHANISMS: Mapping[str, Mechanism] = MappingProxyType({each.name: each for each in ALL})
"""The mechanisms by name; for more or fewer, give `connect` and `serve` a mapping of your own."""


def known_mechanisms(
    given: Mapping[str, Mechanism] | Collection[str] | None,
) -> Mapping[str, Mechanism]:
    """The mechanisms that an option `mechanisms` stands for, by name.

    Arguments:
        given: names out of `MECHANISMS`; or a mapping, which may hold others; None for
            `MECHANISMS`.

    Raises:
        TypeError: a mapping holds what is no `Mechanism`, or text stands where a collection should.
        ValueError: a name is not that of a mechanism.
    """
    if given is None:
        return MECHANISMS
    if isinstance(given, (str, bytes)):
        raise TypeError(f"mechanisms: expected a collection of names, found {given!r:.80}")
    if not isinstance(given, Mapping):
        unknown = sorted(set(given) - MECHANISMS.keys())
        if unknown:
            raise ValueError(
                f"mechanisms: {', '.join(unknown)} is not known here, which are "
                f"{', '.join(MECHANISMS)}; one of your own comes in a mapping by name"
            )
        return {name: each for name, each in MECHANISMS.items() if name in given}
    for name, each in given.items():
        if not isinstance(each, Mechanism):
            raise TypeError(f"mechanisms: {name}: expected a Mechanism object, found {each!r:.80}")
        if each.name != name:
            raise ValueError(f"mechanisms: {name}: the mechanism calls itself {each.name}")
    return given


def choose(
    credentials: Credentials,
    context: Context,
    *,
    allowed: Collection[str] = (),
    mechanisms: Mapping[str, Mechanism] = MECHANISMS,
) -> tuple[Mechanism, ...]:
    """The mechanisms that a client can use, the strongest first.

    Arguments:
        credentials: what it has.
        context: of the session; `offered` is what the server offers.
        allowed: names of mechanisms that may send a reusable secret though the channel is not
            secure.
        mechanisms: what the client knows.
    """
    found = obstacles(credentials, context, allowed=allowed, mechanisms=mechanisms)
    return strongest_first(mechanisms[name] for name, obstacle in found.items() if not obstacle)


def obstacles(
    credentials: Credentials,
    context: Context,
    *,
    allowed: Collection[str] = (),
    mechanisms: Mapping[str, Mechanism] = MECHANISMS,
) -> dict[str, str]:
    """For each mechanism that the server offers, why a client cannot use it; "" if it can.

    Arguments:
        credentials: as for `choose`.
        context: as for `choose`.
        allowed: as for `choose`.
        mechanisms: as for `choose`.
    """
    found = {}
    for name in dict.fromkeys(each.upper() for each in context.offered):
        mechanism = mechanisms.get(name)
        if mechanism is None:
            obstacle = "it is not known here"
        elif mechanism.plaintext and not context.secure and name not in allowed:
            obstacle = (
                "it sends a secret that anybody on the way could use, and the channel is open"
            )
        else:
            obstacle = mechanism.obstacle(credentials, context) or ""
        found[name] = obstacle
    return found


def available(
    context: Context,
    store: object,
    *,
    names: Collection[str] | None = None,
    allowed: Collection[str] = (),
    mechanisms: Mapping[str, Mechanism] = MECHANISMS,
) -> tuple[str, ...]:
    """Names of the mechanisms that a server can offer, the strongest first.

    Arguments:
        context: of the session.
        store: a `CredentialStore`; mechanisms whose questions it cannot answer are left out.
        names: which ones the server wants to offer; None means those that suit all clients.
        allowed: names of mechanisms that may have a client send a reusable secret though the
            channel is not secure.
        mechanisms: what the server knows.
    """
    return tuple(
        mechanism.name
        for mechanism in strongest_first(mechanisms.values())
        if (mechanism.offered_unasked(context) if names is None else mechanism.name in names)
        and (context.secure or not mechanism.plaintext or mechanism.name in allowed)
        and mechanism.offered_in(context)
        and all(question.asked_of(store) is not None for question in mechanism.asks)
    )


def strongest_first(mechanisms: Iterable[Mechanism]) -> tuple[Mechanism, ...]:
    """In the order of strength."""
    return tuple(sorted(mechanisms, key=lambda each: each.strength, reverse=True))
