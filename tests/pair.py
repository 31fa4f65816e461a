"""A client and a server connected in memory: what is sent must be what is received."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from smtpproto import (
    AuthResponse,
    BodyChunk,
    Client,
    Command,
    ConnectionClosed,
    Domain,
    Ehlo,
    EndOfBody,
    ForwardPath,
    Helo,
    Lhlo,
    Mail,
    Need,
    Parameter,
    Protocol,
    Rcpt,
    Rejected,
    Reply,
    ReversePath,
    Server,
    Session,
)
from smtpproto.commands import CountedCommand
from smtpproto.events import ServerEvent
from smtpproto.extensions import KNOWN, Extension
from smtpproto.parameters import parse_parameters

CLIENT = Domain("client.example")


def mail(*parameters: Parameter) -> Mail:
    return Mail(ReversePath.of("a@client.example"), parameters)


def rcpt(*parameters: Parameter) -> Rcpt:
    return Rcpt(ForwardPath.of("b@mx.example"), parameters)


def read_again(parameter: Parameter) -> Parameter:
    """What a server makes of a parameter as it is written."""
    (found,) = parse_parameters(str(parameter), {parameter.keyword: type(parameter)})
    return found


class Pair:
    """Two engines; the server accepts everything but what `answers` has a reply for.

    Attributes:
        answers: replies to what comes next, None for the usual positive one.
        events: what the server saw, and has not been looked at.
    """

    def __init__(
        self,
        *extensions: Extension,
        known: Iterable[type[Extension]] = KNOWN,
        session: Session | None = None,
        client_session: Session | None = None,
        protocol: Protocol = Protocol.SMTP,
    ) -> None:
        self.server = Server("mx.example", extensions, session=session, protocol=protocol)
        self.client = Client(known, session=client_session, protocol=protocol)
        self.answers: deque[Reply | None] = deque()
        self.events: list[ServerEvent] = []
        self.sent: deque[Command] = deque()
        assert [reply.code for reply in self.pump()] == [220]

    def hello(self, *, helo: bool = False) -> Pair:
        """Say EHLO (LHLO on LMTP, or HELO)."""
        lmtp = self.client.session.protocol is Protocol.LMTP
        kind = Helo if helo else Lhlo if lmtp else Ehlo
        assert self.say(kind(CLIENT)).positive
        self.events.clear()
        return self

    def say(
        self,
        *messages: Command | BodyChunk | EndOfBody | AuthResponse,
        answer: Reply | None = None,
        answers: Iterable[Reply | None] = (),
    ) -> Reply:
        """Send it and give the last reply."""
        return self.talk(*messages, answers=[answer, *answers] if answer else answers)[-1]

    def talk(
        self,
        *messages: Command | BodyChunk | EndOfBody | AuthResponse,
        answers: Iterable[Reply | None] = (),
    ) -> list[Reply]:
        """Send all of it, move octets until nothing moves, and give the replies."""
        self.answers.extend(answers)
        for message in messages:
            self.client.send(message)
            # Of a counted command a server shows the content alone.
            if isinstance(message, Command) and not isinstance(message, CountedCommand):
                self.sent.append(message)
        return self.pump()

    def pump(self) -> list[Reply]:
        """Move octets both ways until nothing moves; the replies that the client got."""
        replies = []
        while True:
            to_server = self.client.data_to_send()
            if to_server:
                self.server.receive_data(to_server)
            self._serve()
            to_client = self.server.data_to_send()
            if to_client:
                self.client.receive_data(to_client)
            while isinstance(event := self.client.next_event(), Reply):
                replies.append(event)
            if not to_server and not to_client:
                return replies

    def _serve(self) -> None:
        while True:
            event = self.server.next_event()
            if event is Need.REPLY:
                answer = self.answers.popleft() if self.answers else None
                if answer is None:
                    self.server.accept()
                else:
                    self.server.send(answer)
            elif isinstance(event, Need):
                return
            else:
                self.events.append(event)
                if isinstance(event, Command):
                    assert event == self.sent.popleft()
                elif isinstance(event, Rejected) and not event.content:
                    self.sent.popleft()
                elif isinstance(event, ConnectionClosed):
                    return

    def raw(self, line: str) -> str:
        """What the server answers to a line that no client of ours would send."""
        self.server.receive_data(line.encode() + b"\r\n")
        while not isinstance(event := self.server.next_event(), Need):
            self.events.append(event)
        if event is Need.REPLY:
            self.server.accept()
        return self.server.data_to_send().decode()
