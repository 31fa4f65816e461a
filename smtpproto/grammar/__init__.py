"""Text: the ABNF of the RFCs as patterns, and what reads addresses, xtext and base64."""

from __future__ import annotations

__all__: list[str] = []
