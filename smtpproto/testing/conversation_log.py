"""What clients and a test server have said, as C: and S: lines for the report of a failed test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..conversations.transcript import Transcript

if TYPE_CHECKING:
    from ..engine.connection import Observer
    from ..vocabulary.session_facts import Session

__all__ = ["ConversationLog"]

# Lines of each message to show.
_CONTENT = 30
# A key of `session.state`.
_LINES = "smtpproto.testing lines"


class ConversationLog:
    """The conversations of all sessions, in the order in which they began; secrets are left out."""

    def __init__(self) -> None:
        self._sessions: list[list[str]] = []

    def observe(self, session: Session) -> Observer:
        """Return the observer of a new session."""
        lines = self._begin(session)
        return Transcript(lines.append, content=_CONTENT)

    def remark(self, session: Session, text: str) -> None:
        """Note an event that is not a line of either side; the session may have no observer yet."""
        lines = session.state.get(_LINES) or self._begin(session)
        lines.append(f"({text})")

    def _begin(self, session: Session) -> list[str]:
        client = f"{session.peer}:{session.peer_port}" if session.peer_port else session.peer
        lines = [f"--- session {len(self._sessions) + 1}, {client}{_tls(session)}"]
        self._sessions.append(lines)
        session.state[_LINES] = lines
        return lines

    def clear(self) -> None:
        """Forget all conversations."""
        self._sessions.clear()

    def __str__(self) -> str:
        return "\n".join(line for session in list(self._sessions) for line in list(session))


def _tls(session: Session) -> str:
    return f", {session.tls.version}" if session.tls is not None else ""
