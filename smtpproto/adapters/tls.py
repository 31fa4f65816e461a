"""TLS as both adapters need it: contexts, and what a finished handshake tells.

RFC 3207 and RFC 8314 say where TLS begins, RFC 5929 and RFC 9266 what ties a SASL exchange to it.
The handshake itself is the adapters' work.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..vocabulary.session import NameKind, PeerName, TLSFacts
from .channel_binding import channel_bindings

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
        channel_bindings=channel_bindings(connection, certificate),
    )
