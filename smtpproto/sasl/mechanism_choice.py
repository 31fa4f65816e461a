"""The mechanisms a client can use and a server can offer (RFC 4422, RFC 4954 section 4)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from .anonymous import Anonymous
from .cram_md5 import CramMD5
from .credentials import Context, Credentials
from .external import External
from .login import Login
from .mechanism import Mechanism
from .oauthbearer import OAuthBearer
from .plain import Plain
from .scram import ScramSHA1, ScramSHA1Plus, ScramSHA256, ScramSHA256Plus
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
"""The mechanisms by name; to add or remove some, pass your own mapping to `connect` or `serve`."""


def known_mechanisms(
    given: Mapping[str, Mechanism] | Collection[str] | None,
) -> Mapping[str, Mechanism]:
    """Return the mechanisms for an option `mechanisms`, by name.

    Arguments:
        given: names out of `MECHANISMS`; or a mapping, which may have others; None for
            `MECHANISMS`.

    Raises:
        TypeError: the mapping has a value that is no `Mechanism`, or `given` is a string.
        ValueError: there is no mechanism of this name.
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
    """Return the mechanisms that a client can use, the strongest first.

    Arguments:
        credentials: the client's credentials.
        context: the context of the session; `offered` has the mechanisms that the server offers.
        allowed: names of mechanisms that may send a reusable secret over a channel that is not
            confidential.
        mechanisms: the mechanisms that the client supports.
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
    """Return, for each offered mechanism, why a client cannot use it; "" if it can.

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
            obstacle = "it sends a reusable secret, and the channel is not secure"
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
    """Return the names of the mechanisms that a server can offer, the strongest first.

    Arguments:
        context: the context of the session.
        store: a `CredentialStore`; it must have the methods that a mechanism needs.
        names: the mechanisms that the server wants to offer; None for those that suit all clients.
        allowed: names of mechanisms that may receive a reusable secret over a channel that is not
            confidential.
        mechanisms: the mechanisms that the server supports.
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
    """Return the mechanisms, the strongest first."""
    return tuple(sorted(mechanisms, key=lambda each: each.strength, reverse=True))
