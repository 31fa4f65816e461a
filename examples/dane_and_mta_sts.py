"""A relay that finds in DNS what to demand of a mail exchanger's TLS.

It looks up DANE (RFC 7672) and MTA-STS (RFC 8461) with dnspython, and makes a `TLSPolicy`:

* With TLSA records that DNSSEC has signed: TLS, with a certificate or key of these records.
* Otherwise, with an MTA-STS policy in mode "enforce": TLS, a verified certificate, and a mail
  exchanger that the policy names.
* Otherwise: TLS if the server offers it, with any certificate.

Run it as `python -m examples.dane_and_mta_sts`; it needs dnspython and cryptography
(`smtpproto-sansio[dns]`), and trustme (`smtpproto-sansio[cli]`) for throw-away certificates.  It
runs a name server and a mail server on loopback.
"""

from __future__ import annotations

import hashlib
import random
import tempfile
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import dns.flags
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TLSA import TLSA

from examples.names import HOST, NotNow, Records, Resolver, look_up, name_server
from smtpproto import ProtocolError, Reply, Session, TLSFacts, sync
from smtpproto.adapters.connecting import ConnectionSettings
from smtpproto.adapters.tls_contexts import Context, client_context, server_context
from smtpproto.conversations import Envelope, ServerTLS, SMTPError, TLSMode, TLSPolicy
from smtpproto.vocabulary.replies import DOMAIN_ACCEPTS_NO_MAIL

Fetch = Callable[[str], str]
"""Gets the text at an HTTPS address, whose certificate it verifies."""

LARGEST = 65536  # octets of an MTA-STS policy (RFC 8461 section 3.3)
OLDEST = 31_557_600  # seconds for which one may hold: a year (section 3.2)


class Exchangers(NamedTuple):
    """The hosts that take mail for a domain, best first.

    `signed` says whether DNS can be believed here: DNSSEC has signed the MX records, or there are
    none, so that the certificate has to name the domain itself.  `takes_mail` is False if the
    domain says that it takes none (RFC 7505).
    """

    hosts: list[str]
    signed: bool
    takes_mail: bool = True


def mail_exchangers(resolver: Resolver, domain: str, myself: str | None = None) -> Exchangers:
    """Look up who takes mail for a domain (RFC 5321 section 5.1).

    The host `myself` passes mail on to better exchangers only, so that it makes no loop.
    """
    answer = look_up(resolver, domain, "MX")
    if answer is None:
        return Exchangers([domain], signed=True)
    found = [(r.preference, str(r.exchange).rstrip(".")) for r in answer if isinstance(r, MX)]
    own = min((preference for preference, host in found if host == myself), default=65536)
    # Those of the same preference share the load.
    best = sorted((preference, random.random(), host) for preference, host in found)
    hosts = [host for preference, _, host in best if host and preference < own]
    takes_mail = any(host for _, host in found)
    return Exchangers(hosts, bool(answer.response.flags & dns.flags.AD), takes_mail)


# --- DANE -------------------------------------------------------------------------------------

# Certificate usage DANE-EE (RFC 6698 section 2.1.1): the record is about the server's own
# certificate.  Its issuer and the names in it do not matter (RFC 7672 section 3.1.1).
DANE_EE = 3
# A check of DANE-TA needs the chain that the server sent, and `ssl` does not give it before Python
# 3.13.  So here the message waits.  Usages 0 and 1 have no meaning for mail (section 3.1.3).
DANE_TA = 2
HASHES: dict[int, Callable[[bytes], bytes]] = {
    0: lambda octets: octets,
    1: lambda octets: hashlib.sha256(octets).digest(),
    2: lambda octets: hashlib.sha512(octets).digest(),
}


def tlsa_records(resolver: Resolver, host: str, port: int) -> list[TLSA]:
    """The TLSA records of a server, if the resolver found them signed (flag AD).

    The flag is only as safe as the connection to the resolver: use a resolver on this machine.
    """
    answer = look_up(resolver, f"_{port}._tcp.{host}", "TLSA")
    if answer is None or not answer.response.flags & dns.flags.AD:
        return []
    return [record for record in answer if isinstance(record, TLSA)]


def matches(record: TLSA, certificate: bytes) -> bool:
    """Whether a record is about this certificate (RFC 6698 section 2.1)."""
    octets = certificate
    if record.selector == 1:
        key = x509.load_der_x509_certificate(certificate).public_key()
        octets = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = HASHES.get(record.mtype)
    return digest is not None and record.selector in (0, 1) and digest(octets) == record.cert


def dane(records: list[TLSA]) -> TLSPolicy:
    """What TLS with a server that has TLSA records has to be like."""
    usable = [record for record in records if record.usage == DANE_EE]

    def check(facts: TLSFacts) -> str | None:
        certificate = facts.peer_certificate or b""
        if any(matches(record, certificate) for record in usable):
            return None
        if any(record.usage == DANE_TA for record in records):
            return "its TLSA records name an authority (DANE-TA), which is not checked here"
        if not usable:
            # There are records, but none for mail: any certificate will do (RFC 7672 section 2.2).
            return None
        return f"none of {len(usable)} TLSA records is about its certificate"

    return TLSPolicy(check=check)


# --- MTA-STS ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class StsPolicy:
    """A policy of RFC 8461 section 3.2.  A real relay keeps it for `max_age` seconds."""

    mode: str
    mx: tuple[str, ...]
    max_age: int

    @classmethod
    def parse(cls, text: str) -> StsPolicy:
        """The policy in a text; ValueError if there is none."""
        pairs = [line.partition(":") for line in text.splitlines() if line.strip()]
        fields = [(name.strip(), value.strip()) for name, _, value in pairs]
        first = dict(reversed(fields))
        if first.get("version") != "STSv1" or first.get("mode") not in (
            "enforce",
            "testing",
            "none",
        ):
            raise ValueError("no MTA-STS policy (RFC 8461 section 3.2)")
        mx = tuple(value for name, value in fields if name == "mx")
        if not mx and first["mode"] != "none":
            raise ValueError("an MTA-STS policy that names no mail exchanger")
        age = first.get("max_age", "")
        if not (age.isascii() and age.isdigit()) or int(age[:11]) > OLDEST:
            raise ValueError(f"an MTA-STS policy for {age[:11]!r} seconds")
        return cls(first["mode"], mx, int(age))

    def names(self, host: str) -> bool:
        """Whether a mail exchanger is one of those that the policy names (section 4.1)."""
        _, _, parent = host.lower().partition(".")
        return any(mx.lower() in (host.lower(), f"*.{parent}") for mx in self.mx)


def sts_policy(resolver: Resolver, domain: str, fetch: Fetch) -> StsPolicy | None:
    """The MTA-STS policy of a domain; None if it has none (RFC 8461 section 3)."""
    answer = look_up(resolver, f"_mta-sts.{domain}", "TXT")
    texts = [b"".join(record.strings) for record in answer or ()]
    if len([text for text in texts if text.startswith(b"v=STSv1;")]) != 1:
        return None
    try:
        return StsPolicy.parse(fetch(f"https://mta-sts.{domain}/.well-known/mta-sts.txt"))
    except (OSError, ValueError):
        # The domain counts as one without a policy, unless an older one is valid (section 3.3).
        return None


class Nowhere(urllib.request.HTTPRedirectHandler):
    """Follows no redirection; `open` raises an `HTTPError` for it, which is an `OSError`."""

    def redirect_request(self, *_: object) -> None:
        return None


def fetch(url: str) -> str:
    """Fetch at most 64 KiB, and follow no redirection (section 3.3)."""
    with urllib.request.build_opener(Nowhere).open(url, timeout=60) as response:
        text = response.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise OSError("an MTA-STS policy of more than 64 KiB")
    return str(text, "utf-8")


# --- both together ----------------------------------------------------------------------------


def how_to_connect(
    resolver: Resolver,
    host: str,
    port: int,
    policy: StsPolicy | None,
    trust: Context | None,
    *,
    verified: bool = False,
) -> ConnectionSettings | None:
    """The settings for a mail exchanger, but for its address; None if the policy forbids it.

    DANE comes first: MTA-STS must not weaken it (RFC 8461 section 2).  With `verified`, as
    REQUIRETLS asks for, it is TLS with a verified certificate in any case (RFC 8689 section 4.2.1).
    """
    records = tlsa_records(resolver, host, port)
    settings = ConnectionSettings(port=port, server_hostname=host)
    if records and not (verified and not any(record.usage == DANE_EE for record in records)):
        return replace(settings, policy=dane(records), tls_context=client_context(verify=False))
    if policy is not None and policy.mode == "enforce":
        if not policy.names(host):
            return None
        verified = True
    if verified:
        return replace(settings, policy=TLSPolicy(), tls_context=trust)
    return settings


class NoWay(Exception):
    """No mail exchanger of a domain can get a message; the argument is a reply that says why."""


@dataclass(frozen=True)
class Ways:
    """The ways to all domains."""

    resolver: Resolver
    port: int = 25  # of all servers
    trust: Context | None = None  # who signed their certificates; None: the system's authorities
    fetch: Fetch = fetch  # gets an MTA-STS policy
    myself: str | None = None  # the name of this host

    def to(self, domain: str, *, verified: bool = False) -> list[ConnectionSettings]:
        """How to connect to each address of a domain's mail exchangers, best first.

        Those without TLS come last: use them only if TLS failed.

        Raises:
            NoWay: there is none, or no policy allows one.
            NotNow: DNS does not say.
        """
        if domain.startswith("[") and not verified:
            # An address literal has no records (RFC 5321 section 5.1).
            address = domain[1:-1].lower().removeprefix("ipv6:")
            return [ConnectionSettings(address, self.port, name=self.myself)]
        exchangers = mail_exchangers(self.resolver, domain, self.myself)
        if not exchangers.takes_mail:
            raise NoWay(DOMAIN_ACCEPTS_NO_MAIL)
        ways = [
            replace(settings, host=str(address), name=self.myself)
            for host, settings in self._allowed(domain, exchangers, verified=verified).items()
            for kind in ("AAAA", "A")
            for address in look_up(self.resolver, host, kind) or ()
        ]
        if not ways:
            raise NoWay(Reply(550, "5.4.4", f"no mail exchanger of {domain} has an address"))
        # Where no policy asks for TLS, a handshake that fails is no reason to fail (RFC 7435).
        return ways + [replace(each, tls=TLSMode.NONE) for each in ways if each.policy is None]

    def _allowed(
        self, domain: str, exchangers: Exchangers, *, verified: bool
    ) -> dict[str, ConnectionSettings]:
        """The exchangers that the policies allow, and what TLS has to be like."""
        policy = sts_policy(self.resolver, domain, self.fetch)
        if verified and not exchangers.signed and (policy is None or policy.mode != "enforce"):
            # An attacker could name a server that has a certificate (RFC 8689 section 4.2.1).
            raise NoWay(Reply(550, "5.7.10", f"nothing vouches for the MX records of {domain}"))
        ask = partial(how_to_connect, self.resolver, port=self.port, policy=policy)
        how = {each: ask(each, trust=self.trust, verified=verified) for each in exchangers.hosts}
        allowed = {host: settings for host, settings in how.items() if settings is not None}
        if how and not allowed:
            names = " or ".join(exchangers.hosts)
            raise NoWay(Reply(451, "4.7.5", f"{names} is not named by the MTA-STS policy"))
        return allowed


def deliver(
    resolver: Resolver, domain: str, *, fetch: Fetch, port: int = 25, trust: Context | None = None
) -> str:
    """Deliver a message to the postmaster of a domain, and return the result in words.

    The example gives `trust`: who signed the certificates, in place of the system's authorities.
    """
    envelope = Envelope.of("", f"postmaster@{domain}")
    try:
        settings, *_ = Ways(resolver, port, trust, fetch).to(domain)
        with sync.connect_with(settings) as client:
            delivery = client.send(envelope, b"Subject: hello\r\n\r\nHello.\r\n")
            tls = client.session.tls.version if client.session.tls else "no TLS"
            return f"{delivery.outcomes[0].status.name} by {settings.server_hostname} over {tls}"
    except (NoWay, NotNow, SMTPError, ProtocolError, OSError) as error:
        return f"not delivered: {error}".partition("\n")[0]


# --- a little Internet on loopback ------------------------------------------------------------


class Discard:
    """What the mail server delivers to."""

    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        """Take it."""


def try_all(say: Callable[[str, str], None]) -> None:
    """Deliver to domains of every kind."""
    import trustme

    authority = trustme.CA()
    issued = authority.issue_cert("mx.example")
    trusting = client_context()
    authority.configure_trust(trusting)
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder, "cert.pem"), Path(folder, "key.pem")
        issued.cert_chain_pems[0].write_to_path(str(certificate))
        issued.private_key_pem.write_to_path(str(key))
        context = server_context(certificate, key)
    loaded = x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes())
    public = loaded.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    right = hashlib.sha256(public).hexdigest()
    whole = hashlib.sha512(loaded.public_bytes(Encoding.DER)).hexdigest()
    sts = {
        f"https://mta-sts.{domain}/.well-known/mta-sts.txt": (
            f"version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: 86400\r\n"
        )
        for domain, mode, mx in (
            ("sts.example", "enforce", "mx.example"),
            ("other-mx.example", "enforce", "*.elsewhere.example"),
            ("other-name.example", "enforce", "*.other-name.example"),
            ("testing.example", "testing", "*.elsewhere.example"),
        )
    }
    with sync.serve(
        Discard(), hostname="mx.example", tls=ServerTLS.STARTTLS, tls_context=context
    ) as server:
        tlsa = f"_{server.port}._tcp"
        zone: dict[tuple[str, str], Records] = {
            ("dane.example", "MX"): "10 key.mx.example.",
            (f"{tlsa}.key.mx.example", "TLSA"): f"3 1 1 {right}",
            ("dane-certificate.example", "MX"): "10 certificate.mx.example.",
            (f"{tlsa}.certificate.mx.example", "TLSA"): f"3 0 2 {whole}",
            ("attacked.example", "MX"): "10 stolen.mx.example.",
            (f"{tlsa}.stolen.mx.example", "TLSA"): f"3 1 1 {'00' * 32}",
            ("unsigned.example", "MX"): "10 mx.unsigned.example.",
            (f"{tlsa}.mx.unsigned.example", "TLSA"): f"3 1 1 {'00' * 32}",
            ("unusable.example", "MX"): "10 unusable.mx.example.",
            (f"{tlsa}.unusable.mx.example", "TLSA"): f"1 0 1 {'00' * 32}",
            ("authority.example", "MX"): "10 authority.mx.example.",
            (f"{tlsa}.authority.mx.example", "TLSA"): f"2 0 1 {'00' * 32}",
            ("sts.example", "MX"): "10 mx.example.",
            ("other-mx.example", "MX"): "10 mx.example.",
            ("other-name.example", "MX"): "10 mx.other-name.example.",
            ("testing.example", "MX"): "10 mx.example.",
            ("plain.example", "MX"): "10 mx.example.",
        }
        for host in {
            str(text).split()[1].rstrip(".") for (_, kind), text in zone.items() if kind == "MX"
        }:
            zone[host, "A"] = HOST
        for url in sts:
            domain = url.split("/")[2].removeprefix("mta-sts.")
            zone[f"_mta-sts.{domain}", "TXT"] = '"v=STSv1; id=20260101;"'
        with name_server(zone) as resolver:
            for domain in [name for name, kind in zone if kind == "MX"]:
                came = deliver(
                    resolver, domain, fetch=sts.__getitem__, port=server.port, trust=trusting
                )
                say(domain, came)


if __name__ == "__main__":
    try_all(lambda domain, came: print(f"{domain + ':':26} {came}"))
