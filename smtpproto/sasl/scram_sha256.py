"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 7677)."""

from __future__ import annotations

from .scram import Scram

__all__ = ["ScramSHA256", "ScramSHA256Plus"]


class ScramSHA256(Scram):
    """SCRAM-SHA-256, without channel binding."""

    __slots__ = ()
    name = family = "SCRAM-SHA-256"
    algorithm = "sha256"
    strength = 80


class ScramSHA256Plus(ScramSHA256):
    """SCRAM-SHA-256-PLUS, with channel binding."""

    __slots__ = ()
    name = "SCRAM-SHA-256-PLUS"
    plus = True
    strength = 95
