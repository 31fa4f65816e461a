"""TLS as both adapters need it: contexts, and what a finished handshake tells.

RFC 3207 and RFC 8314 say where TLS begins, RFC 5929 and RFC 9266 what ties a SASL exchange to it.
The handshake itself is the adapters' work.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .session import NameKind, PeerName, TLSFacts

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "NO_HANDSHAKE",
    "CertificateFiles",
    "Context",
    "Handshake",
    "ServerContext",
    "client_context",
    "facts",
    "server_context",
    "signature_hash",
]

LOG = logging.getLogger("smtpproto")

Context = ssl.SSLContext | Callable[[], ssl.SSLContext]
"""A context, or what is asked for one at each handshake: new certificates need no restart."""

Octets = str | bytes | bytearray
Password = Octets | Callable[[], Octets] | None


@dataclass(frozen=True, slots=True)
class Handshake:
    """How a link does its handshake.

    Arguments:
        context: see `Context`; None: none is given, so a handshake fails.
        server_name: on a client, whom the certificate has to name; None on a server.
    """

    context: Context | None = None
    server_name: str | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """What `SSLContext.wrap_socket` and its likes in an adapter are to be told."""
        return {"server_side": self.server_name is None, "server_hostname": self.server_name}

    def current(self) -> ssl.SSLContext:
        """The context for one handshake.

        Raises:
            OSError: none can be had.
        """
        context = self.context
        if context is None:
            raise ssl.SSLError("TLS is to begin, but no context was given for it")
        return context if isinstance(context, ssl.SSLContext) else context()


NO_HANDSHAKE = Handshake()


# --- contexts ---------------------------------------------------------------------------------


def client_context(*, verify: bool = True) -> ssl.SSLContext:
    """A context for clients: TLS 1.2 or later, certificates checked against the system's store.

    Arguments:
        verify: False where encryption without knowing with whom is better than none (RFC 7435).
    """
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _ServerObject(ssl.SSLObject):
    """A server's TLS connection that has room for the name which the client asked for."""

    _asked: str | None = None

    @property
    def server_hostname(self) -> str | None:
        return self._asked

    @server_hostname.setter
    def server_hostname(self, name: str | None) -> None:
        self._asked = name


def _note_name(connection: Any, name: str | None, _: ssl.SSLContext) -> None:
    connection.server_hostname = name


class ServerContext(ssl.SSLContext):
    """A context for servers that remembers its certificate and which name each client asked for.

    A plain `SSLContext` does as well, but tells neither, so `tls-server-end-point` (RFC 5929) and
    `TLSFacts.server_name` need this one.

    Attributes:
        certificate: its own certificate in DER; None before one is loaded, or if several are.
    """

    sslobject_class = _ServerObject
    certificate: bytes | None = None

    def __new__(cls) -> Self:
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self) -> None:
        self.sni_callback = _note_name
        self._loaded = 0

    def load_cert_chain(
        self, certfile: Any, keyfile: Any = None, password: Password = None
    ) -> None:
        super().load_cert_chain(certfile, keyfile, password)
        self._loaded += 1
        # Which of several is used (RSA or ECDSA) is decided within OpenSSL, and not told.
        self.certificate = _first_certificate(certfile) if self._loaded == 1 else None


def _first_certificate(path: Any) -> bytes | None:
    text = Path(os.fsdecode(path)).read_text(encoding="ascii", errors="replace")
    match = re.search("-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----", text)
    return ssl.PEM_cert_to_DER_cert(match[0]) if match is not None else None


def server_context(
    certfile: str | os.PathLike[str],
    keyfile: str | os.PathLike[str] | None = None,
    *,
    password: Password = None,
    client_ca: str | os.PathLike[str] | None = None,
) -> ServerContext:
    """A context for servers: TLS 1.2 or later.

    Arguments:
        certfile: the certificate and its chain, PEM.
        keyfile: the private key, PEM; None if it stands in `certfile`.
        password: of the private key.
        client_ca: certificates of the authorities whose client certificates are accepted; a client
            need not have one.

    Raises:
        OSError: a file cannot be read, or does not hold what it should (`ssl.SSLError`).
    """
    context = ServerContext()
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(certfile, keyfile, password)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(client_ca)
    return context


class CertificateFiles:
    """A server's context that follows its files: give it as `tls_context` and renew them at will.

    The files are looked at for each handshake and loaded again when they changed; while they do not
    fit together, as in the middle of a renewal, the old ones stay.

    Arguments:
        certfile, keyfile, password, client_ca: see `server_context`.

    Raises:
        OSError: as `server_context`.
    """

    def __init__(
        self,
        certfile: str | os.PathLike[str],
        keyfile: str | os.PathLike[str] | None = None,
        *,
        password: Password = None,
        client_ca: str | os.PathLike[str] | None = None,
    ) -> None:
        self._files = [Path(f) for f in (certfile, keyfile, client_ca) if f is not None]
        self._load = functools.partial(
            server_context, certfile, keyfile, password=password, client_ca=client_ca
        )
        # Looked at before they are loaded: a change in between is seen the next time.
        self._seen = self._look()
        self._context = self._load()

    def _look(self) -> list[tuple[int, int, int]]:
        stats = [file.stat() for file in self._files]
        return [(stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in stats]

    def __call__(self) -> ServerContext:
        try:
            seen = self._look()
            if seen != self._seen:
                self._context = self._load()
                self._seen = seen
        except OSError as error:
            LOG.warning("the certificate is not renewed, the old one stays: %s", error)
        return self._context


# --- facts ------------------------------------------------------------------------------------


# As `SSLObject.getpeercert` calls them.
_KINDS = {kind.value: kind for kind in NameKind}


def facts(connection: Any) -> TLSFacts:
    """What is known of a TLS connection after its handshake.

    Arguments:
        connection: an `SSLSocket`, `SSLObject`, or what has their methods.
    """
    certificate = connection.getpeercert(binary_form=True)
    # Empty unless the certificate was verified.
    verified = connection.getpeercert() or {} if certificate is not None else {}
    cipher = connection.cipher()
    return TLSFacts(
        version=connection.version() or "",
        cipher=cipher[0] if cipher is not None else "",
        server_name=connection.server_hostname,
        peer_certificate=certificate,
        peer_names=tuple(
            PeerName(_KINDS[kind], str(text))
            for kind, text in verified.get("subjectAltName", ())
            if kind in _KINDS
        ),
        channel_bindings=_channel_bindings(connection, certificate),
    )


def _channel_bindings(connection: Any, peer_certificate: bytes | None) -> dict[str, bytes]:
    found = {}
    if "tls-exporter" in ssl.CHANNEL_BINDING_TYPES:
        found["tls-exporter"] = connection.get_channel_binding("tls-exporter")
    # Not defined for TLS 1.3 (RFC 8446 appendix C.5), though OpenSSL gives something.
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
    """The hash that `tls-server-end-point` uses for a certificate (RFC 5929 section 4.1).

    Arguments:
        certificate: in DER.

    Returns:
        A name for `hashlib`; None where the RFC defines none, as for Ed25519, or for what is no
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
    """How many octets the head and the content of the first DER item have (X.690 section 8.1)."""
    first = der[1]
    if first < 0x80:
        return 2, first
    head = 2 + (first & 0x7F)
    return head, int.from_bytes(der[2:head], "big")


def _inside(item: bytes, tag: int) -> bytes:
    """The content of one DER item of this tag."""
    if item[0] != tag:
        raise ValueError(f"expected a DER item of tag {tag:#x}, found {item[0]:#x}")
    return item[_length(item)[0] :]


def _items(content: bytes) -> list[bytes]:
    """The DER items of which some content consists."""
    found = []
    while content:
        size = sum(_length(content))
        if size > len(content):
            raise ValueError("a DER item ends before its last octet")
        found.append(content[:size])
        content = content[size:]
    return found


def _identifier(item: bytes) -> str:
    """An object identifier in dots (X.690 section 8.19)."""
    octets = _inside(item, _IDENTIFIER)
    numbers, number = [], 0
    for octet in octets:
        number = number << 7 | octet & 0x7F
        if octet < 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, [first, numbers[0] - 40 * first, *numbers[1:]]))
