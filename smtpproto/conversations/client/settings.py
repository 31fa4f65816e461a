"""The settings of a client's session: its name, TLS, who to log in as, what it makes use of.

RFC 3207, RFC 8314 (TLS from the start), RFC 4954; the policies that ask for more than a certificate
are those of RFC 8461 (MTA-STS), RFC 7672 (DANE) and RFC 8689 (REQUIRETLS).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...sasl import Credentials
from ...sasl.choice import known_mechanisms
from ...vocabulary.session import NameKind, Protocol
from ...wire import LineEndings
from .ehlo_name import client_name

if TYPE_CHECKING:
    from ...engine.connection import Observer
    from ...extensions import Extension
    from ...limits import Limits
    from ...sasl import Mechanism
    from ...vocabulary.addresses import AddressLiteral, Domain
    from ...vocabulary.session import TLSFacts
    from ...wire.proxy_header import ProxyHeader
    from .plan import ToASCII

__all__ = ["ClientSettings", "TLSMode", "TLSPolicy"]

_IMPLICIT_PORT = 465
_SUBMISSION_PORT = 587


class TLSMode(enum.Enum):
    """When a client begins TLS.

    Where the channel keeps secrets by itself, as a Unix socket does, STARTTLS is left out, unless a
    policy asks for it.
    """

    NONE = "never"
    OPPORTUNISTIC = "after STARTTLS where the server offers it, else not at all (RFC 7435)"
    STARTTLS = "after STARTTLS, or there is no session (RFC 3207)"
    IMPLICIT = "before all else (RFC 8314 section 3.3)"

    @classmethod
    def default(cls, port: int, credentials: object | None) -> TLSMode:
        """What suits a port.

        IMPLICIT on 465; STARTTLS on 587, and wherever there are credentials to protect; otherwise
        OPPORTUNISTIC.

        Arguments:
            port: of the server.
            credentials: None if there is nobody to log in as.
        """
        if port == _IMPLICIT_PORT:
            return cls.IMPLICIT
        if port == _SUBMISSION_PORT or credentials is not None:
            return cls.STARTTLS
        return cls.OPPORTUNISTIC


@dataclass(frozen=True, slots=True)
class TLSPolicy:
    """What a TLS connection has to be like, as an application knows from elsewhere.

    A library that looks up MTA-STS policies, TLSA records or DNSSEC fills it.

    Arguments:
        required: whether there may be no session without TLS.
        hosts: DNS names of which the server's verified certificate has to have one, such as
            "mx.example.org" or "*.example.org" (RFC 8461 section 4.1); empty for any.  That the
            certificate names the server one connected to is checked besides, by the TLS context.
        check: called with what is known of the connection; gives what is wrong with it, in words,
            or None.  Plain or, with an adapter that can wait, async.
    """

    required: bool = True
    hosts: tuple[str, ...] = ()
    check: Callable[[TLSFacts], Any] | None = None

    def names(self, facts: TLSFacts) -> str | None:
        """What is wrong with the names in the certificate, or None."""
        if not self.hosts:
            return None
        names = facts.names(NameKind.DNS)
        if any(_matches(host, name) for host in self.hosts for name in names):
            return None
        found = ", ".join(names) or "no DNS name that was verified"
        return f"the policy expects {' or '.join(self.hosts)} in the certificate, found {found}"


def _matches(one: str, other: str) -> bool:
    """Whether two names have one in common; "*" stands for one label (RFC 6125 section 6.4.3)."""
    one, other = one.rstrip(".").lower(), other.rstrip(".").lower()
    if one == other:
        return True
    first, _, rest = one.partition(".")
    other_first, _, other_rest = other.partition(".")
    return bool(rest) and rest == other_rest and "*" in (first, other_first)


@dataclass(frozen=True, kw_only=True)
class ClientSettings:
    """Settings of a client's session.

    Arguments:
        name: what the client calls itself: a domain, or an address literal in brackets; None: its
            host's own name if that has a domain, otherwise the address literal of the connection
            (RFC 5321 section 4.1.4).
        tls: when TLS begins; None: as the port and the credentials suggest, see `TLSMode.default`.
        policy: what the TLS connection has to be like.
        credentials: who to log in as; None: not at all.
        mechanisms: the SASL mechanisms that may be used: names, or a mapping by name that may hold
            private ones (`docs/howto/sasl.md`); None for `sasl.MECHANISMS`.
        allow_plaintext: names of those that may send a reusable secret without TLS.
        nonce: gives fresh randomness, see `sasl.Context`; needed to log in.
        proxy: a PROXY header to begin with, which says for whom the client speaks.
        protocol: SMTP or LMTP.
        extensions: the service extensions to make use of; None for all that are known.
        limits: bounds on what the server can make the client hold or do; None for `Limits()`.
        line_endings: what happens to a bare CR or LF in content.
        chunking: whether content goes in counted chunks where the server offers that (RFC 3030).
        to_ascii: makes A-labels of U-labels in `name`, and in addresses where the server does not
            offer SMTPUTF8, such as `smtpproto.idn.to_ascii`; None: those are refused.
        observer: called with each line and chunk, such as a `Transcript`.
        host: the server, as the user wrote it; for SASL and for explanations.
        port: its port.

    Raises:
        LocalProtocolError: the name is neither a domain nor an address literal.
        TypeError: `tls` is no `TLSMode`, the credentials are none, or what stands in `mechanisms`
            is no mechanism.
        ValueError: the policy requires TLS, and TLS is never to begin; or there is no `nonce` for
            the credentials; or a name is not that of a mechanism.
    """

    name: str | None = None
    tls: TLSMode | None = None
    policy: TLSPolicy | None = None
    credentials: Credentials | None = None
    mechanisms: Mapping[str, Mechanism] | Collection[str] | None = None
    allow_plaintext: Collection[str] = ()
    nonce: Callable[[], str] | None = field(default=None, repr=False)
    proxy: ProxyHeader | None = None
    protocol: Protocol = Protocol.SMTP
    extensions: Collection[type[Extension]] | None = None
    limits: Limits | None = None
    line_endings: LineEndings = LineEndings.REFUSE
    chunking: bool = False
    to_ascii: ToASCII | None = None
    observer: Observer | None = None
    host: str = ""
    port: int = 0

    def __post_init__(self) -> None:
        # Anything else would be taken for none of the modes, and so for no TLS.
        if not isinstance(self.tls, (TLSMode, type(None))):
            raise TypeError(f"tls: expected a TLSMode, found {self.tls!r}")
        if not isinstance(self.credentials, (Credentials, type(None))):
            # Not shown: it may hold the password.
            raise TypeError(
                f"credentials: expected Credentials(username=..., password=...), found a "
                f"{type(self.credentials).__name__}"
            )
        required = self.policy is not None and self.policy.required
        if required and self.tls is TLSMode.NONE:
            raise ValueError("the policy requires TLS, and the TLS mode is NONE")
        if self.credentials is not None and self.nonce is None:
            raise ValueError("to log in takes a source of nonces")
        unknown = sorted(set(self.allow_plaintext) - known_mechanisms(self.mechanisms).keys())
        if unknown:
            raise ValueError(f"allow_plaintext: {', '.join(unknown)} is not among the mechanisms")
        self.ehlo_name("localhost", None)

    def ehlo_name(self, hostname: str, address: str | None) -> Domain | AddressLiteral:
        """The argument for EHLO.

        Arguments:
            hostname: the host's own name.
            address: the IP address of this end of the connection; None where it has none.
        """
        return client_name(self.name, hostname, address, self.to_ascii)

    @property
    def tls_mode(self) -> TLSMode:
        """When TLS begins."""
        return TLSMode.default(self.port, self.credentials) if self.tls is None else self.tls

    @property
    def requires_tls(self) -> bool:
        """Whether there is no session without TLS."""
        required = self.policy is not None and self.policy.required
        return required or self.tls_mode in (TLSMode.STARTTLS, TLSMode.IMPLICIT)

    @property
    def verifies(self) -> bool:
        """Whether to verify the certificate: where TLS need not even begin, it proves nothing."""
        return self.requires_tls or self.credentials is not None
