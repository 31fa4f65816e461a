"""What the adapters share: sockets, TLS, the transmission channel, settings.

The names here are what each adapter hands on to its users from other folders: envelopes, outcomes,
errors, TLS, credentials, transcripts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy_names import lazy_names

if TYPE_CHECKING:
    from ..conversations import (
        Admission,
        Answer,
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
    from ..wire.proxy_header_value import Endpoint, ProxyFamily, ProxyHeader
    from .connecting import ConnectionSettings
    from .listening import ListeningSettings
    from .tls_contexts import CertificateFiles, client_context, server_context
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".connecting": "ConnectionSettings",
            ".listening": "ListeningSettings",
            ".tls_contexts": "CertificateFiles client_context server_context",
            "..conversations": (
                "Admission Answer AuthenticationError ClientSettings ConnectionLost Content "
                "ContentLost Delivery Envelope Outcome PermanentError "
                "PoolLimits ServerSettings ServerTLS SMTPError Status TLSError TLSMode "
                "TLSPolicy Transcript TransientError content_of envelope_of"
            ),
            "..sasl": "Credentials Users",
            "..wire.proxy_header_value": "Endpoint ProxyFamily ProxyHeader",
            "..wire.proxy_header_parser": "TrustedNetworks",
        },
    )

__all__ = [
    "Admission",
    "Answer",
    "AuthenticationError",
    "CertificateFiles",
    "ClientSettings",
    "ConnectionLost",
    "ConnectionSettings",
    "Content",
    "ContentLost",
    "Credentials",
    "Delivery",
    "Endpoint",
    "Envelope",
    "ListeningSettings",
    "Outcome",
    "PermanentError",
    "PoolLimits",
    "ProxyFamily",
    "ProxyHeader",
    "SMTPError",
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
    "content_of",
    "envelope_of",
    "server_context",
]
