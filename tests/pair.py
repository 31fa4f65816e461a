"""`smtpproto.testing.Pair`, with what the tests of extensions say all the time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from smtpproto import (
    Client,
    Domain,
    Ehlo,
    ForwardPath,
    Helo,
    Lhlo,
    Mail,
    Need,
    Parameter,
    Protocol,
    Rcpt,
    Reply,
    ReversePath,
    Server,
    Session,
    testing,
)
from smtpproto.extensions import Extension
from smtpproto.extensions.known import KNOWN
from smtpproto.testing.pair import Sendable
from smtpproto.vocabulary.parameters import parse_parameters

CLIENT = Domain("client.example")


def mail(*parameters: Parameter) -> Mail:
    return Mail(ReversePath.of("a@client.example"), parameters)


def rcpt(*parameters: Parameter) -> Rcpt:
    return Rcpt(ForwardPath.of("b@mx.example"), parameters)


def read_again(parameter: Parameter) -> Parameter:
    """What a server makes of a parameter as it is written."""
    (found,) = parse_parameters(str(parameter), {parameter.keyword: type(parameter)})
    return found


class Pair(testing.Pair):
    """Two engines that have said hello to each other, or are about to."""

    def __init__(
        self,
        *extensions: Extension,
        known: Iterable[type[Extension]] = KNOWN,
        session: Session | None = None,
        client_session: Session | None = None,
        protocol: Protocol = Protocol.SMTP,
    ) -> None:
        super().__init__(
            Client(known, session=client_session, protocol=protocol),
            Server("mx.example", extensions, session=session, protocol=protocol),
        )
        assert [reply.code for reply in self.pump()] == [220]

    @property
    def sent(self) -> deque[Any]:
        """What the server has not shown yet, for tests that carry octets by themselves."""
        return self._sent

    def hello(self, *, helo: bool = False) -> Pair:
        """Say EHLO (LHLO on LMTP, or HELO)."""
        lmtp = self.client.session.protocol is Protocol.LMTP
        kind = Helo if helo else Lhlo if lmtp else Ehlo
        assert self.say(kind(CLIENT)).positive
        self.events.clear()
        return self

    def say(
        self,
        *messages: Sendable,
        answer: Reply | None = None,
        answers: Iterable[Reply | None] = (),
    ) -> Reply:
        """Send it and give the last reply."""
        return self.talk(*messages, answers=[answer, *answers] if answer else answers)[-1]

    def talk(self, *messages: Sendable, answers: Iterable[Reply | None] = ()) -> list[Reply]:
        """Send all of it, move octets until nothing moves, and give the replies."""
        self.answers.extend(answers)
        self.send(*messages)
        return self.pump()

    def pump(self) -> list[Reply]:
        """Move octets both ways until nothing moves; the replies that the client got."""
        return self.run()

    def start_tls(self) -> bool:
        """Left to the tests."""
        return False

    def raw(self, line: str) -> str:
        """What the server answers to a line that no client of ours would send."""
        self.server.receive_data(line.encode() + b"\r\n")
        while not isinstance(event := self.server.next_event(), Need):
            self.events.append(event)
        if event is Need.REPLY:
            self.server.accept()
        return self.server.data_to_send().decode()
