"""SCRAM-SHA-1 and SCRAM-SHA-1-PLUS (RFC 5802)."""

from __future__ import annotations

from .scram import Scram

__all__ = ["ScramSHA1", "ScramSHA1Plus"]


class ScramSHA1(Scram):
    """SCRAM-SHA-1, without channel binding."""

    __slots__ = ()
    name = family = "SCRAM-SHA-1"
    algorithm = "sha1"
    strength = 70


class ScramSHA1Plus(ScramSHA1):
    """SCRAM-SHA-1-PLUS, with channel binding."""

    __slots__ = ()
    name = "SCRAM-SHA-1-PLUS"
    plus = True
    strength = 90
