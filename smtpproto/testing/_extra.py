"""The error if the extra `testing` is not installed."""

from __future__ import annotations

__all__ = ["MISSING"]

MISSING = (
    "smtpproto.testing.strategies and smtpproto.testing.stateful need hypothesis: "
    "pip install hypothesis"
)
