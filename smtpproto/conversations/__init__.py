"""Whole conversations as generators, without I/O; see `requests` for what an adapter has to do."""

from __future__ import annotations

from .client.content_source import Content
from .client.message import content_of, envelope_of
from .client.outcome import Delivery, Outcome, Status
from .client.pool import PoolLimits
from .client.settings import Opening, TLSMode, TLSPolicy
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
from .server.service import Admission, ServerTLS, Service
from .server.session import serve_session
from .transcript import Transcript

__all__ = [
    "Admission",
    "Answer",
    "AsyncContentAnswer",
    "AsyncContentHandler",
    "AsyncHandler",
    "AsyncMessageHandler",
    "AuthenticationError",
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
    "Opening",
    "Outcome",
    "PermanentError",
    "PoolLimits",
    "SMTPError",
    "ServerTLS",
    "Service",
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
