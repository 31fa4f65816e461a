"""Signing a message before it is sent: DKIM (RFC 6376), with RSA and Ed25519 (RFC 8463)."""

from __future__ import annotations

from dataclasses import dataclass, field

import dkim
import nacl.encoding
import nacl.signing
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)


@dataclass(frozen=True)
class Key:
    """A key of a domain.

    Arguments:
        domain: the domain that signs.
        selector: the name of the key in DNS: `<selector>._domainkey.<domain>`.
        private: as dkimpy takes it: PEM for RSA, base64 for Ed25519.
        record: the TXT record of the public key.
        algorithm: rsa-sha256 or ed25519-sha256.
    """

    domain: str
    selector: str
    private: bytes = field(repr=False)
    record: str
    algorithm: str

    @classmethod
    def rsa(cls, domain: str, selector: str, bits: int = 2048) -> Key:
        """A new RSA key."""
        key = rsa.generate_private_key(65537, bits)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return cls(domain, selector, pem, f"v=DKIM1; k=rsa; p={_base64(public)}", "rsa-sha256")

    @classmethod
    def ed25519(cls, domain: str, selector: str) -> Key:
        """A new Ed25519 key."""
        key = nacl.signing.SigningKey.generate()
        record = f"v=DKIM1; k=ed25519; p={_base64(bytes(key.verify_key))}"
        return cls(domain, selector, _base64(bytes(key)).encode(), record, "ed25519-sha256")

    @property
    def name(self) -> str:
        """Where the record stands in DNS."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def txt(self) -> str:
        """The record as in a zone file: strings of at most 255 octets."""
        return " ".join(f'"{self.record[at : at + 255]}"' for at in range(0, len(self.record), 255))


def signed(content: bytes, *keys: Key) -> bytes:
    """The content with a signature of each key on top.

    Sign what is sent: if the server does not offer 8BITMIME, `content_of` converts a message
    before this.
    """
    fields = [
        dkim.sign(
            content,
            key.selector.encode(),
            key.domain.encode(),
            key.private,
            signature_algorithm=key.algorithm.encode(),
            canonicalize=(b"relaxed", b"relaxed"),
        )
        for key in keys
    ]
    return b"".join(fields) + content


def _base64(octets: bytes) -> str:
    return str(nacl.encoding.Base64Encoder.encode(octets), "ascii")
