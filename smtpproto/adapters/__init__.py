"""What the adapters share: sockets, TLS, the transmission channel, options."""

from __future__ import annotations

__all__: list[str] = []
