"""One client's connection in the blocking server's selector loop; no method waits."""

from __future__ import annotations

import selectors
import socket
import time
from math import inf
from typing import Any

from ..adapters.nonblocking_channel import Channel, HandshakeSettings
from ..conversations.conversation_steps import Steps
from ..conversations.io_requests import BeginTLS, Draining, Flow, HasUnread, Receive, Send
from ..vocabulary.session_facts import Session
from .content_chunks import Chunks

__all__ = ["READ", "WRITE", "AcceptedConnection", "Waited"]

Waited = Receive | Send | HasUnread | BeginTLS
"""The requests that wait for a connection's socket."""

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class AcceptedConnection(Channel):
    """A session's socket, its conversation, and the request that it waits for.

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
        awaited: the request that waits for the socket; None if there is none.
        deadline: when that wait is over, on the clock `time.monotonic`.
        watched: the events that the selector waits for.
        ready: whether it continues in the next turn, after other connections.
        sent: octets sent in this turn.
        drained: whether the conversation knows that the server is stopping.
    """

    __slots__ = (
        "_is_cut",
        "_outer",
        "_receive_until",
        "awaited",
        "chunks",
        "deadline",
        "drained",
        "number",
        "ready",
        "sent",
        "session",
        "steps",
        "watched",
    )

    def __init__(
        self,
        sock: socket.socket,
        session: Session,
        flow: Flow[None],
        handshake: HandshakeSettings,
        most: float | None,
    ) -> None:
        super().__init__(sock, handshake, most)
        self.number = sock.fileno()
        self.session = session
        self.steps: Steps[Any] = Steps(flow)
        self.chunks: Chunks | None = None
        self.awaited: Waited | None = None
        self.deadline = self._receive_until = inf
        self.watched = 0
        self.ready = False
        self.sent = 0
        self.drained = False
        self._outer: Steps[Any] | None = None
        self._is_cut = False

    # --- waiting for the socket ---------------------------------------------------------------

    def expect(self, request: Waited) -> None:
        """Set the request that the conversation waits for, and its deadline."""
        self.awaited = request
        if type(request) is Receive:
            until = request.deadline(time.monotonic(), self._receive_until, self._most)
            self.deadline = self._receive_until = until
        elif type(request) is Send:
            data = request.data
            self.sent += len(data)
            self.put(data)
            # The time limit begins when the socket does not accept all octets at once.
            self.deadline = inf
        elif type(request) is BeginTLS:
            self.deadline = time.monotonic() + self._limit(request.timeout)

    def attempt(self) -> int:
        """Try to fulfil the awaited request.

        Returns:
            0 if the conversation can continue; otherwise the events of the socket to wait for
            before trying again.

        Raises:
            OSError: the link broke, or the server cut it off.
        """
        if self._is_cut:
            raise ConnectionAbortedError("the server cut the connection off")
        request = self.awaited
        # In other waits TLS may have to send something itself.
        took = self.push() if self.unsent else False
        if type(request) is Send:
            if not self.unsent:
                self.awaited = None
                return 0
            if took or self.deadline == inf:
                # The time limit begins again when the peer accepts some octets.
                self.deadline = time.monotonic() + self._limit(request.timeout)
            return WRITE
        result: Any
        if type(request) is Receive:
            result = self.read(request.most)
        elif type(request) is BeginTLS:
            result = self.shake_hands()
        else:
            result = self.has_input()
        if result is None:
            return READ | WRITE if self.unsent else READ
        self.awaited, self.steps.result = None, result
        return 0

    def late(self) -> None:
        """Raise `TimeoutError` in the conversation for the awaited request."""
        request = self.awaited
        assert isinstance(request, (Receive, Send, BeginTLS))
        missing = {Receive: "the peer sent nothing for", Send: "the peer accepted no octets for"}
        what = missing.get(type(request), "the TLS handshake did not end within")
        self.fail(TimeoutError(f"{what} {self._limit(request.timeout):g} seconds"))

    def fail(self, error: BaseException) -> None:
        """Raise an error in the conversation in place of the awaited request's result."""
        self.awaited = None
        self.steps.error = error

    # --- the end ------------------------------------------------------------------------------

    def drain(self) -> bool:
        """If the conversation waits for its client, tell it once that the server is stopping."""
        if self.drained or not isinstance(self.awaited, (Receive, BeginTLS)):
            return False
        self.drained = True
        self.fail(Draining())
        return True

    def cut(self) -> None:
        """Shut the connection down: no more octets are read or written."""
        self._is_cut = True
        super().cut()

    def close(self) -> None:
        """Close, and close TLS first if the connection was not cut."""
        if self._is_cut:
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
