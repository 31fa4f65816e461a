"""What the properties have in common: engines that are fed with anything, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from smtpproto import (
    Client,
    Command,
    ConnectionClosed,
    ContentChunk,
    EndOfContent,
    LineEndings,
    Need,
    Rejected,
    RemoteProtocolError,
    Reply,
    Server,
)
from smtpproto.extensions import Extension
from smtpproto.testing import strategies as smtp
from smtpproto.vocabulary.events import ClientEvent, ServerEvent

OFFERS = smtp.offers()


@dataclass
class Ran:
    """What came of it: events with the content in one piece, and the octets that left."""

    events: list[object] = field(default_factory=list)
    said: bytes = b""

    def add(self, event: ServerEvent | ClientEvent) -> None:
        last = self.events[-1] if self.events else None
        if isinstance(event, ContentChunk) and isinstance(last, ContentChunk):
            self.events[-1] = ContentChunk(last.octets + event.octets)
        else:
            self.events.append(event)

    @property
    def commands(self) -> list[Command]:
        return [event for event in self.events if isinstance(event, Command)]

    @property
    def messages(self) -> list[bytes]:
        """The content of each message that may be delivered."""
        found, content = [], b""
        for event in self.events:
            if isinstance(event, ContentChunk):
                content += event.octets
            elif isinstance(event, EndOfContent):
                found.append(content)
                content = b""
            elif isinstance(event, (Command, Rejected)):
                content = b""
        return found


def refusing(number: int) -> Callable[[Server, ServerEvent | None], None]:
    """An application whose answers depend on what was asked, and on a number, alone."""

    def answer(server: Server, event: ServerEvent | None) -> None:
        digest = sum(str(event).encode()) + number
        if number and digest % 5 == 0:
            server.reject([450, 550, 554][digest % 3])
        elif number and digest % 97 == 0:
            server.reject(421)
        else:
            server.accept()

    return answer


def accepting(server: Server, event: ServerEvent | None) -> None:
    server.accept()


def run_server(
    pieces: Iterable[bytes],
    *,
    extensions: Iterable[Extension] = OFFERS,
    line_endings: LineEndings = LineEndings.REFUSE,
    answer: Callable[[Server, ServerEvent | None], None] = accepting,
    server: Server | None = None,
    close: bool = True,
) -> Ran:
    """Feed a server; everything that it must not do raises here."""
    server = server or Server("mx.example", extensions, line_endings=line_endings)
    ran, waiting = Ran(), None
    ended = False
    for piece in [b"", *pieces, *([None] if close else [])]:
        if piece is None:
            server.receive_eof()
        elif piece:
            server.receive_data(piece)
        while True:
            event = server.next_event()
            ran.said += server.data_to_send()
            if event is Need.REPLY:
                assert not ended
                answer(server, waiting)
                ran.said += server.data_to_send()
            elif isinstance(event, Need):
                break
            else:
                assert not ended, "nothing comes after the end"
                ended = isinstance(event, ConnectionClosed)
                waiting = event
                ran.add(event)
    assert ended or not close
    return ran


def run_client(pieces: Iterable[bytes], client: Client, *, close: bool = True) -> Ran:
    """Feed a client; all that may escape is one `RemoteProtocolError`, which is its last event."""
    ran = Ran()
    for piece in [*filter(None, pieces), *([b""] if close else [])]:
        client.receive_data(piece)
        try:
            while not isinstance(event := client.next_event(), Need):
                assert isinstance(event, (Reply, ConnectionClosed))
                ran.add(event)
        except RemoteProtocolError as error:
            ran.events.append(str(error))
            break
    ran.said += client.data_to_send()
    return ran


__all__ = [
    "OFFERS",
    "Ran",
    "accepting",
    "refusing",
    "run_client",
    "run_server",
]
