"""Immutable values: addresses, parameters, commands, replies, events, the facts of a session."""

from __future__ import annotations

__all__: list[str] = []
