"""The settings of a client's session: its name, TLS, credentials, and the extensions to use.

RFC 3207, RFC 8314 (TLS from the start), RFC 4954; the policies that ask for more than a certificate
are those of RFC 8461 (MTA-STS), RFC 7672 (DANE) and RFC 8689 (REQUIRETLS).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import TYPE_CHECKING

from ...engine.compiled_extensions import catalogue
from ...engine.connection import Observer, check_observer
from ...field_types import check_fields, check_type, refuse_async
from ...limits import DEFAULT, Limits
from ...vocabulary.session_facts import Protocol
from ...wire import LineEndings
from .ehlo_name import client_name
from .tls_policy import TLSPolicy

if TYPE_CHECKING:
    from ...extensions import Extension
    from ...sasl import Credentials, Mechanism
    from ...vocabulary.addresses import AddressLiteral, Domain
    from ...wire.proxy_header_value import ProxyHeader

__all__ = ["ClientSettings", "TLSMode"]

_IMPLICIT_PORT = 465
_SUBMISSION_PORT = 587


class TLSMode(enum.Enum):
    """When a client begins TLS.

    If the channel itself is confidential, as a Unix socket is, the client skips STARTTLS unless a
    policy requires TLS.
    """

    NONE = "never"
    OPPORTUNISTIC = "after STARTTLS where the server offers it, else not at all (RFC 7435)"
    STARTTLS = "after STARTTLS, or there is no session (RFC 3207)"
    IMPLICIT = "before all else (RFC 8314 section 3.3)"

    @classmethod
    def default(cls, port: int, credentials: object | None) -> TLSMode:
        """Return the mode that suits a port.

        This is IMPLICIT on 465; STARTTLS on 587, and on any other port with credentials; otherwise
        OPPORTUNISTIC.

        Arguments:
            port: the server's port.
            credentials: the credentials; None not to log in.
        """
        if port == _IMPLICIT_PORT:
            return cls.IMPLICIT
        if port == _SUBMISSION_PORT or credentials is not None:
            return cls.STARTTLS
        return cls.OPPORTUNISTIC


@dataclass(frozen=True, kw_only=True)
class ClientSettings:
    """Settings of a client's session.

    Arguments:
        name: the client's name in EHLO: a domain, or an address literal in brackets.  None: the
            host's own name if that is a domain, otherwise the address literal of the connection
            (RFC 5321 section 4.1.4).
        tls: when TLS begins; None: depends on the port and the credentials, see `TLSMode.default`.
        policy: what the TLS connection must satisfy.
        credentials: the credentials to log in with; None not to log in.
        mechanisms: the SASL mechanisms to use: names, or a mapping by name that may have your own
            (`docs/howto/sasl.md`); None for `sasl.MECHANISMS`.
        allow_plaintext: names of those that may send a reusable secret without TLS.
        nonce: a function that returns random text, see `sasl.Context`; needed to log in.
        proxy: a PROXY header to send first, which names the client that this one speaks for.
        protocol: SMTP or LMTP.
        extensions: the service extensions to use; None for all of this package.
        limits: bounds for what the server can make the client store or do; None for `Limits()`.
        line_endings: what happens to a bare CR or LF in content.
        chunking: whether content goes in counted chunks if the server offers that (RFC 3030).
        to_ascii: converts U-labels to A-labels in `name`, and in addresses if the server does not
            offer SMTPUTF8, such as `smtpproto.idn.to_ascii`; None: such names are refused.
        observer: called with each line and chunk, such as a `Transcript`.  Over asyncio the event
            loop itself may call it, with the context variables of the task: `current_task` is None.
        host: the server's name as the user wrote it; for SASL and for explanations.
        port: its port.

    Raises:
        LocalProtocolError: the name is neither a domain nor an address literal.
        TypeError: an argument has another type, or `mechanisms` has a value that is not a
            mechanism.
        ValueError: the policy requires TLS but `tls` forbids it; there is no `nonce` for the
            credentials; or there is no mechanism of a name.
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
    to_ascii: Callable[[Domain], Domain] | None = None
    observer: Observer | None = None
    host: str = ""
    port: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        check_observer(self.observer)
        refuse_async(nonce=self.nonce, to_ascii=self.to_ascii)
        catalogue(self.extensions or (), self.protocol, self.limits or DEFAULT)
        required = self.policy is not None and self.policy.required
        if required and self.tls is TLSMode.NONE:
            raise ValueError("the policy requires TLS, but `tls` is TLSMode.NONE")
        if self.credentials is not None or self.mechanisms is not None or self.allow_plaintext:
            self._check_login()
        self.ehlo_name("localhost", None)

    def _check_login(self) -> None:
        # Loaded here: a client that does not log in needs no mechanism.
        from ...sasl import Credentials, known_mechanisms  # noqa: PLC0415

        check_type("credentials", self.credentials, Credentials, NoneType)
        if self.credentials is not None and self.nonce is None:
            raise ValueError("`credentials` need `nonce`: set both")
        unknown = sorted(set(self.allow_plaintext) - known_mechanisms(self.mechanisms).keys())
        if unknown:
            raise ValueError(f"allow_plaintext: {', '.join(unknown)} is not among the mechanisms")

    def ehlo_name(self, hostname: str, address: str | None) -> Domain | AddressLiteral:
        """Return the argument for EHLO.

        Arguments:
            hostname: the host's own name.
            address: the IP address of this end of the connection; None if it has none.
        """
        return client_name(self.name, hostname, address, self.to_ascii)

    @property
    def tls_mode(self) -> TLSMode:
        """When TLS begins."""
        return TLSMode.default(self.port, self.credentials) if self.tls is None else self.tls

    @property
    def requires_tls(self) -> bool:
        """Whether a session without TLS is forbidden."""
        required = self.policy is not None and self.policy.required
        return required or self.tls_mode in (TLSMode.STARTTLS, TLSMode.IMPLICIT)

    @property
    def verifies(self) -> bool:
        """Whether to verify the certificate: useless if the client would also go on without TLS."""
        return self.requires_tls or self.credentials is not None
