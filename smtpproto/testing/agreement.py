"""`Agreement` compares what one side of a `Pair` sends with what the other side receives."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

from ..engine.client import Client
from ..engine.server import Server
from ..vocabulary.command_base import Command, CountedCommand
from ..vocabulary.commands import Hello, Mail, Rset
from ..vocabulary.events import (
    AuthResponse,
    ConnectionClosed,
    ContentChunk,
    EndOfContent,
    Rejected,
    ServerEvent,
)
from ..vocabulary.replies import Reply
from ..vocabulary.states import State

__all__ = ["Agreement", "Mismatch", "Sendable", "as_received"]

Sendable = Command | ContentChunk | EndOfContent | AuthResponse


class Mismatch(AssertionError):
    """One side received something that the other did not send."""


@dataclass(slots=True)
class _Content:
    """Content that the client sent and the server has not acknowledged yet."""

    octets: bytearray
    counted: bool


class Agreement:
    """Records what each side sent, until the other side receives it.

    Arguments:
        client, server: the two connections.
    """

    def __init__(self, client: Client, server: Server) -> None:
        self._client = client
        self._server = server
        # What the client sent and the server has not shown; what the server replied and the client
        # has not shown, with the event it answers; None: the core replied.
        self._sent: deque[Command | AuthResponse | _Content] = deque()
        self._answered: deque[tuple[Reply, ServerEvent | None] | None] = deque()
        # The content of the transaction, as sent and as received.
        self._expected = bytearray()
        self._counted = False
        self._received = bytearray()
        self._lost = False

    # --- from the client to the server ----------------------------------------------------------

    def sent(self, message: Sendable) -> None:
        """Note what the client sent."""
        if isinstance(message, CountedCommand):
            self._sent.append(_Content(bytearray(), counted=True))
        elif isinstance(message, (ContentChunk, EndOfContent)):
            content = self._sent[-1] if self._sent else None
            if not isinstance(content, _Content):
                content = _Content(bytearray(), counted=False)
                self._sent.append(content)
            if isinstance(message, ContentChunk):
                content.octets += message.octets
        else:
            self._sent.append(message)

    def received(self, event: ServerEvent) -> None:
        """Compare an event of the server with what the client sent.

        Raises:
            Mismatch: the client sent something else.
        """
        if isinstance(event, ContentChunk):
            self._received += event.octets
        elif isinstance(event, EndOfContent):
            self._drain()
            self._check_content()
            self._forget()
        elif isinstance(event, Rejected):
            self._lost = self._lost or event.content
            if not event.content and self._server.state is not State.CLOSED:
                self._drain()
                self._expect(event)
        elif isinstance(event, ConnectionClosed):
            self._sent.clear()
        else:
            self._drain()
            if isinstance(event, (Mail, Rset)):
                self._forget()
            if self._expect(event) != event:
                raise Mismatch(f"the server received {event!r}, which is not what the client sent")

    def _expect(self, event: ServerEvent) -> Command | AuthResponse:
        if not self._sent:
            raise Mismatch(f"the server received {event!r}, and the client sent nothing")
        sent = self._sent.popleft()
        assert not isinstance(sent, _Content)
        return sent

    def _drain(self) -> None:
        """Check that the server has received all earlier content."""
        while self._sent and isinstance(self._sent[0], _Content):
            content = self._sent.popleft()
            assert isinstance(content, _Content)
            self._expected += content.octets
            self._counted = content.counted

    def _check_content(self) -> None:
        sent, received = bytes(self._expected), bytes(self._received)
        # Either side may normalize the content.
        expected = [sent, re.sub(rb"\r\n|\r|\n", b"\r\n", sent)]
        if not self._counted:
            expected = [as_received(octets) for octets in expected]
        if not self._lost and received not in expected:
            raise Mismatch(f"the server received the content {received!r}, not {expected[0]!r}")

    def _forget(self) -> None:
        self._expected.clear()
        self._received.clear()
        self._lost = False

    # --- from the server to the client ----------------------------------------------------------

    def written(self, octets: bytes, reply: Reply | None, event: ServerEvent | None) -> None:
        """Note which reply the octets hold that the server wrote.

        Arguments:
            octets: whole lines; the core may have replied to earlier chunks in them.
            reply: the reply; None: only the core replied.
            event: what it answers; None: the greeting.
        """
        for line in octets.split(b"\r\n")[:-1]:
            if line[3:4] == b"-":
                continue
            if reply is None or not line.startswith(b"%d" % reply.code):
                self._answered.append(None)
                continue
            if not line[4:].startswith(reply.enhanced.encode()):
                # The server did not send it: the client finds none.
                reply = Reply(reply.code, "", reply.text)
            self._answered.append((reply, event))
            reply = None

    def heard(self, received: Reply) -> None:
        """Compare a reply that the client received with what the server sent.

        Raises:
            Mismatch: the server sent something else.
        """
        if not self._answered:
            raise Mismatch(f"the client received {received!r}, and the server sent nothing")
        answer = self._answered.popleft()
        if answer is None:
            return
        sent, event = answer
        if isinstance(event, Command) and received.command != event:
            raise Mismatch(
                f"{received} answers {event!r}; the client takes it for the reply to "
                f"{received.command!r}"
            )
        if not _same(sent, received):
            raise Mismatch(f"the client received {received!r}, but the server sent {sent!r}")

    def quiet(self) -> None:
        """Check that neither side waits for something that was sent, when nothing moves.

        Raises:
            Mismatch: something was lost.
        """
        over = (State.CLOSED, State.ERROR)
        if self._server.state in over or self._client.state in over:
            return
        lost = [message for message in self._sent if not isinstance(message, _Content)]
        # The client's held-back commands wait for a reply.
        if lost and self._server.owed == 0:
            raise Mismatch(f"the server never received {lost!r}")


def _same(sent: Reply, received: Reply) -> bool:
    if not sent.text.isascii():
        # The server converts it to what the client can read (RFC 6531 section 3.7.4).
        return sent.code // 100 == received.code // 100
    if sent.code != received.code:
        return False
    if sent.enhanced and sent.enhanced != received.enhanced:
        return False
    lines, found = list(sent.lines), list(received.lines)
    if isinstance(received.command, Hello):
        # The service extensions follow.
        found = found[: len(lines)]
    # Where the server sent no enhanced status code, the client found it in the text.
    prefix = "" if sent.enhanced or not received.enhanced else received.enhanced
    written = [f"{prefix} {line}".strip() if prefix else line for line in found]
    return found == lines or [line.strip() for line in lines] == written


def as_received(octets: bytes) -> bytes:
    """Return content after DATA with a line ending at its end (RFC 5321 section 4.1.1.4)."""
    return octets if octets.endswith(b"\r\n") or not octets else octets + b"\r\n"
