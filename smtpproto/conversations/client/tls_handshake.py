"""The TLS handshake of a client, and explanations of its failures.

RFC 3207 section 4.1, RFC 8314.  The reason why a certificate was refused comes from `verify_code`
of the error, which has OpenSSL's numbers.  So this does not depend on the library of the handshake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...timeouts import HANDSHAKE_TIMEOUT
from ..errors import ConnectionLost, TLSError
from ..requests import BeginTLS, Call, Flow

if TYPE_CHECKING:
    from ...engine.client import Client
    from ...vocabulary.session import TLSFacts
    from .settings import ClientSettings

__all__ = ["handshake", "tls_error"]

# By verify_code (X509_V_ERR_... of OpenSSL): the fault, and what to check.
_EXPIRED = (
    "the certificate has expired",
    "Check the clock of this host.",
    "Tell the server's administrator: the renewal does not work, or was not followed by a reload.",
)
_NOT_YET = ("the certificate is not valid yet", "Check the clock of this host.")
_SELF_SIGNED = (
    "the certificate is self-signed, so anybody could have made it",
    "If the server is your own, trust its certificate (load_verify_locations).",
    "Otherwise something may stand in between: a virus scanner, a captive portal, an attacker.",
)
_TRUST = "For a private authority, trust its certificate (load_verify_locations)."
_PRIVATE = (
    "the certificate comes from a private authority that is not trusted here",
    _TRUST,
    "Otherwise something may stand in between: a virus scanner, a captive portal, an attacker.",
)
_UNKNOWN_ISSUER = (
    "the certificate comes from an authority that is not trusted here",
    (
        "The server may not send the intermediate certificates: 'openssl s_client -starttls smtp "
        "-showcerts' shows what it sends."
    ),
    "Check that this host has a store of certificates (package ca-certificates), and a new one.",
    _TRUST,
)
_WRONG_NAME = (
    "the certificate is valid, but for another name",
    "Connect by the name that the provider documents, not by an alias or IP address.",
    "If only the address is another one, say which name to expect (server_hostname).",
)
_REVOKED = ("the certificate was revoked", "Tell the server's administrator.")
_SELF_SIGNED_IN_CHAIN = 19
_REASONS = {
    9: _NOT_YET,
    10: _EXPIRED,
    18: _SELF_SIGNED,
    _SELF_SIGNED_IN_CHAIN: _PRIVATE,
    20: _UNKNOWN_ISSUER,
    21: _UNKNOWN_ISSUER,
    23: _REVOKED,
    62: _WRONG_NAME,
    64: _WRONG_NAME,
}
_OTHER_CERTIFICATE = (
    "the certificate is not to be trusted",
    "'openssl s_client -starttls smtp' shows the certificate and what is wrong with it.",
)
_NO_TLS = (
    "the TLS handshake failed",
    (
        "The server may not speak TLS at this point: port 465 is for TLS from the start "
        "(TLSMode.IMPLICIT), 587 and 25 for STARTTLS (TLSMode.STARTTLS)."
    ),
    "The server may be too old for TLS 1.2, or know no cipher suite that this host allows.",
)


def handshake(client: Client, settings: ClientSettings) -> Flow[None]:
    """Do the handshake, and check the policy.

    Raises:
        TLSError: the handshake failed, or the connection does not satisfy the policy.
        ConnectionLost: the link broke, or the time ran out.
        RemoteProtocolError: octets in plain text came before the handshake.
    """
    try:
        facts: TLSFacts = yield BeginTLS(HANDSHAKE_TIMEOUT)
    except TimeoutError as error:
        raise ConnectionLost(f"no TLS handshake within {HANDSHAKE_TIMEOUT:g} seconds") from error
    except ConnectionError as error:
        raise ConnectionLost(f"the link broke within the TLS handshake: {error}") from error
    except OSError as error:
        raise tls_error(error, settings.host) from error
    client.tls_established(facts)
    policy = settings.policy
    if policy is not None:
        problem = policy.names(facts)
        if problem is None and policy.check is not None:
            problem = yield Call(policy.check, (facts,))
        if problem:
            who = settings.host or "the server"
            raise TLSError(f"TLS with {who} is not what the policy asks for: {problem}")


def tls_error(error: OSError, host: str) -> TLSError:
    """Return the error for a failed handshake, with what to check.

    Arguments:
        error: the error of the handshake.
        host: the host that the client connected to.
    """
    code = getattr(error, "verify_code", None)
    if code is None:
        what, *checks = _NO_TLS
    else:
        what, *checks = _REASONS.get(code, _OTHER_CERTIFICATE)
    detail = f" ({getattr(error, 'verify_message', None) or error.strerror or error})"
    if code == _SELF_SIGNED_IN_CHAIN:
        # OpenSSL calls a chain self-signed if its last certificate is, but every authority's own
        # certificate is.
        detail = ""
    lines = [f"TLS with {host or 'the server'}: {what}{detail}"]
    return TLSError("\n- ".join([*lines, *checks]))
