"""The certificates that a server sends, for people; needs the package cryptography."""

from __future__ import annotations

import importlib.util
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any


@dataclass(frozen=True)
class Certificate:
    """What one certificate says."""

    subject: str
    issuer: str
    begins: datetime
    ends: datetime
    names: tuple[str, ...]

    @property
    def days_left(self) -> int:
        """For how many more days it is valid; less than 0 after its end."""
        return (self.ends - datetime.now(timezone.utc)).days

    def __str__(self) -> str:
        left = f"{self.days_left} days left" if self.days_left >= 0 else "expired"
        names = f" for {', '.join(self.names)}" if self.names else ""
        issuer = "itself" if self.issuer == self.subject else self.issuer
        return (
            f"{self.subject}{names}; issued by {issuer}; "
            f"valid {self.begins:%Y-%m-%d} to {self.ends:%Y-%m-%d} ({left})"
        )

    def value(self) -> dict[str, Any]:
        """Return the same for JSON."""
        times = {"begins": self.begins.isoformat(), "ends": self.ends.isoformat()}
        return {**asdict(self), **times}


def read_chain(connection: Any) -> tuple[Certificate, ...]:
    """Return the certificates that the peer sent, its own first; () if they cannot be read here.

    Arguments:
        connection: an `SSLObject` after its handshake.
    """
    if importlib.util.find_spec("cryptography") is None:
        return ()
    return tuple(map(_read, _octets(connection)))


def _octets(connection: Any) -> list[bytes]:
    """Return the certificates in DER."""
    if hasattr(connection, "get_unverified_chain"):
        return list(connection.get_unverified_chain())
    # Before Python 3.13 the method is there, but not public.
    import _ssl

    encoding: int = getattr(_ssl, "ENCODING_DER")  # noqa: B009  # mypy does not know it
    chain = connection._sslobj.get_unverified_chain() or []  # noqa: SLF001  # see above
    return [each.public_bytes(encoding) for each in chain]


def _read(octets: bytes) -> Certificate:
    from cryptography import x509

    found = x509.load_der_x509_certificate(octets)
    names: list[str] = []
    try:
        extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        pass
    else:
        names = [str(each.value) for each in extension.value]
    return Certificate(
        _one_line(found.subject),
        _one_line(found.issuer),
        found.not_valid_before_utc,
        found.not_valid_after_utc,
        tuple(ascii(name)[1:-1] for name in names),
    )


def _one_line(name: Any) -> str:
    return ascii(name.rfc4514_string())[1:-1] or "(no name)"
