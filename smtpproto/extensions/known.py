"""The service extensions of this package, and those that a server offers by default."""

from __future__ import annotations

from .auth import Auth
from .base import (
    Extension,
)
from .burl import Burl
from .chunking import BinaryMime, Chunking
from .conneg import Conneg, Conperm
from .deliverby import DeliverBy
from .dsn import Dsn
from .eight_bit_mime import EightBitMime
from .enhanced_status_codes import EnhancedStatusCodes
from .etrn import Etrn
from .futurerelease import FutureRelease
from .help import ExpnExtension, HelpExtension
from .mt_priority import MtPriority
from .mtrk import Mtrk
from .no_soliciting import NoSoliciting
from .pipelining import Pipelining
from .requiretls import RequireTls
from .rrvs import Rrvs
from .server_limits import ServerLimits
from .size import Size
from .smtputf8 import SmtpUtf8
from .starttls import StartTls
from .xclient import XClient
from .xforward import XForward

__all__ = ["KNOWN", "standard"]

KNOWN: tuple[type[Extension], ...] = (
    Size,
    StartTls,
    Auth,
    EightBitMime,
    Pipelining,
    EnhancedStatusCodes,
    HelpExtension,
    ExpnExtension,
    Chunking,
    BinaryMime,
    SmtpUtf8,
    Dsn,
    ServerLimits,
    RequireTls,
    DeliverBy,
    FutureRelease,
    MtPriority,
    Rrvs,
    Mtrk,
    NoSoliciting,
    Burl,
    Conperm,
    Conneg,
    Etrn,
    XClient,
    XForward,
)
"""Every service extension of this package."""


def standard(size: int | None = 50 * 1024 * 1024) -> tuple[Extension, ...]:
    """Return the service extensions that suit most servers.

    CHUNKING and SMTPUTF8 are left out.  CHUNKING is useful for large or binary content only.  With
    SMTPUTF8 a handler must be able to process addresses outside ASCII.

    Arguments:
        size: the largest message in octets; None for no limit.
    """
    return (
        Size(size),
        EightBitMime(),
        Pipelining(),
        EnhancedStatusCodes(),
        HelpExtension(),
    )
