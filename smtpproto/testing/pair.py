"""A client and a server connected in memory: every value sent must be the value received.

`Pair` moves octets between the two in segments of any size and compares every value: each command,
response and piece of content that the client sends must come out of the server as the same value,
and each reply out of the client, with the command that it answers.  `Mismatch` says where the two
differ.

    >>> from smtpproto import Domain, Ehlo
    >>> pair = Pair()
    >>> [reply.code for reply in pair.run()]
    [220]
    >>> pair.send(Ehlo(Domain("client.example")))
    >>> [reply.code for reply in pair.run()]
    [250]

This module does not need hypothesis.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ..engine.client import Client
from ..engine.server import Server
from ..extensions import EnhancedStatusCodes
from ..vocabulary.command_base import Command, CountedCommand
from ..vocabulary.commands import Hello, Mail, Rset
from ..vocabulary.events import (
    AuthResponse,
    ConnectionClosed,
    ContentChunk,
    EndOfContent,
    Event,
    Need,
    Rejected,
    ServerEvent,
)
from ..vocabulary.replies import PLAIN_REPLIES, Reply
from ..vocabulary.session_facts import Protocol, TLSFacts
from ..vocabulary.states import State

__all__ = ["Mismatch", "Moved", "Pair", "Sendable", "one_by_one"]

Sendable = Command | ContentChunk | EndOfContent | AuthResponse
Segments = Callable[[bytes], Iterable[bytes]]


class Mismatch(AssertionError):
    """One side received something else than the other sent."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One segment that moved from one side to the other.

    Arguments:
        sender: "C" or "S".
        octets: the segment.
        events: the receiver's events.
    """

    sender: str
    octets: bytes
    events: tuple[Event, ...]


@dataclass(slots=True)
class _Content:
    """Content that the client sent and the server has not acknowledged yet."""

    octets: bytearray
    counted: bool


def _whole(octets: bytes) -> Iterable[bytes]:
    return [octets]


class Pair:
    """Two connections whose octets go to each other.

    The server accepts everything, except where `answers` has a reply; a subclass may override
    `decide`.

    Arguments:
        client: a new connection; None: one that knows every extension of this package.
        server: a new connection; None: one without extensions, of the same protocol as the client.
        segments: splits octets into the pieces in which they arrive, such as `one_by_one`; the
            pieces must join to the whole.

    Attributes:
        client: the client's connection.
        server: the server's connection.
        answers: the next replies of the server, in order; None for the usual one.
        events: the server's events so far; may be cleared.
        replies: the client's replies so far; may be cleared.
        segments: as above; may be changed at any time.
    """

    def __init__(
        self,
        client: Client | None = None,
        server: Server | None = None,
        *,
        segments: Segments = _whole,
    ) -> None:
        self.client = Client() if client is None else client
        protocol = self.client.session.protocol
        self.server = Server("mx.example", protocol=protocol) if server is None else server
        self.answers: deque[Reply | None] = deque()
        self.events: list[ServerEvent] = []
        self.replies: list[Reply] = []
        self.segments = segments
        # Segments on their way.
        self._to_server: deque[bytes] = deque()
        self._to_client: deque[bytes] = deque()
        # What the client sent and the server has not shown; what the server replied and the client
        # has not shown, with the event it answers; None: the core replied.
        self._sent: deque[Command | AuthResponse | _Content] = deque()
        self._answered: deque[tuple[Reply, ServerEvent | None] | None] = deque()
        self._waiting: ServerEvent | None = None
        # The content of the transaction, as sent and as received.
        self._expected = bytearray()
        self._counted = False
        self._received = bytearray()
        self._lost = False

    # --- what the application of each side does ------------------------------------------------

    def send(self, *messages: Sendable) -> None:
        """Let the client send something.

        Raises:
            LocalProtocolError: the client does not allow it; nothing of that message was sent.
        """
        for message in messages:
            self.client.send(message)
            if isinstance(message, ContentChunk):
                content = self._sent[-1] if self._sent else None
                if not isinstance(content, _Content):
                    content = _Content(bytearray(), counted=False)
                    self._sent.append(content)
                content.octets += message.octets
            elif isinstance(message, CountedCommand):
                self._sent.append(_Content(bytearray(), counted=True))
            elif isinstance(message, EndOfContent):
                if not self._sent or not isinstance(self._sent[-1], _Content):
                    self._sent.append(_Content(bytearray(), counted=False))
            else:
                self._sent.append(message)

    def decide(self, event: ServerEvent | None) -> Reply | None:
        """Return the reply to an event; None for the usual positive one.  Or use `answers`.

        Arguments:
            event: what waits for a reply; None: the greeting.
        """
        return self.answers.popleft() if self.answers else None

    def reply(self, reply: Reply | None = None) -> None:
        """Let the server reply to the event that waits for it.

        Arguments:
            reply: None for the usual positive one.

        Raises:
            LocalProtocolError: the server does not allow it.
        """
        owed = self.server.owed
        reply = self._usual() if reply is None else reply
        self.server.send(reply)
        # The server writes a refusal of content after the content has ended.
        self._written(reply, self._waiting if owed else None)

    def _usual(self) -> Reply:
        """What `Server.accept` says."""
        event, hostname = self._waiting, self.server.session.hostname
        if event is None:
            usual = "LMTP" if self.server.session.protocol is Protocol.LMTP else "ESMTP"
            return Reply(220, "", f"{hostname} {usual}")
        if isinstance(event, Hello):
            return Reply(250, "", hostname)
        if isinstance(event, Command):
            return Reply(*event.accepted)
        if isinstance(event, AuthResponse):
            return Reply(235, "2.7.0", "Authentication successful")
        return Reply(250, "2.0.0", "OK")

    # --- moving octets --------------------------------------------------------------------------

    def run(self) -> list[Reply]:
        """Move octets and reply until nothing moves; return the client's replies.

        It also does a TLS handshake that both sides wait for.

        Raises:
            Mismatch: one side received something else than the other sent.
            RemoteProtocolError: the client does not understand the server.
        """
        before = len(self.replies)
        for _ in self.steps():
            pass
        return self.replies[before:]

    def steps(self) -> Iterator[Moved]:
        """The same, one segment at a time."""
        while True:
            moved = self.step()
            if moved is not None:
                yield moved
            elif not self.start_tls():
                self._check_quiet()
                return

    def step(self) -> Moved | None:
        """Reply where a reply is due, and move one segment; None if there is nothing to move.

        The client's octets go first.
        """
        self._serve()
        self._take(self.client.data_to_send(), self._to_server)
        if self._to_server:
            return self._move("C", self._to_server.popleft())
        if self._to_client:
            return self._move("S", self._to_client.popleft())
        return None

    def to_server(self) -> list[ServerEvent]:
        """Move all of the client's octets, and reply to nothing.

        Returns:
            The server's events, up to the first that waits for a reply; call `reply` and then this
            again for the next ones.
        """
        self._take(self.client.data_to_send(), self._to_server)
        while self._to_server:
            self.server.receive_data(self._to_server.popleft())
        return self._events()

    def to_client(self) -> list[Reply]:
        """Move all of the server's octets; return the client's replies."""
        before = len(self.replies)
        while self._to_client:
            self._move("S", self._to_client.popleft())
        return self.replies[before:]

    def start_tls(self) -> bool:
        """Do the TLS handshake if both sides wait for it; return whether they did."""
        if State.TLS is not self.client.state or State.TLS is not self.server.state:
            return False
        for side in (self.client, self.server):
            side.tls_established(TLSFacts("TLSv1.3"))
        return True

    def close(self, sender: str = "C") -> None:
        """Cut the link; octets on their way still arrive.

        Arguments:
            sender: who closes, "C" or "S".  The other side sees the end of its input.
        """
        self.run()
        if sender == "C":
            self.server.receive_eof()
            self._serve()
        else:
            self.client.receive_eof()
            self._listen()

    def _take(self, octets: bytes, queue: deque[bytes]) -> None:
        if octets:
            pieces = [piece for piece in self.segments(octets) if piece]
            assert b"".join(pieces) == octets, "segments have to join to the whole"
            queue.extend(pieces)

    def _move(self, sender: str, octets: bytes) -> Moved:
        if sender == "C":
            before = len(self.events)
            self.server.receive_data(octets)
            self._serve()
            return Moved(sender, octets, tuple(self.events[before:]))
        self.client.receive_data(octets)
        return Moved(sender, octets, tuple(self._listen()))

    # --- the server's side ----------------------------------------------------------------------

    def _serve(self) -> None:
        """Read the server's events, and reply."""
        while True:
            self._events()
            if not self.server.owed:
                return
            self.reply(self.decide(self._waiting))

    def _events(self) -> list[ServerEvent]:
        """Return the events up to one that waits for a reply; compare each with what was sent."""
        found: list[ServerEvent] = []
        while not isinstance(event := self.server.next_event(), Need):
            self._written(event.reply if isinstance(event, Rejected) else None, None)
            found.append(event)
            self.events.append(event)
            if not isinstance(event, ContentChunk):
                self._waiting = event
            self._check(event)
        self._written(None, None)
        return found

    def _written(self, reply: Reply | None, event: ServerEvent | None) -> None:
        """Take the octets that the server wrote, and note which reply they hold."""
        octets = self.server.data_to_send()
        for line in octets.split(b"\r\n")[:-1]:
            if line[3:4] == b"-":
                continue
            # The core may have replied to earlier chunks.
            known = reply is not None and line.startswith(b"%d" % reply.code)
            self._answered.append((reply, event) if known and reply is not None else None)
            reply = None if known else reply
        self._take(octets, self._to_client)

    def _check(self, event: ServerEvent) -> None:
        """Compare an event with what the client sent."""
        if isinstance(event, ContentChunk):
            self._received += event.octets
        elif isinstance(event, EndOfContent):
            self._drain()
            self._check_content()
            self._forget()
        elif isinstance(event, Rejected):
            self._lost = self._lost or event.content
            if not event.content and self.server.state is not State.CLOSED:
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
            expected = [_as_received(octets) for octets in expected]
        if not self._lost and received not in expected:
            raise Mismatch(f"the server received the content {received!r}, not {expected[0]!r}")

    def _forget(self) -> None:
        self._expected.clear()
        self._received.clear()
        self._lost = False

    # --- the client's side ----------------------------------------------------------------------

    def _listen(self) -> list[Event]:
        """Return the client's events; compare each with what the server sent."""
        found: list[Event] = []
        while not isinstance(event := self.client.next_event(), Need):
            found.append(event)
            if isinstance(event, Reply):
                self.replies.append(event)
                self._check_reply(event)
        return found

    def _check_reply(self, received: Reply) -> None:
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
        if not self._same(sent, received):
            raise Mismatch(f"the client received {received!r}, the server sent {sent!r}")

    def _same(self, sent: Reply, received: Reply) -> bool:
        verb = received.command.verb if received.command is not None else "greeting"
        if not sent.text.isascii():
            # The server converts it to what the client can read (RFC 6531 section 3.7.4).
            return sent.code // 100 == received.code // 100
        if sent.code != received.code:
            return False
        enhanced = sent.enhanced
        if enhanced and (sent.intermediate or verb in PLAIN_REPLIES or not self._enhanced):
            # The server did not send it; the code was found in the text.
            enhanced = ""
        if enhanced and enhanced != received.enhanced:
            return False
        lines, found = list(sent.lines), list(received.lines)
        if isinstance(received.command, Hello):
            # The service extensions follow.
            found = found[: len(lines)]
        prefix = "" if enhanced or not received.enhanced else received.enhanced
        written = [f"{prefix} {line}".strip() if prefix else line for line in found]
        return found == lines or [line.strip() for line in lines] == written

    @property
    def _enhanced(self) -> bool:
        return any(isinstance(e, EnhancedStatusCodes) for e in self.server._extensions)  # noqa: SLF001  # known before EHLO as well

    def _check_quiet(self) -> None:
        """Nothing moves: check that neither side waits for something that was sent."""
        open_ = (State.CLOSED, State.ERROR)
        if self.server.state in open_ or self.client.state in open_:
            return
        lost = [message for message in self._sent if not isinstance(message, _Content)]
        # The client's held-back commands wait for a reply.
        if lost and self.server.owed == 0:
            raise Mismatch(f"the server never received {lost!r}")


def one_by_one(octets: bytes) -> Iterator[bytes]:
    """Split octets into segments of one octet, for `Pair`."""
    return (octets[at : at + 1] for at in range(len(octets)))


def _as_received(octets: bytes) -> bytes:
    """Return content after DATA with a line ending at its end (RFC 5321 section 4.1.1.4)."""
    return octets if octets.endswith(b"\r\n") or not octets else octets + b"\r\n"
