"""ENHANCEDSTATUSCODES: replies with the codes of RFC 3463, RFC 2034."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Extension

__all__ = ["EnhancedStatusCodes"]


@dataclass(frozen=True, slots=True)
class EnhancedStatusCodes(Extension):
    """The server's replies carry enhanced status codes (RFC 2034)."""

    keyword = "ENHANCEDSTATUSCODES"
