"""The error if the extra `testing` is not installed."""

from __future__ import annotations

__all__ = ["MISSING"]

MISSING = (
    "smtpproto.testing.strategies and smtpproto.testing.stateful need the package hypothesis: "
    "python3 -m pip install hypothesis"
)
