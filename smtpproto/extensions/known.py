"""The service extensions of this package, and those that a server offers by default."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .extension import Extension

    KNOWN: tuple[type[Extension], ...]
    """Every service extension of this package."""

__all__ = ["KNOWN", "VERBS", "standard"]

_NAMES = (
    "Size",
    "StartTls",
    "Auth",
    "EightBitMime",
    "Pipelining",
    "EnhancedStatusCodes",
    "HelpExtension",
    "ExpnExtension",
    "Chunking",
    "BinaryMime",
    "SmtpUtf8",
    "Dsn",
    "ServerLimits",
    "RequireTls",
    "DeliverBy",
    "FutureRelease",
    "MtPriority",
    "Rrvs",
    "Mtrk",
    "NoSoliciting",
    "Burl",
    "Conperm",
    "Conneg",
    "Etrn",
    "XClient",
    "XForward",
)

VERBS = frozenset(
    {"AUTH", "BDAT", "BURL", "ETRN", "EXPN", "HELP", "STARTTLS", "XCLIENT", "XFORWARD"}
)
"""The verbs of their commands, for which a server that does not offer them says 502, not 500.

They are written down so that a server need not load extensions that it does not offer."""


def __getattr__(name: str) -> object:
    """`KNOWN`, which loads all extensions (PEP 562)."""
    if name != "KNOWN":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    package = import_module(__package__)
    found = tuple(getattr(package, name) for name in _NAMES)
    globals()["KNOWN"] = found
    return found


def standard(size: int | None = 50 * 1024 * 1024) -> tuple[Extension, ...]:
    """Return the service extensions that suit most servers.

    CHUNKING and SMTPUTF8 are left out.  CHUNKING is useful for large or binary content only.  With
    SMTPUTF8 a handler must be able to process addresses outside ASCII.

    Arguments:
        size: the largest message in octets; None for no limit.
    """
    # Loaded here, as they are not needed to import the package.
    from . import (  # noqa: PLC0415
        EightBitMime,
        EnhancedStatusCodes,
        HelpExtension,
        Pipelining,
        Size,
    )

    return (
        Size(size),
        EightBitMime(),
        Pipelining(),
        EnhancedStatusCodes(),
        HelpExtension(),
    )
