"""What the adapters share: sockets, TLS, the transmission channel, settings."""

from __future__ import annotations

__all__: list[str] = []
