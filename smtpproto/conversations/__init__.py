"""Whole conversations as generators without I/O; `io_requests` says what an adapter must do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy_names import lazy_names

if TYPE_CHECKING:
    from .client.content_source import Content
    from .client.message import content_of, envelope_of
    from .client.outcome import Delivery, Outcome, Status
    from .client.pool import PoolLimits
    from .client.settings import ClientSettings, TLSMode
    from .client.tls_policy import TLSPolicy
    from .envelope import Envelope
    from .errors import (
        AuthenticationError,
        ConnectionLost,
        PermanentError,
        SMTPError,
        TLSError,
        TransientError,
    )
    from .server.handler import (
        Answer,
        AsyncContentAnswer,
        AsyncContentHandler,
        AsyncHandler,
        AsyncMessageHandler,
        ContentAnswer,
        ContentHandler,
        Handler,
        Hooks,
        MessageHandler,
    )
    from .server.incoming_content import ContentLost
    from .server.session import serve_session
    from .server.session_factory import SessionFactory
    from .server.settings import Admission, ServerSettings, ServerTLS
    from .transcript import Transcript
else:
    # A client does not need the server's half, and a server does not need the client's.
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".client.content_source": "Content",
            ".client.message": "content_of envelope_of",
            ".client.outcome": "Delivery Outcome Status",
            ".client.pool": "PoolLimits",
            ".client.settings": "ClientSettings TLSMode TLSPolicy",
            ".envelope": "Envelope",
            ".errors": (
                "AuthenticationError ConnectionLost PermanentError SMTPError TLSError "
                "TransientError"
            ),
            ".server.handler": (
                "Answer AsyncContentAnswer AsyncContentHandler AsyncHandler "
                "AsyncMessageHandler ContentAnswer ContentHandler Handler Hooks "
                "MessageHandler"
            ),
            ".server.incoming_content": "ContentLost",
            ".server.session_factory": "SessionFactory",
            ".server.session": "serve_session",
            ".server.settings": "Admission ServerSettings ServerTLS",
            ".transcript": "Transcript",
        },
    )

__all__ = [
    "Admission",
    "Answer",
    "AsyncContentAnswer",
    "AsyncContentHandler",
    "AsyncHandler",
    "AsyncMessageHandler",
    "AuthenticationError",
    "ClientSettings",
    "ConnectionLost",
    "Content",
    "ContentAnswer",
    "ContentHandler",
    "ContentLost",
    "Delivery",
    "Envelope",
    "Handler",
    "Hooks",
    "MessageHandler",
    "Outcome",
    "PermanentError",
    "PoolLimits",
    "SMTPError",
    "ServerSettings",
    "ServerTLS",
    "SessionFactory",
    "Status",
    "TLSError",
    "TLSMode",
    "TLSPolicy",
    "Transcript",
    "TransientError",
    "content_of",
    "envelope_of",
    "serve_session",
]
