"""Whole conversations as generators, without I/O; see `requests` for what an adapter has to do."""

from __future__ import annotations

from .content import Content
from .errors import (
    AuthenticationError,
    ConnectionLost,
    PermanentError,
    SMTPError,
    TLSError,
    TransientError,
)
from .handler import (
    Answer,
    AsyncBodyHandler,
    AsyncContentAnswer,
    AsyncHandler,
    AsyncMessageHandler,
    BodyHandler,
    ContentAnswer,
    Handler,
    Hooks,
    MessageHandler,
)
from .incoming import ContentLost
from .message import content_of, envelope_of
from .opening import Opening, TLSMode, TLSPolicy
from .outcome import Delivery, Envelope, Outcome, Status
from .pool import PoolLimits
from .serve import serve_session
from .service import Admission, ServerTLS, Service
from .transcript import Transcript

__all__ = [
    "Admission",
    "Answer",
    "AsyncBodyHandler",
    "AsyncContentAnswer",
    "AsyncHandler",
    "AsyncMessageHandler",
    "AuthenticationError",
    "BodyHandler",
    "ConnectionLost",
    "Content",
    "ContentAnswer",
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
