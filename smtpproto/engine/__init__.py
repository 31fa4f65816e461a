"""The two connections: octets to events and back, over one table of states."""

from __future__ import annotations

__all__: list[str] = []
