"""A client and a server connected in memory: every value sent must be the value received.

`Pair` moves octets between the two in segments of any size and compares every value: each command,
response and piece of content that the client sends must come out of the server as the same value,
and each reply out of the client, with the command that it answers.  `Mismatch` says where the two
differ.

    >>> from smtpproto.extensions import Size
    >>> pair = Pair.offering(Size(1000)).hello()
    >>> pair.client.offered.get(Size)
    Size(limit=1000)

This module does not need hypothesis.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..engine.client import Client
from ..engine.server import Server
from ..extensions import Extension
from ..extensions.known import KNOWN
from ..vocabulary.addresses import Domain
from ..vocabulary.command_base import Command
from ..vocabulary.commands import Ehlo, Hello, Helo, Lhlo
from ..vocabulary.events import AuthResponse, ContentChunk, Event, Need, Rejected, ServerEvent
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Protocol, Session, TLSFacts
from ..vocabulary.states import State
from .agreement import Agreement, Mismatch, Sendable

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Mismatch", "Moved", "Pair", "one_by_one"]

Segments = Callable[[bytes], Iterable[bytes]]


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
        tls: the facts of a TLS handshake for which both sides wait; None: there is none.
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
        self.tls: TLSFacts | None = TLSFacts("TLSv1.3")
        # Segments on their way.
        self._to_server: deque[bytes] = deque()
        self._to_client: deque[bytes] = deque()
        self._agreement = Agreement(self.client, self.server)
        self._waiting: ServerEvent | None = None

    @classmethod
    def offering(
        cls,
        *extensions: Extension,
        known: Iterable[type[Extension]] = KNOWN,
        protocol: Protocol = Protocol.SMTP,
        session: Session | None = None,
        client_session: Session | None = None,
        segments: Segments = _whole,
    ) -> Self:
        """Return a pair that has exchanged the greeting.

        Arguments:
            extensions: what the server offers.
            known: the extensions that the client knows.
            protocol: of both.
            session: the facts that the server starts with.
            client_session: the facts that the client starts with.
            segments: as for `Pair`.
        """
        client = Client(known, session=client_session, protocol=protocol)
        server = Server("mx.example", extensions, session=session, protocol=protocol)
        pair = cls(client, server, segments=segments)
        pair.run()
        return pair

    # --- what the application of each side does ------------------------------------------------

    def send(self, *messages: Sendable) -> None:
        """Let the client send something.

        Raises:
            LocalProtocolError: the client does not allow it; nothing of that message was sent.
        """
        for message in messages:
            self.client.send(message)
            self._agreement.sent(message)

    def talk(self, *messages: Sendable, answers: Iterable[Reply | None] = ()) -> list[Reply]:
        """Let the client send something, and `run`.

        Arguments:
            messages: what the client sends.
            answers: added to `answers`.

        Returns:
            The client's replies.
        """
        self.answers.extend(answers)
        self.send(*messages)
        return self.run()

    def say(self, *messages: Sendable, answers: Iterable[Reply | None] = ()) -> Reply:
        """Do the same as `talk`; return the last reply."""
        return self.talk(*messages, answers=answers)[-1]

    def hello(self, name: str = "client.example", *, helo: bool = False) -> Self:
        """Let the client say EHLO, or LHLO on LMTP.  `events` and `replies` are empty after it.

        Arguments:
            name: its name.
            helo: whether it says HELO instead.
        """
        lmtp = self.client.session.protocol is Protocol.LMTP
        kind = Helo if helo else Lhlo if lmtp else Ehlo
        reply = self.say(kind(Domain(name)))
        assert reply.positive, str(reply)
        self.events.clear()
        self.replies.clear()
        return self

    def raw(self, line: str) -> str:
        """Send a line to the server that the client would not send; accept it if it is allowed.

        Returns:
            The octets that the server sends, as text; the client does not see them.
        """
        self.server.receive_data(line.encode() + b"\r\n")
        while not isinstance(event := self.server.next_event(), Need):
            self.events.append(event)
        if event is Need.REPLY:
            self.server.accept()
        return self.server.data_to_send().decode()

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
        """Return the reply that `Server.accept` sends."""
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
        """Do the same as `run`, one segment at a time."""
        while True:
            moved = self.step()
            if moved is not None:
                yield moved
            elif not self.start_tls():
                self._agreement.quiet()
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
        if self.tls is None or not (self.client.state is self.server.state is State.TLS):
            return False
        for side in (self.client, self.server):
            side.tls_established(self.tls)
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

    # --- reading both sides ---------------------------------------------------------------------

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
            self._agreement.received(event)
        self._written(None, None)
        return found

    def _written(self, reply: Reply | None, event: ServerEvent | None) -> None:
        """Take the octets that the server wrote."""
        octets = self.server.data_to_send()
        self._agreement.written(octets, reply, event)
        self._take(octets, self._to_client)

    def _listen(self) -> list[Event]:
        """Return the client's events; compare each with what the server sent."""
        found: list[Event] = []
        while not isinstance(event := self.client.next_event(), Need):
            found.append(event)
            if isinstance(event, Reply):
                self.replies.append(event)
                self._agreement.heard(event)
        return found


def one_by_one(octets: bytes) -> Iterator[bytes]:
    """Split octets into segments of one octet, for `Pair`."""
    return (octets[at : at + 1] for at in range(len(octets)))
