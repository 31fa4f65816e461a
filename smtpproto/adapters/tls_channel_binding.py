"""Data of a TLS connection for SASL channel binding: RFC 5929 and RFC 9266."""

from __future__ import annotations

import hashlib
import ssl
from typing import Any

__all__ = ["channel_bindings", "signature_hash"]


def channel_bindings(connection: Any, peer_certificate: bytes | None) -> dict[str, bytes]:
    """Return the data of each type of channel binding of a connection (RFC 5929, RFC 9266)."""
    found = {}
    if "tls-exporter" in ssl.CHANNEL_BINDING_TYPES:
        found["tls-exporter"] = connection.get_channel_binding("tls-exporter")
    # TLS 1.3 does not define it (RFC 8446 appendix C.5), but OpenSSL returns a value.
    if connection.version() in ("TLSv1", "TLSv1.1", "TLSv1.2"):
        found["tls-unique"] = connection.get_channel_binding("tls-unique")
    server = peer_certificate
    if connection.server_side:
        server = getattr(connection.context, "certificate", None)
    kind = signature_hash(server) if server is not None else None
    if server is not None and kind is not None:
        found["tls-server-end-point"] = hashlib.new(kind, server).digest()
    return {name: data for name, data in found.items() if data}


# Signature algorithms by object identifier: RFC 3279, 4055, 5758.  Where the hash is MD5 or SHA-1,
# SHA-256 is used in its place (RFC 5929 section 4.1).
_SIGNATURES = {
    "1.2.840.113549.1.1.4": "sha256",
    "1.2.840.113549.1.1.5": "sha256",
    "1.2.840.113549.1.1.11": "sha256",
    "1.2.840.113549.1.1.12": "sha384",
    "1.2.840.113549.1.1.13": "sha512",
    "1.2.840.113549.1.1.14": "sha224",
    "1.2.840.10040.4.3": "sha256",
    "1.2.840.10045.4.1": "sha256",
    "1.2.840.10045.4.3.1": "sha224",
    "1.2.840.10045.4.3.2": "sha256",
    "1.2.840.10045.4.3.3": "sha384",
    "1.2.840.10045.4.3.4": "sha512",
    "2.16.840.1.101.3.4.3.1": "sha224",
    "2.16.840.1.101.3.4.3.2": "sha256",
}


_HASHES = {
    "1.3.14.3.2.26": "sha256",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "2.16.840.1.101.3.4.2.4": "sha224",
}


_PSS = "1.2.840.113549.1.1.10"


_SEQUENCE, _IDENTIFIER, _CONTEXT_0 = 0x30, 0x06, 0xA0


def signature_hash(certificate: bytes) -> str | None:
    """Return the hash that `tls-server-end-point` uses for a certificate (RFC 5929 section 4.1).

    Arguments:
        certificate: the certificate in DER.

    Returns:
        A name for `hashlib`; None if the RFC defines none, as for Ed25519, or if the octets are no
        certificate.
    """
    # Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }
    try:
        _, algorithm, *_ = _items(_inside(certificate, _SEQUENCE))
        name, *parameters = _items(_inside(algorithm, _SEQUENCE))
        identifier = _identifier(name)
        if identifier != _PSS:
            return _SIGNATURES.get(identifier)
        # RSASSA-PSS-params ::= SEQUENCE { hashAlgorithm [0] DEFAULT sha1, ... } (RFC 4055)
        for item in _items(_inside(parameters[0], _SEQUENCE)) if parameters else ():
            if item[0] == _CONTEXT_0:
                kind = _inside(_inside(item, _CONTEXT_0), _SEQUENCE)
                return _HASHES.get(_identifier(_items(kind)[0]))
        return "sha256"
    except (IndexError, ValueError):
        return None


def _length(der: bytes) -> tuple[int, int]:
    """Return the sizes of the head and the content of the first DER item (X.690 section 8.1)."""
    first = der[1]
    if first < 0x80:
        return 2, first
    head = 2 + (first & 0x7F)
    return head, int.from_bytes(der[2:head], "big")


def _inside(item: bytes, tag: int) -> bytes:
    """Return the content of a DER item of this tag."""
    if item[0] != tag:
        raise ValueError(f"expected a DER item of tag {tag:#x}, found {item[0]:#x}")
    return item[_length(item)[0] :]


def _items(content: bytes) -> list[bytes]:
    """Split the content into DER items."""
    found = []
    while content:
        size = sum(_length(content))
        if size > len(content):
            raise ValueError("a DER item ends before its last octet")
        found.append(content[:size])
        content = content[size:]
    return found


def _identifier(item: bytes) -> str:
    """Return an object identifier in dotted form (X.690 section 8.19)."""
    octets = _inside(item, _IDENTIFIER)
    numbers, number = [], 0
    for octet in octets:
        number = number << 7 | octet & 0x7F
        if octet < 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, [first, numbers[0] - 40 * first, *numbers[1:]]))
