"""The conversations of a client: begin a session, deliver a message, ask, end.

Each is a generator over a `Client`; they stand in `beginning`, `delivery` and `asking`.
"""

from __future__ import annotations

from .asking import ask, end, is_ready, next_reply
from .beginning import begin
from .delivery import deliver

__all__ = ["ask", "begin", "deliver", "end", "is_ready", "next_reply"]
