"""Certificates for both sides, made anew for each run, and the ways in which one can be wrong."""

from __future__ import annotations

import contextlib
import datetime as dt
import ssl
from collections.abc import Iterator
from pathlib import Path

import trustme

from smtpproto.adapters import tls_contexts
from tests.interop.peers import folder
from tests.programs import HOST

CA = trustme.CA()
NAMES = (HOST, "localhost", "mx.example.org")
SERVER = CA.issue_cert(*NAMES)
CLIENT = CA.issue_cert("tim@client.test")

_PAST = dt.datetime(2001, 1, 1, tzinfo=dt.timezone.utc)
_LATER = _PAST + dt.timedelta(days=90)
WRONG: dict[str, trustme.CA | trustme.LeafCert] = {
    "self-signed": trustme.CA(),
    "of an unknown authority": trustme.CA().issue_cert(*NAMES),
    "of another host": CA.issue_cert("mx.elsewhere.test"),
    "expired": CA.issue_cert(*NAMES, not_before=_PAST, not_after=_LATER),
}


class Files:
    """The same as PEM files, for programs.

    Attributes:
        authority: the certificate of the authority that issued the good ones.
        server: key and certificate of a server.
        client: key and certificate of a client.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self.authority = home / "authority.pem"
        CA.cert_pem.write_to_path(self.authority)
        self.server = self._write("server.pem", pem(SERVER))
        self.client = self._write("client.pem", pem(CLIENT))

    def wrong(self, what: str) -> Path:
        """Key and certificate out of `WRONG`."""
        return self._write(f"{what}.pem".replace(" ", "-"), pem(WRONG[what]))

    def _write(self, name: str, content: bytes) -> Path:
        path = self._home / name
        # Nobody else's secret: peers with a user of their own have to read it.
        path.write_bytes(content)
        return path


def pem(issued: trustme.CA | trustme.LeafCert) -> bytes:
    """A private key with its certificate."""
    if isinstance(issued, trustme.LeafCert):
        return issued.private_key_and_cert_chain_pem.bytes()
    return issued.private_key_pem.bytes() + issued.cert_pem.bytes()


@contextlib.contextmanager
def certificate_files() -> Iterator[Files]:
    with folder() as home:
        yield Files(home)


def server_context(
    files: Files, certificate: Path | None = None, *, version: ssl.TLSVersion | None = None
) -> tls_contexts.ServerContext:
    """For our server; it accepts clients' certificates.

    Arguments:
        certificate: another one than the good one.
        version: the highest TLS version.
    """
    context = tls_contexts.server_context(certificate or files.server, client_ca=files.authority)
    if version is not None:
        context.maximum_version = version
    return context


def client_context(certificate: Path | None = None) -> ssl.SSLContext:
    """For our client; `certificate` is its own, if it has one."""
    context = tls_contexts.client_context()
    CA.configure_trust(context)
    if certificate is not None:
        context.load_cert_chain(certificate)
    return context
