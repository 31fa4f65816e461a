"""SMTP over trio: a client, a pool and a server; `smtpproto.sync` has the same for threads.

What users need of other folders can be imported from here, too: envelopes, outcomes, errors, TLS,
credentials, transcripts.  The core is `smtpproto`, service extensions are `smtpproto.extensions`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy_names import lazy_names

if TYPE_CHECKING:
    from ..adapters.tls import CertificateFiles, client_context, server_context
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
    from ..wire.proxy_header import ProxyHeader
    from ..wire.proxy_reader import TrustedNetworks
    from .client import Client, connect, open_client
    from .pool import Pool
    from .server import Server, run_server, serve
else:
    # A program that sends mail does not need the server, nor the other way round.
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "..adapters.tls": "CertificateFiles client_context server_context",
            "..conversations": (
                "Admission Answer AsyncContentAnswer AsyncHandler AuthenticationError "
                "ClientSettings ConnectionLost Content ContentLost Delivery Envelope Outcome "
                "PermanentError PoolLimits ServerSettings ServerTLS SMTPError Status TLSError "
                "TLSMode TLSPolicy Transcript TransientError content_of envelope_of"
            ),
            "..sasl": "Credentials Users",
            "..wire.proxy_header": "ProxyHeader",
            "..wire.proxy_reader": "TrustedNetworks",
            ".client": "Client connect open_client",
            ".pool": "Pool",
            ".server": "Server run_server serve",
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
    "Content",
    "ContentLost",
    "Credentials",
    "Delivery",
    "Envelope",
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
    "content_of",
    "envelope_of",
    "open_client",
    "run_server",
    "serve",
    "server_context",
]
