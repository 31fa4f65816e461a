"""Throw-away certificates for test servers, good ones and bad ones; needs trustme."""

from __future__ import annotations

import datetime as dt
import functools
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..adapters.tls_contexts import ServerContext

if TYPE_CHECKING:
    import trustme

    from .faults import TLSFault

__all__ = ["Certificates", "certificates"]

_MISSING = "a test server with TLS needs a certificate from trustme: pip install trustme"
_NAMES = ("localhost", "127.0.0.1", "::1")


class Certificates:
    """An authority, and the contexts of servers with its certificates.

    Arguments:
        names: those of the servers, in addition to those of this host.

    Raises:
        ModuleNotFoundError: trustme is not installed.
    """

    def __init__(self, *names: str) -> None:
        try:
            import trustme  # noqa: PLC0415  # only for servers with TLS
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(_MISSING, name="trustme") from error
        self._authority = trustme.CA()
        self._stranger = trustme.CA()
        self._names = tuple(dict.fromkeys((*names, *_NAMES)))
        self._contexts: dict[TLSFault | None, ServerContext] = {}

    @property
    def authority(self) -> bytes:
        """The certificate of the authority, in PEM."""
        return self._authority.cert_pem.bytes()

    def write_authority(self) -> Path:
        """Write it to a new file, for others to remove; return the path."""
        with tempfile.NamedTemporaryFile(prefix="smtpproto-", suffix=".pem", delete=False) as file:
            file.write(self.authority)
        return Path(file.name)

    def client_context(self) -> ssl.SSLContext:
        """Return a context that trusts the authority, and no other."""
        return ssl.create_default_context(cadata=self.authority.decode("ascii"))

    def server_context(self, fault: TLSFault | None = None) -> ServerContext:
        """Return the context of a server.

        Arguments:
            fault: what is wrong with its certificate; None: nothing.
        """
        context = self._contexts.get(fault)
        if context is None:
            context = ServerContext()
            self._issue(fault).configure_cert(context)
            self._contexts[fault] = context
        return context

    def _issue(self, fault: TLSFault | None) -> trustme.LeafCert:
        if fault == "untrusted":
            return self._stranger.issue_cert(*self._names)
        if fault == "wrong name":
            return self._authority.issue_cert("elsewhere.example")
        if fault == "expired":
            # trustme's authority is valid since the year 2000.
            then = dt.datetime(2001, 1, 1, tzinfo=dt.timezone.utc)
            return self._authority.issue_cert(*self._names, not_before=then, not_after=then)
        return self._authority.issue_cert(*self._names)


@functools.lru_cache(maxsize=1)
def certificates() -> Certificates:
    """Return the certificates of this process; making an authority for each server takes long."""
    return Certificates()
