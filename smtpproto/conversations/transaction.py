"""One mail transaction after the other: a message to the recipients of an envelope, RFC 5321 section 3.3.

In as few round trips as the server allows (RFC 2920), and with one outcome for each recipient.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..commands import Data, Mail, Rset
from ..errors import LocalProtocolError, RemoteProtocolError
from ..events import BodyChunk, EndOfBody
from ..extensions import Body, DeclaredSize, EightBitMime, Pipelining, Size
from ..replies import Reply
from ..session import Protocol
from .asking import flush, next_reply
from .content import ContentSource
from .errors import ConnectionLost
from .outcome import Delivery, Envelope, Outcome, Status
from .requests import Flow

if TYPE_CHECKING:
    from ..client import Client
    from .content import Content

__all__ = ["deliver"]


def deliver(client: Client, envelope: Envelope, content: Content) -> Flow[Delivery]:
    """Deliver one message to the recipients of an envelope (section 3.3).

    MAIL, every RCPT and DATA leave at once where the server allows it.  What becomes of the message
    is told recipient by recipient, also when the link breaks.

    Arguments:
        client: a connection with a session.
        envelope: sender and recipients, with whatever parameters they are to have.
        content: the message, with CRLF line endings.

    Raises:
        LocalProtocolError: the content or a command is not possible with this server; nothing was
            delivered and the session can go on.
        Exception: whatever reading the content raised; the link must be closed, as there is no
            other way not to deliver what was sent of it.
    """
    source = ContentSource(content)
    source.check(client.line_endings)
    delivery = _Delivery(client, envelope, source)
    try:
        yield from delivery.run()
    except (ConnectionLost, RemoteProtocolError) as error:
        return delivery.result(str(error))
    return delivery.result()


class _Delivery:
    """One mail transaction under way.

    Attributes:
        replies: what decided over each recipient, None as long as nothing did.
        open: the recipients that RCPT accepted and the content has not decided on, by index.
        ended: whether the end of the content may have reached the server.
    """

    def __init__(self, client: Client, envelope: Envelope, source: ContentSource) -> None:
        self.client = client
        self.source = source
        self.mail = self.with_parameters(envelope.mail)
        self.recipients = envelope.recipients
        self.replies: list[Reply | None] = [None] * len(self.recipients)
        self.open: list[int] = []
        self.ended = False
        self.closing: Reply | None = None

    def with_parameters(self, mail: Mail) -> Mail:
        """MAIL with what this content needs, of what the server offers."""
        offered, parameters = self.client.offered, list(mail.parameters)
        size = self.source.size
        if size is not None and Size in offered and mail.get(DeclaredSize) is None:
            parameters.append(DeclaredSize(size))
        if self.source.eight_bit and EightBitMime in offered and mail.get(Body) is None:
            parameters.append(Body("8BITMIME"))
        return replace(mail, parameters=tuple(parameters))

    def run(self) -> Flow[None]:
        """The whole transaction."""
        if Pipelining in self.client.offered:
            yield from self.pipelined()
        else:
            yield from self.one_by_one()

    def pipelined(self) -> Flow[None]:
        """Everything before the content in one round trip (RFC 2920)."""
        try:
            for command in (self.mail, *self.recipients, Data()):
                self.client.send(command)
        except LocalProtocolError:
            yield from self.abandon()
            raise
        mail = yield from self.reply()
        for index in range(len(self.recipients)):
            self.decide(index, mail, (yield from self.reply()))
        yield from self.data()

    def one_by_one(self) -> Flow[None]:
        """A round trip for each command, and no DATA without a recipient."""
        self.client.send(self.mail)
        mail = yield from self.reply()
        for index, rcpt in enumerate(self.recipients):
            if mail.negative:
                self.decide(index, mail, mail)
                continue
            try:
                self.client.send(rcpt)
            except LocalProtocolError:
                yield from self.abandon()
                raise
            self.decide(index, mail, (yield from self.reply()))
        if self.open:
            self.client.send(Data())
            yield from self.data()
        elif mail.positive:
            yield from self.abandon()

    def reply(self) -> Flow[Reply]:
        reply = yield from next_reply(self.client)
        if reply.code == 421:
            self.closing = reply
        return reply

    def decide(self, index: int, mail: Reply, rcpt: Reply) -> None:
        """Note what became of a recipient by RCPT: where MAIL was refused, its reply says more."""
        if mail.negative or rcpt.negative:
            self.replies[index] = mail if mail.negative else rcpt
        else:
            self.open.append(index)

    def data(self) -> Flow[None]:
        """Read the reply to DATA, and send the content if there is somebody to have it."""
        reply = yield from self.reply()
        if reply.intermediate:
            yield from self.content()
            return
        for index in self.open:
            self.replies[index] = reply
        if self.client.transaction is not None:
            yield from self.abandon()

    def content(self) -> Flow[None]:
        """Stream the content; to nobody, a lone dot (RFC 2920 section 3.1)."""
        client = self.client
        while self.open and (chunk := (yield from self.source.next())) is not None:
            client.send(BodyChunk(chunk))
            try:
                yield from flush(client)
            except OSError as error:
                raise ConnectionLost(f"the link broke within the content: {error}") from error
            early = client.next_event()
            if isinstance(early, Reply):
                self.replies = [self.replies[i] or early for i in range(len(self.replies))]
                return
        client.send(EndOfBody())
        self.ended = bool(self.open)
        many = client.session.protocol is Protocol.LMTP
        reply = None
        for index in self.open:
            if many or reply is None:
                reply = yield from self.reply()
            self.replies[index] = reply
        if not self.open:
            yield from self.reply()

    def abandon(self) -> Flow[None]:
        """Give up the mail transaction, so that the session can go on."""
        self.client.send(Rset())
        while self.client.pending:
            yield from self.reply()

    def result(self, reason: str = "") -> Delivery:
        """One outcome for each recipient; `reason` says what happened to the link."""
        lost = Status.UNKNOWN if self.ended else Status.FAILED
        outcomes = []
        for rcpt, reply in zip(self.recipients, self.replies):
            path, reply = rcpt.forward_path, reply or self.closing
            if reply is None:
                outcomes.append(Outcome(path, lost, None, reason))
            else:
                status = Status.ACCEPTED if reply.positive else Status.REFUSED
                outcomes.append(Outcome(path, status, reply))
        return Delivery(tuple(outcomes))
