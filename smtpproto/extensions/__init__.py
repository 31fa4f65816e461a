"""The service extensions, one file for each (RFC 5321 section 2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy_names import lazy_names

if TYPE_CHECKING:
    from ..vocabulary.states import Transition
    from .auth import Auth, AuthCommand, AuthParameter
    from .burl import Burl, BurlCommand
    from .chunking import Bdat, BinaryMime, Chunking
    from .conneg import Conneg, ConnegParameter, Conperm, ConpermParameter
    from .deliverby import By, DeliverBy
    from .dsn import Dsn, Envid, Notify, Orcpt, Ret
    from .eight_bit_mime import Body, EightBitMime
    from .enhanced_status_codes import EnhancedStatusCodes
    from .etrn import Etrn, EtrnCommand
    from .extension import (
        Answered,
        Extension,
        Flag,
        SessionEvent,
        TLSBegun,
        TransactionOver,
        UnknownExtension,
    )
    from .futurerelease import FutureRelease, HoldFor, HoldUntil
    from .help import ExpnExtension, HelpExtension
    from .known import KNOWN, standard
    from .mt_priority import MtPriority, MtPriorityParameter
    from .mtrk import Mtrk, MtrkParameter
    from .no_soliciting import NoSoliciting, Solicit
    from .pipelining import Pipelining
    from .requiretls import RequireTls, RequireTlsParameter
    from .rrvs import Rrvs, RrvsParameter
    from .server_limits import ServerLimits, Usage
    from .size import Size, SizeParameter
    from .smtputf8 import SmtpUtf8, SmtpUtf8Parameter
    from .starttls import StartTls, StartTlsCommand
    from .xclient import ClientOverride, XClient, XClientCommand
    from .xforward import ForwardedClient, XForward, XForwardCommand
else:
    # A session uses a few of the extensions.
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "..vocabulary.states": "Transition",
            ".auth": "Auth AuthCommand AuthParameter",
            ".extension": (
                "Answered Extension Flag SessionEvent TLSBegun TransactionOver UnknownExtension"
            ),
            ".burl": "Burl BurlCommand",
            ".chunking": "Bdat BinaryMime Chunking",
            ".conneg": "Conneg ConnegParameter Conperm ConpermParameter",
            ".deliverby": "By DeliverBy",
            ".dsn": "Dsn Envid Notify Orcpt Ret",
            ".eight_bit_mime": "Body EightBitMime",
            ".enhanced_status_codes": "EnhancedStatusCodes",
            ".etrn": "Etrn EtrnCommand",
            ".futurerelease": "FutureRelease HoldFor HoldUntil",
            ".help": "ExpnExtension HelpExtension",
            ".known": "KNOWN standard",
            ".mt_priority": "MtPriority MtPriorityParameter",
            ".mtrk": "Mtrk MtrkParameter",
            ".no_soliciting": "NoSoliciting Solicit",
            ".pipelining": "Pipelining",
            ".requiretls": "RequireTls RequireTlsParameter",
            ".rrvs": "Rrvs RrvsParameter",
            ".server_limits": "ServerLimits Usage",
            ".size": "Size SizeParameter",
            ".smtputf8": "SmtpUtf8 SmtpUtf8Parameter",
            ".starttls": "StartTls StartTlsCommand",
            ".xclient": "ClientOverride XClient XClientCommand",
            ".xforward": "ForwardedClient XForward XForwardCommand",
        },
    )

__all__ = [
    "KNOWN",
    "Answered",
    "Auth",
    "AuthCommand",
    "AuthParameter",
    "Bdat",
    "BinaryMime",
    "Body",
    "Burl",
    "BurlCommand",
    "By",
    "Chunking",
    "ClientOverride",
    "Conneg",
    "ConnegParameter",
    "Conperm",
    "ConpermParameter",
    "DeliverBy",
    "Dsn",
    "EightBitMime",
    "EnhancedStatusCodes",
    "Envid",
    "Etrn",
    "EtrnCommand",
    "ExpnExtension",
    "Extension",
    "Flag",
    "ForwardedClient",
    "FutureRelease",
    "HelpExtension",
    "HoldFor",
    "HoldUntil",
    "MtPriority",
    "MtPriorityParameter",
    "Mtrk",
    "MtrkParameter",
    "NoSoliciting",
    "Notify",
    "Orcpt",
    "Pipelining",
    "RequireTls",
    "RequireTlsParameter",
    "Ret",
    "Rrvs",
    "RrvsParameter",
    "ServerLimits",
    "SessionEvent",
    "Size",
    "SizeParameter",
    "SmtpUtf8",
    "SmtpUtf8Parameter",
    "Solicit",
    "StartTls",
    "StartTlsCommand",
    "TLSBegun",
    "TransactionOver",
    "Transition",
    "UnknownExtension",
    "Usage",
    "XClient",
    "XClientCommand",
    "XForward",
    "XForwardCommand",
    "standard",
]
