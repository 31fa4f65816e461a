"""Explains why a TLS handshake failed, for example because of a refused certificate.

The reason why a certificate was refused comes from `verify_code` of the error, which has OpenSSL's
numbers.  So this does not depend on the library of the handshake.
"""

from __future__ import annotations

from ..errors import TLSError

__all__ = ["tls_error"]

# By verify_code (X509_V_ERR_... of OpenSSL): the fault, and what to check.
_EXPIRED = (
    "the certificate has expired",
    "Check the clock of this host.",
    "Tell the server's administrator: the renewal does not work, or was not followed by a reload.",
)
_NOT_YET = ("the certificate is not valid yet", "Check the clock of this host.")
_SELF_SIGNED = (
    "the certificate is self-signed, so it does not prove who the server is",
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
    "If you must connect by another name, set the name to expect (server_hostname).",
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
    "the certificate is not trusted",
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
