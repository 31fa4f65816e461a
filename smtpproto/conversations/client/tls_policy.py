"""What a TLS connection must be like: RFC 8461, RFC 7672."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...field_types import check_fields
from ...vocabulary.session_facts import NameKind, TLSFacts

__all__ = ["TLSPolicy"]


@dataclass(frozen=True, slots=True)
class TLSPolicy:
    """What an application requires of a TLS connection.

    A library that looks up MTA-STS policies, TLSA records or DNSSEC creates it.

    Arguments:
        required: whether a session without TLS is forbidden.
        hosts: DNS names, such as `mx.example.org` or `*.example.org` (RFC 8461 section 4.1).  The
            server's verified certificate must have one of them; empty for any.  In addition, the
            TLS context checks that the certificate names the host that the client connected to.
        check: a function that gets the facts of the connection and returns what is wrong, as text,
            or None.  It may be async with an adapter that can await.
    """

    required: bool = True
    hosts: tuple[str, ...] = ()
    check: Callable[[TLSFacts], Any] | None = None

    def __post_init__(self) -> None:
        check_fields(self)

    def names(self, facts: TLSFacts) -> str | None:
        """Return what is wrong with the names in the certificate, or None."""
        if not self.hosts:
            return None
        names = facts.names(NameKind.DNS)
        if any(_matches(host, name) for host in self.hosts for name in names):
            return None
        found = ", ".join(names) or "no DNS name that was verified"
        return f"the policy expects {' or '.join(self.hosts)} in the certificate, found {found}"


def _matches(one: str, other: str) -> bool:
    """Return whether two names match; "*" stands for one label (RFC 6125 section 6.4.3)."""
    one, other = one.rstrip(".").lower(), other.rstrip(".").lower()
    if one == other:
        return True
    first, _, rest = one.partition(".")
    other_first, _, other_rest = other.partition(".")
    return bool(rest) and rest == other_rest and "*" in (first, other_first)
