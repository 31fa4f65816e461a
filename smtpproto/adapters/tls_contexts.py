"""TLS for all adapters: contexts, certificates, and the facts after a handshake.

RFC 3207 and RFC 8314 define where TLS begins, RFC 5929 and RFC 9266 the channel bindings.  The
adapters do the handshake itself.
"""

from __future__ import annotations

import functools
import os
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..vocabulary.session_facts import NameKind, PeerName, TLSFacts
from .host import log
from .tls_channel_binding import channel_bindings

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "CertificateFiles",
    "Context",
    "ServerContext",
    "client_context",
    "facts",
    "server_context",
]

Context = ssl.SSLContext | Callable[[], ssl.SSLContext]
"""A context, or a function that returns one for each handshake, so certificates can be renewed."""

Octets = str | bytes | bytearray
Password = Octets | Callable[[], Octets] | None


# --- contexts ---------------------------------------------------------------------------------


def client_context(*, verify: bool = True) -> ssl.SSLContext:
    """Return a context for clients: TLS 1.2 or later, certificates of the system's authorities.

    Arguments:
        verify: False to accept any certificate: opportunistic encryption (RFC 7435).
    """
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _ServerObject(ssl.SSLObject):
    """A server's TLS connection with an attribute for the name that the client asked for."""

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
    """A context for servers that keeps its certificate and the name each client asked for.

    A plain `SSLContext` also works but gives neither.  `tls-server-end-point` (RFC 5929) and
    `TLSFacts.server_name` need this class.

    Attributes:
        certificate: its certificate in DER; None if none or several are loaded.
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
        # OpenSSL chooses one of several (RSA or ECDSA) and does not tell which.
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
    """Return a context for servers: TLS 1.2 or later.

    Arguments:
        certfile: the certificate and its chain, PEM.
        keyfile: the private key, PEM; None if `certfile` has it.
        password: the password of the private key.
        client_ca: certificates of the authorities whose client certificates are accepted; a client
            need not send one.

    Raises:
        OSError: a file cannot be read, or has the wrong content (`ssl.SSLError`).
    """
    context = ServerContext()
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(certfile, keyfile, password)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(client_ca)
    return context


class CertificateFiles:
    """A server's certificate files, loaded again when they change: pass it as `tls_context`.

    It checks the files at each handshake and loads them again when they have changed.  If they do
    not match, as during a renewal, it keeps the old ones.

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
        # Check first, then load: the next check notices a change in between.
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
            log().warning("loading the new certificate failed, the old one stays: %s", error)
        return self._context


# --- facts ------------------------------------------------------------------------------------


# In the terms of `SSLObject.getpeercert`.
_KINDS = {kind.value: kind for kind in NameKind}


def facts(connection: Any) -> TLSFacts:
    """Return the facts of a TLS connection after its handshake.

    Arguments:
        connection: an `SSLSocket`, an `SSLObject`, or an object with their methods.
    """
    certificate = connection.getpeercert(binary_form=True)
    # Empty unless TLS verified the certificate.
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
        channel_bindings=channel_bindings(connection, certificate),
    )
