"""Values that both halves of a mechanism use: credentials, context, identity (RFC 4422)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..field_types import check_fields
from ..grammar.lazy_pattern import lazy_pattern
from ..vocabulary.session_facts import NameKind, Session
from .errors import SASLError
from .message_text import FIELD

__all__ = ["CHANNEL_BINDINGS", "USUAL_BINDINGS", "Context", "Credentials", "Identity"]

# Types of channel binding in the order that a client prefers: RFC 9266 section 3 for TLS 1.3, RFC
# 5802 section 6.1 for older TLS; the last one binds only to the server's certificate.
USUAL_BINDINGS = ("tls-exporter", "tls-unique")
CHANNEL_BINDINGS = (*USUAL_BINDINGS, "tls-server-end-point")

# Octets of a token: it must fit into a line of 12288 octets of base64 (RFC 4954 section 4) with the
# rest of the message.
TOKEN = 8192

# A bearer token has fewer characters (RFC 6750 section 2.1); none of these ends the field.
VISIBLE = lazy_pattern(r"[!-~]*")
HOST = lazy_pattern(r"[!-;=?A-~]*")  # without "<", ">" and "@"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A client's credentials; each mechanism uses the fields it needs.

    Arguments:
        username: the authentication identity.
        password: for PLAIN, LOGIN, CRAM-MD5 and SCRAM; never shown.
        token: an OAuth 2.0 bearer token, for OAUTHBEARER and XOAUTH2; never shown.
        authorization: the identity to act as; empty for the one that the credentials prove.
        external: whether to rely on the certificate sent in the TLS handshake (EXTERNAL).
        anonymous: trace information for ANONYMOUS, may be empty; None not to use ANONYMOUS.

    Raises:
        SASLError: a field is too long, or holds characters that no mechanism can send.
        TypeError: a field has another type.
    """

    username: str = ""
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    authorization: str = ""
    external: bool = False
    anonymous: str | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("username", "password", "authorization", "anonymous"):
            _check_field(name, getattr(self, name) or "")
        token = self.token or ""
        if len(token) > TOKEN or VISIBLE.fullmatch(token) is None:
            raise SASLError(f"token: expected at most {TOKEN} visible ASCII characters (RFC 6750)")


def _check_field(name: str, text: str) -> None:
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        length = -1
    if length < 0:
        raise SASLError(f"{name}: expected Unicode text, found a lone surrogate (RFC 3629)")
    if length > FIELD:
        raise SASLError(f"{name}: expected at most {FIELD} octets, found {length}")
    if "\0" in text:
        raise SASLError(f"{name}: expected no NUL (RFC 4616 section 2)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a mechanism may know about its session.

    Arguments:
        nonce: a function that returns new visible ASCII text without a comma, with at least 18
            random octets, such as `secrets.token_urlsafe(18)`.
        host: the server's host name.  On a client this is the name that it connected to, not the
            one in the greeting.
        port: the server's port, 0 if it is not known.
        service: the service name of RFC 4422 section 4.
        secure: whether the channel is confidential.
        channel_bindings: data by type of channel binding (RFC 5056).
        external: on a server, the identities in the client's verified certificate.
        aliases: on a server, the names that clients may use for it; empty if unknown.
        offered: the mechanisms that the server offers.

    Raises:
        SASLError: the host is not printable ASCII.
    """

    nonce: Callable[[], str] = field(repr=False, compare=False)
    host: str = ""
    port: int = 0
    service: str = "smtp"
    secure: bool = False
    channel_bindings: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)
    external: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    offered: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if HOST.fullmatch(self.host) is None:
            raise SASLError("host: expected a domain in ASCII or an address literal (RFC 5321)")

    @classmethod
    def of(
        cls,
        session: Session,
        nonce: Callable[[], str],
        *,
        host: str | None = None,
        port: int = 0,
        offered: tuple[str, ...] = (),
        external: NameKind | None = None,
    ) -> Context:
        """Return the context of a session.

        Arguments:
            session: the facts of the session, TLS included.
            nonce: as for the class.
            host: as for the class; None takes the session's, which is right only on a server.
            port: as for the class.
            offered: as for the class.
            external: on a server, the kind of names in a certificate that are identities; None: no
                names are.
        """
        tls = session.tls
        name = tls.server_name if tls else None
        return cls(
            nonce=nonce,
            host=session.hostname if host is None else host,
            port=port,
            secure=session.secure,
            channel_bindings=tls.channel_bindings if tls else {},
            external=tls.names(external) if tls and external is not None else (),
            aliases=(name,) if name else (),
            offered=offered,
        )

    @property
    def binding(self) -> str | None:
        """The type of channel binding that a client uses here; None if there is none."""
        usable = (kind for kind in CHANNEL_BINDINGS if self.channel_bindings.get(kind))
        return next(usable, None)


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of an authenticated client (RFC 4422 section 2).

    Arguments:
        authentication: the owner of the credentials.
        authorization: the identity that the client acts as; usually the same.
    """

    authentication: str
    authorization: str
