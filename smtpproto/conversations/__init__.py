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
from .handler import Answer, Handler, Hooks
from .opening import Opening, TLSMode, TLSPolicy
from .outcome import Delivery, Envelope, Outcome, Status
from .serve import ContentLost, serve_session
from .service import Admission, ServerTLS, Service
from .transcript import Transcript

__all__ = [
    "Admission",
    "Answer",
    "AuthenticationError",
    "ConnectionLost",
    "Content",
    "ContentLost",
    "Delivery",
    "Envelope",
    "Handler",
    "Hooks",
    "Opening",
    "Outcome",
    "PermanentError",
    "SMTPError",
    "ServerTLS",
    "Service",
    "Status",
    "TLSError",
    "TLSMode",
    "TLSPolicy",
    "Transcript",
    "TransientError",
    "serve_session",
]
