"""ENHANCEDSTATUSCODES: replies with the codes of RFC 3463, RFC 2034."""

from __future__ import annotations

from .extension import Extension

__all__ = ["EnhancedStatusCodes"]


class EnhancedStatusCodes(Extension):
    """Replies that carry enhanced status codes (RFC 2034)."""

    __slots__ = ()
    keyword = "ENHANCEDSTATUSCODES"
