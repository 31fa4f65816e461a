"""One client's connection in the blocking server's selector loop; no method waits."""

from __future__ import annotations

import socket
import time
from typing import Any

from ..adapters.link_base import LinkBase
from ..adapters.nonblocking_channel import HandshakeSettings
from ..conversations.conversation_steps import Steps
from ..conversations.io_requests import Flow
from ..vocabulary.session_facts import Session
from .content_chunks import Chunks

__all__ = ["AcceptedConnection"]


class AcceptedConnection(LinkBase):
    """A session's socket and its conversation.

    Arguments:
        sock: a connected socket.
        session: the session that was passed to `SessionFactory.open`.
        flow: the conversation.
        handshake: how to begin TLS.
        most: seconds that no wait may exceed; None: only the conversation's own bounds.

    Attributes:
        steps: the running conversation.  While a handler that takes content in chunks waits for
            one, this is the conversation that reads the chunk.
        chunks: the iterator of such a handler; None if there is no such handler.
        waits: whether the conversation waits for the socket.
        watched: the events that the selector waits for.
        is_cut: whether the server cut it off.
        ready: whether it continues in the next turn, after other connections.
    """

    __slots__ = (
        "_outer",
        "chunks",
        "is_cut",
        "number",
        "ready",
        "session",
        "steps",
        "waits",
        "watched",
    )

    _now = staticmethod(time.monotonic)

    def __init__(
        self,
        sock: socket.socket,
        session: Session,
        flow: Flow[None],
        handshake: HandshakeSettings,
        most: float | None,
    ) -> None:
        super().__init__(sock, most, handshake)
        self.number = sock.fileno()
        self.session = session
        self.steps: Steps[Any] = Steps(flow)
        self.chunks: Chunks | None = None
        self.waits = False
        self.watched = 0
        self.ready = False
        self._outer: Steps[Any] | None = None
        self.is_cut = False

    def fail(self, error: BaseException) -> None:
        """Raise an error in the conversation in place of the request's result."""
        self.waits, self.events = False, 0
        self.steps.error = error

    # --- the end ------------------------------------------------------------------------------

    def cut(self) -> None:
        """Shut the connection down: no more octets are read or written."""
        self.is_cut = True
        super().cut()

    def close(self) -> None:
        """Close, and close TLS first if the connection was not cut."""
        if self.is_cut:
            self.abort()
        else:
            super().close()

    # --- content in chunks --------------------------------------------------------------------

    def begin_chunk(self, flow: Flow[bytes | None]) -> None:
        """Run the conversation that reads a chunk; the main one waits for its handler."""
        self._outer, self.steps = self.steps, Steps(flow)

    def end_chunk(self, answer: bytes | BaseException | None) -> None:
        """Give the handler its chunk, None at the end, or an error."""
        assert self._outer is not None
        assert self.chunks is not None
        self.steps, self._outer = self._outer, None
        self.chunks.give(answer)

    @property
    def reads_chunk(self) -> bool:
        """Whether a handler waits for a chunk."""
        return self._outer is not None
