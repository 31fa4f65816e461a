"""What `probe` finds to be wrong, or worth knowing, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..extensions import (
    Auth,
    EightBitMime,
    EnhancedStatusCodes,
    ExpnExtension,
    Pipelining,
    Size,
    StartTls,
)
from .common import is_here

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..extensions import Extension
    from .probe_session import Probed, Seen

SEVERITIES = ("error", "warning", "note")
"""How severe a finding is, the worst first."""

SUBMISSION = (465, 587)
# Days before the end of a certificate.
SOON = 14
# Seconds after which a person notices.
SLOW = 5.0
# Mechanisms that send the password itself.
PLAINTEXT = frozenset({"PLAIN", "LOGIN"})
EXPIRED = "has expired"
OLD_TLS = ("TLSv1", "TLSv1.1", "SSLv3")
USUAL = {
    EightBitMime: "8BITMIME: text outside ASCII has to be encoded (RFC 6152)",
    Pipelining: "PIPELINING: each command waits for the reply to the one before (RFC 2920)",
    EnhancedStatusCodes: "ENHANCEDSTATUSCODES: replies give no exact reason (RFC 2034)",
    Size: "SIZE: a message that is too large is refused only after it was sent (RFC 1870)",
}


class Finding(NamedTuple):
    """One finding."""

    severity: str
    text: str


def findings_of(probed: Probed) -> list[Finding]:
    """Return all findings, the worst first."""
    found = [*_about_tls(probed), *_about_login(probed), *_about_the_rest(probed)]
    return sorted(found, key=lambda each: SEVERITIES.index(each.severity))


def _about_tls(probed: Probed) -> Iterator[Finding]:
    inside = probed.inside
    if probed.problem:
        text = probed.problem.partition("\n")[0]
        severe = probed.port in SUBMISSION or EXPIRED in text
        severity = "error" if severe else "warning"
        yield Finding(severity, text)
    if inside is None:
        if not probed.problem and not is_here(probed.host):
            yield Finding("warning", "no STARTTLS: all mail passes in plain text (RFC 3207)")
        return
    assert inside.tls is not None
    if inside.tls.version in OLD_TLS:
        yield Finding("warning", f"{inside.tls.version} is out of use (RFC 8996)")
    for number, certificate in enumerate(inside.chain, 1):
        if certificate.days_left < 0 and EXPIRED not in probed.problem:
            yield Finding("error", f"certificate {number} has expired: {certificate.subject}")
        elif 0 <= certificate.days_left < SOON:
            yield Finding(
                "warning", f"certificate {number} expires in {certificate.days_left} days"
            )
    if any(isinstance(each, StartTls) for each in inside.offered):
        yield Finding("error", "STARTTLS is offered within TLS (RFC 3207 section 4.2)")


def _about_login(probed: Probed) -> Iterator[Finding]:
    outside, inside = _auth(probed.outside), _auth(probed.inside)
    if PLAINTEXT & outside and not is_here(probed.host):
        names = " and ".join(sorted(PLAINTEXT & outside))
        yield Finding("error", f"{names} before TLS: clients may send passwords in plain text")
    if probed.port in SUBMISSION and not outside | inside:
        yield Finding("warning", "no AUTH on a port for submission (RFC 6409 section 4.3)")
    strong = {name for name in outside | inside if name.startswith("SCRAM-")}
    if inside and not strong:
        yield Finding("note", "no SCRAM: clients send the password itself (RFC 7677)")
    if "CRAM-MD5" in outside | inside:
        yield Finding("note", "CRAM-MD5 is out of use: it needs stored passwords (RFC 2195)")


def _auth(seen: Seen | None) -> set[str]:
    offered = seen.offered if seen is not None else ()
    return {name for each in offered if isinstance(each, Auth) for name in each.mechanisms}


def _about_the_rest(probed: Probed) -> Iterator[Finding]:
    last = probed.inside or probed.first
    kinds: set[type[Extension]] = {type(each) for each in (*probed.first.offered, *last.offered)}
    for kind, text in USUAL.items():
        if kind not in kinds:
            yield Finding("note", f"no {text}")
    if ExpnExtension in kinds:
        yield Finding(
            "note", "EXPN is offered: it tells the members of lists (RFC 5321 section 7.3)"
        )
    words = probed.first.greeting.split()
    if not words[1:2] or "." not in words[1]:
        yield Finding("note", "the greeting does not name a full domain (RFC 5321 section 4.2)")
    for what, took in probed.times:
        if took > SLOW:
            yield Finding("warning", f"{what} took {took:.0f} seconds")
