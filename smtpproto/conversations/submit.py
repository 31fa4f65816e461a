"""The conversations of a client: begin a session, deliver a message, ask, end.

Each is a generator over a `Client`; they stand in `beginning`, `transaction` and `asking`.
"""

from __future__ import annotations

from .asking import ask, end, is_ready, next_reply
from .beginning import begin
from .transaction import deliver

__all__ = ["ask", "begin", "deliver", "end", "is_ready", "next_reply"]
