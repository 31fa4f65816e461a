"""SPF, DKIM and DMARC of a message that arrives, and its Authentication-Results field.

RFC 7208 (with pyspf), RFC 6376 (with dkimpy), RFC 7489 (in `dmarc`), RFC 8601 (with authres).
All of it waits for DNS, so it belongs where only its own session waits.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import time
from dataclasses import dataclass, field
from functools import partial
from logging import NullHandler, getLogger
from typing import Any

import authres
import dkim
import dns.exception
import dns.name
import spf
from authres.dmarc import DMARCAuthenticationResult

from examples.names import NotNow, Resolver, look_up
from smtpproto import Domain, LocalProtocolError, Reply, ReversePath, Session
from smtpproto.grammar.address_list import read_address_list

from . import dmarc

ALGORITHMS = ("rsa-sha256", "rsa-sha1", "ed25519-sha256")
DOMAIN = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
SIGNATURES = 5  # how many of a message are verified
SPF_TIME = 20  # seconds for the lookups of SPF (RFC 7208 section 4.6.4)
LOG = getLogger("examples.mail_authentication.dkim")
LOG.addHandler(NullHandler())
LOG.propagate = False
# RFC 5322 section 2.2: a header field, with its folded lines.
FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:((?:[^\r\n]|\r\n[ \t])*)\r\n")


@dataclass
class Findings:
    """What is known about a message.

    Attributes:
        results: of each method, for the field.
        spf: the domain that SPF has authenticated.
        dkim: the domains whose signatures are valid.
        unknown: whether DNS left something open that may have authenticated a domain.
        refusal: the reply that refuses the message.
        disposition: what the author's domain asks for: none, quarantine or reject.
    """

    results: list[Any] = field(default_factory=list)
    spf: list[str] = field(default_factory=list)
    dkim: list[str] = field(default_factory=list)
    unknown: bool = False
    refusal: Reply | None = None
    disposition: str = "none"


def check(
    resolver: Resolver, session: Session, reverse_path: ReversePath, content: bytes
) -> Findings:
    """Check a message by all three methods."""
    findings = Findings()
    check_spf(findings, resolver, session, reverse_path)
    check_dkim(findings, resolver, content)
    check_dmarc(findings, resolver, content)
    return findings


# --- SPF --------------------------------------------------------------------------------------


class Query(spf.query):  # type: ignore[misc]  # pyspf has no types
    """A check of SPF that asks this resolver."""

    def __init__(self, resolver: Resolver, address: str, sender: str, name: str) -> None:
        super().__init__(i=address, s=sender, h=name)
        self.resolver = resolver
        self.deadline = time.monotonic() + SPF_TIME

    def dns(self, name: str, kind: str, *, ignore_void: bool = False) -> list[Any]:
        """The records in the form that pyspf expects; the resolver follows CNAME."""
        try:
            answer = look_up(self.resolver, name, kind)
        except NotNow as error:
            raise spf.TempError(str(error)) from error
        if time.monotonic() > self.deadline:
            raise spf.TempError("the lookups took too long (RFC 7208 section 4.6.4)")
        if not answer and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                raise spf.PermError("too many lookups without a result (RFC 7208 section 4.6.4)")
        return [READ[kind](record) for record in answer or ()]


READ: dict[str, Any] = {
    "A": lambda record: record.address,
    "AAAA": lambda record: record.address,
    "MX": lambda record: (record.preference, record.exchange.to_text(omit_final_dot=True)),
    "PTR": lambda record: record.target.to_text(omit_final_dot=True),
    "TXT": lambda record: record.strings,
}


def check_spf(
    findings: Findings, resolver: Resolver, session: Session, reverse_path: ReversePath
) -> None:
    """Whether the client may send for the domain of the reverse-path, or of EHLO if it is null."""
    if not is_address(session.peer):
        return  # such as the path of a Unix socket
    name = str(session.name) if isinstance(session.name, Domain) else ""
    sender = reverse_path.mailbox
    if sender is not None and not isinstance(sender.domain, Domain):
        return  # an address literal has no policy
    domain = in_dns(str(sender.domain) if sender is not None else name)
    if domain is None:
        return
    # For pyspf the domain begins behind the first "@"; a quoted local-part can hold another.
    mailbox = f"{sender.local_part.replace('@', '=')}@{domain}" if sender is not None else ""
    query = Query(resolver, session.peer, mailbox, in_dns(name) or "unknown")
    result, _, _ = query.check()  # the third may hold text of the policy, so it is not passed on
    findings.unknown |= result == "temperror"
    if result == "pass":
        findings.spf.append(domain)
    # The domain alone: a local-part may hold what the field would have to quote.
    about = {"smtp_mailfrom" if sender is not None else "smtp_helo": domain}
    findings.results.append(authres.SPFAuthenticationResult(result=result, **about))


def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    with contextlib.suppress(ValueError):
        return bool(ipaddress.ip_address(text))
    return False


# --- DKIM -------------------------------------------------------------------------------------


def check_dkim(findings: Findings, resolver: Resolver, content: bytes) -> None:
    """Verify the signatures of a message."""
    fields = [match[1].lower() for match in header_fields(content)]
    for index in range(min(fields.count(b"dkim-signature"), SIGNATURES)):
        message = dkim.DKIM(logger=LOG)
        try:
            message.set_message(content)
            result = verify(resolver, message, index)
        except dkim.DKIMException:
            result = "permerror"
        tags = {name: value.decode("latin-1") for name, value in message.signature_fields.items()}
        domain, algorithm = in_dns(tags.get(b"d", "")), tags.get(b"a", "")
        findings.unknown |= result == "temperror"
        if result == "pass" and domain is not None:
            findings.dkim.append(domain)
        findings.results.append(
            authres.DKIMAuthenticationResult(
                result=result,
                header_d=domain,
                header_a=algorithm if algorithm in ALGORITHMS else None,
            )
        )


def verify(resolver: Resolver, message: dkim.DKIM, index: int) -> str:
    """Verify one signature; the result is a word of RFC 8601 section 2.7.1."""
    keys: list[bytes | None] = []
    try:
        valid = message.verify(index, dnsfunc=partial(key_record, resolver, keys))
    except NotNow:
        return "temperror"
    except dkim.ValidationError as error:
        return "fail" if str(error).startswith("body hash") else "permerror"
    tags = message.signature_fields
    if tags[b"a"] == b"rsa-sha1" or b"l" in tags:
        # SHA-1 is broken (RFC 8301), and with "l" anyone may add to the content.
        return "policy"
    if keys == [None] or b"from" not in message.include_headers:
        # No key, or a signature that says nothing of the author (RFC 6376 section 6.1.1).
        return "permerror"
    return "pass" if valid else "fail"


def key_record(
    resolver: Resolver, keys: list[bytes | None], name: bytes, **_: object
) -> bytes | None:
    """The record with the key of a signature."""
    answer = look_up(resolver, name.decode("utf-8", "replace"), "TXT")
    keys.append(b"".join(next(iter(answer)).strings) if answer else None)
    return keys[-1]


# --- DMARC ------------------------------------------------------------------------------------


def check_dmarc(findings: Findings, resolver: Resolver, content: bytes) -> None:
    """Whether an authenticated domain vouches for the author's, and what if none does."""
    author = author_domain(content)
    if author is None:
        # Which of several authors a reader would see is not known (RFC 7489 section 6.6.1).
        findings.refusal = Reply(550, "5.7.1", "the header needs one From field with one domain")
        return
    result, policy = "none", None
    try:
        policy = dmarc.find_policy(resolver, author)
    except dmarc.RecordError:
        result = "permerror"
    except NotNow:
        result = "temperror"
        findings.refusal = Reply(451, "4.4.3", f"the policy of {author} is not known now")
    if policy is not None:
        aligned = dmarc.is_aligned(
            author, findings.spf, strict=policy.strict_spf
        ) or dmarc.is_aligned(author, findings.dkim, strict=policy.strict_dkim)
        result = "pass" if aligned else "temperror" if findings.unknown else "fail"
        if not aligned:
            refuse(findings, author, policy)
    findings.results.append(
        DMARCAuthenticationResult(
            result=result, header_from=author, policy=policy and policy.disposition
        )
    )


def refuse(findings: Findings, author: str, policy: dmarc.Policy) -> None:
    """Do what the policy asks for."""
    if policy.disposition == "reject":
        if findings.unknown:
            findings.refusal = Reply(451, "4.4.3", f"who speaks for {author} is not known now")
        else:
            findings.refusal = Reply(550, "5.7.26", f"{author} asks to reject this (DMARC)")
    if not findings.unknown:
        findings.disposition = policy.disposition


def author_domain(content: bytes) -> str | None:
    """The domain of the From field as DNS has it; None if there is not exactly one.

    Also None if the header has a line that is no field: readers do not agree on what follows it.
    """
    fields = header_fields(content)
    end = fields[-1].end() if fields else 0
    bodies = [match[2] for match in fields if match[1].lower() == b"from"]
    if len(bodies) != 1 or content[end : end + 2] not in (b"\r\n", b""):
        return None
    try:
        text = bodies[0].replace(b"\r\n", b"").decode("utf-8")
        addresses = read_address_list(text, "From").addresses
    except (UnicodeError, LocalProtocolError):
        return None
    domains = {in_dns(address.domain) for address in addresses}
    return domains.pop() if len(domains) == 1 else None


def in_dns(domain: str) -> str | None:
    """A domain with A-labels, in lower case; None if no host can have this name.

    What it returns needs no quotes in a header field.
    """
    try:
        name = dns.name.from_text(domain, idna_codec=dns.name.IDNA_2008_Practical)
    except (dns.exception.DNSException, UnicodeError):
        return None
    text = name.to_text(omit_final_dot=True).lower()
    return text if DOMAIN.fullmatch(text) else None


# --- the field --------------------------------------------------------------------------------


def header_fields(content: bytes) -> list[re.Match[bytes]]:
    """The fields of a message, name and body, up to the first line that is none."""
    found: list[re.Match[bytes]] = []
    at = 0
    while (match := FIELD.match(content, at)) is not None:
        found.append(match)
        at = match.end()
    return found


def with_results(content: bytes, authserv_id: str, findings: Findings) -> bytes:
    """The content with our results on top, without others in our name (RFC 8601 section 5)."""
    forged = [
        match
        for match in header_fields(content)
        if match[1].lower() == b"authentication-results" and claims(match[2], authserv_id)
    ]
    for match in reversed(forged):
        content = content[: match.start()] + content[match.end() :]
    ours = authres.AuthenticationResultsHeader(authserv_id=authserv_id, results=findings.results)
    return str(ours).replace("; ", ";\r\n\t").encode() + b"\r\n" + content


def claims(body: bytes, authserv_id: str) -> bool:
    """Whether a field may say that we wrote it.

    A field of others that only mentions us goes as well: a parser would have to know each way to
    hide a name, in comments and quoted strings.
    """
    return authserv_id.lower().encode() in body.replace(b"\\", b"").lower()
