"""SMTP over asyncio: a client, a pool and a server; `smtpproto.sync` has the same for threads.

What users need of other folders can be imported from here, too: envelopes, outcomes, errors, TLS,
credentials, transcripts.  The core is `smtpproto`, service extensions are `smtpproto.extensions`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy_names import lazy_names

if TYPE_CHECKING:
    from ..adapters.connecting import ConnectionSettings
    from ..adapters.listening import ListeningSettings
    from ..adapters.tls_contexts import CertificateFiles, client_context, server_context
    from ..conversations import (
        Admission,
        Answer,
        AsyncContentAnswer,
        AsyncHandler,
        AuthenticationError,
        ClientSettings,
        ConnectionLost,
        Content,
        ContentLost,
        Delivery,
        Envelope,
        Outcome,
        PermanentError,
        PoolLimits,
        ServerSettings,
        ServerTLS,
        SMTPError,
        Status,
        TLSError,
        TLSMode,
        TLSPolicy,
        Transcript,
        TransientError,
        content_of,
        envelope_of,
    )
    from ..sasl import Credentials, Users
    from ..wire.proxy_header_parser import TrustedNetworks
    from ..wire.proxy_header_value import ProxyHeader
    from .client import Client, connect, connect_with
    from .pool import Pool
    from .server import Server, serve, serve_with
else:
    # A program that sends mail does not need the server, nor the other way round.
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "..adapters.connecting": "ConnectionSettings",
            "..adapters.listening": "ListeningSettings",
            "..adapters.tls_contexts": "CertificateFiles client_context server_context",
            "..conversations": (
                "Admission Answer AsyncContentAnswer AsyncHandler AuthenticationError "
                "ClientSettings ConnectionLost Content ContentLost Delivery Envelope Outcome "
                "PermanentError PoolLimits ServerSettings ServerTLS SMTPError Status TLSError "
                "TLSMode TLSPolicy Transcript TransientError content_of envelope_of"
            ),
            "..sasl": "Credentials Users",
            "..wire.proxy_header_value": "ProxyHeader",
            "..wire.proxy_header_parser": "TrustedNetworks",
            ".client": "Client connect connect_with",
            ".pool": "Pool",
            ".server": "Server serve serve_with",
        },
    )

__all__ = [
    "Admission",
    "Answer",
    "AsyncContentAnswer",
    "AsyncHandler",
    "AuthenticationError",
    "CertificateFiles",
    "Client",
    "ClientSettings",
    "ConnectionLost",
    "ConnectionSettings",
    "Content",
    "ContentLost",
    "Credentials",
    "Delivery",
    "Envelope",
    "ListeningSettings",
    "Outcome",
    "PermanentError",
    "Pool",
    "PoolLimits",
    "ProxyHeader",
    "SMTPError",
    "Server",
    "ServerSettings",
    "ServerTLS",
    "Status",
    "TLSError",
    "TLSMode",
    "TLSPolicy",
    "Transcript",
    "TransientError",
    "TrustedNetworks",
    "Users",
    "client_context",
    "connect",
    "connect_with",
    "content_of",
    "envelope_of",
    "serve",
    "serve_with",
    "server_context",
]
