"""The service extensions of this package, and those that a server offers by default."""

from __future__ import annotations

from importlib import import_module
from types import NoneType
from typing import TYPE_CHECKING

from ..field_types import check_type

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .extension import Extension

    KNOWN: tuple[type[Extension], ...]
    """Every service extension of this package."""

__all__ = ["KNOWN", "VERBS", "of_keywords", "standard"]

# The class of each keyword.
_NAMES = {
    "SIZE": "Size",
    "STARTTLS": "StartTls",
    "AUTH": "Auth",
    "8BITMIME": "EightBitMime",
    "PIPELINING": "Pipelining",
    "ENHANCEDSTATUSCODES": "EnhancedStatusCodes",
    "HELP": "HelpExtension",
    "EXPN": "ExpnExtension",
    "CHUNKING": "Chunking",
    "BINARYMIME": "BinaryMime",
    "SMTPUTF8": "SmtpUtf8",
    "DSN": "Dsn",
    "LIMITS": "ServerLimits",
    "REQUIRETLS": "RequireTls",
    "DELIVERBY": "DeliverBy",
    "FUTURERELEASE": "FutureRelease",
    "MT-PRIORITY": "MtPriority",
    "RRVS": "Rrvs",
    "MTRK": "Mtrk",
    "NO-SOLICITING": "NoSoliciting",
    "BURL": "Burl",
    "CONPERM": "Conperm",
    "CONNEG": "Conneg",
    "ETRN": "Etrn",
    "XCLIENT": "XClient",
    "XFORWARD": "XForward",
}

VERBS = frozenset(
    {"AUTH", "BDAT", "BURL", "ETRN", "EXPN", "HELP", "STARTTLS", "XCLIENT", "XFORWARD"}
)
"""The verbs of their commands, for which a server that does not offer them says 502, not 500.

They are written down so that a server need not load extensions that it does not offer."""


def __getattr__(name: str) -> object:
    """`KNOWN`, which loads all extensions (PEP 562)."""
    if name != "KNOWN":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()["KNOWN"] = of_keywords(_NAMES)
    return found


def of_keywords(keywords: Iterable[str]) -> tuple[type[Extension], ...]:
    """Return the extensions with these keywords and those that they require, as far as known.

    Only their files are loaded.

    Arguments:
        keywords: in upper case.

    Returns:
        The extensions in the order of `KNOWN`.
    """
    package = import_module(__package__)
    found: dict[str, type[Extension]] = {}
    wanted = list(keywords)
    while wanted:
        keyword = wanted.pop()
        if keyword in _NAMES and keyword not in found:
            found[keyword] = getattr(package, _NAMES[keyword])
            wanted += found[keyword].requires
    return tuple(found[keyword] for keyword in _NAMES if keyword in found)


def standard(size: int | None = 50 * 1024 * 1024) -> tuple[Extension, ...]:
    """Return the service extensions that suit most servers.

    CHUNKING and SMTPUTF8 are left out.  CHUNKING is useful for large or binary content only.  With
    SMTPUTF8 a handler must be able to process addresses outside ASCII.

    Arguments:
        size: the largest message in octets; None for no limit.

    Raises:
        LocalProtocolError: the size cannot be written.
        TypeError: the size is neither a number nor None.
    """
    check_type("size", size, int, NoneType)
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
