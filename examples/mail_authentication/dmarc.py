"""DMARC: what the domain of a message's author asks for (RFC 7489)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from publicsuffixlist import PublicSuffixList

from examples.names import Resolver, look_up

DISPOSITIONS = ("none", "quarantine", "reject")
SUFFIXES = PublicSuffixList()


class RecordError(ValueError):
    """A domain has a DMARC record that cannot be read (permerror)."""


@dataclass(frozen=True)
class Policy:
    """A domain's policy (section 6.3).

    Arguments:
        domain: where the record stands.
        disposition: what to do with a message that fails: none, quarantine or reject.
        strict_dkim: whether DKIM has to be about the author's domain itself.
        strict_spf: the same for SPF.
    """

    domain: str
    disposition: str
    strict_dkim: bool = False
    strict_spf: bool = False

    @classmethod
    def parse(cls, record: str, domain: str, *, subdomain: bool) -> Policy:
        """The policy in a record, for the domain that has it or for a subdomain.

        Raises:
            RecordError: it is no policy.
        """
        pairs = [pair.partition("=") for pair in record.split(";") if pair.strip()]
        tags = {name.strip(): value.strip() for name, _, value in pairs}
        disposition = tags.get("p", "").lower()
        if subdomain:
            disposition = tags.get("sp", disposition).lower()
        if disposition not in DISPOSITIONS:
            raise RecordError(f"a policy for {domain} that is no policy")
        if tags.get("t") == "y" or tags.get("pct", "100") != "100":
            # The domain is trying it out: it does not want all of it yet.
            disposition = DISPOSITIONS[max(DISPOSITIONS.index(disposition) - 1, 0)]
        return cls(domain, disposition, tags.get("adkim") == "s", tags.get("aspf") == "s")


def find_policy(resolver: Resolver, author: str) -> Policy | None:
    """The policy for a domain: its own, or that of its organizational domain (section 6.6.3).

    Raises:
        RecordError: there is one that cannot be read.
        NotNow: DNS does not answer.
    """
    for domain in dict.fromkeys((author, organizational_domain(author))):
        answer = look_up(resolver, f"_dmarc.{domain}", "TXT")
        texts = [b"".join(record.strings).decode("ascii", "replace") for record in answer or ()]
        records = [text for text in texts if text.replace(" ", "").startswith("v=DMARC1;")]
        if len(records) > 1:
            return None
        if records:
            return Policy.parse(records[0], domain, subdomain=domain != author)
    return None


def organizational_domain(domain: str) -> str:
    """The part of a domain that its owner registered (section 3.2)."""
    return SUFFIXES.privatesuffix(domain) or domain


def is_aligned(author: str, authenticated: Iterable[str], *, strict: bool) -> bool:
    """Whether one of the authenticated domains vouches for the author's (section 3.1)."""
    if strict:
        return author in authenticated
    organization = organizational_domain(author)
    return any(organizational_domain(domain) == organization for domain in authenticated)
