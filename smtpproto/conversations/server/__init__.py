"""A server's conversations: sessions, the handler that decides, and what each message gets."""

from __future__ import annotations

__all__: list[str] = []
