"""A client's conversations: begin a session, deliver a message, ask, end.  All are generators."""

from __future__ import annotations

from .command_and_reply import ask, end, is_ready, next_reply
from .delivery import deliver
from .opening import begin

__all__ = ["ask", "begin", "deliver", "end", "is_ready", "next_reply"]
