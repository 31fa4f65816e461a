"""Delivering a message to the recipients of an envelope: RFC 5321 section 3.3.

One mail transaction, or as many as the server's limits make of it (RFC 9422), and one outcome for
each recipient, whatever happens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import LocalProtocolError, RemoteProtocolError
from ...extensions import ServerLimits
from ...vocabulary.replies import Reply
from ..errors import ConnectionLost
from ..requests import Flow
from .content_source import ContentSource
from .outcome import Delivery, Outcome, Status
from .plan import Plan, ToASCII, Unfit, make_plan
from .transaction import MailTransaction

if TYPE_CHECKING:
    from ...engine.client import Client
    from ...vocabulary.addresses import ForwardPath
    from ..envelope import Envelope
    from .content_source import Content

__all__ = ["deliver"]


def deliver(
    client: Client,
    envelope: Envelope,
    content: Content,
    *,
    chunking: bool = False,
    to_ascii: ToASCII | None = None,
) -> Flow[Delivery]:
    """Deliver one message to the recipients of an envelope.

    MAIL, every RCPT and DATA leave at once where the server allows it.  What becomes of the message
    is told recipient by recipient, also when the link breaks.  MAIL gets the parameters that this
    content needs (SIZE, BODY, SMTPUTF8), besides those that it has.

    A stream is looked at: up to the end of its header before MAIL, then as it passes.  What the
    server cannot take (octets above 127 without 8BITMIME, RFC 6152 section 3; UTF-8 in a header
    without SMTPUTF8, RFC 6531 section 3.2) ends the mail transaction before the end of the content,
    and the outcomes say why.  The parameters BODY and SMTPUTF8 of the envelope declare beforehand
    what a stream holds.

    Arguments:
        client: a connection with a session.
        envelope: sender and recipients, with whatever parameters they are to have.
        content: the message, with CRLF line endings.
        chunking: whether to send it in counted chunks where the server offers that (RFC 3030); done
            anyhow for an envelope with BODY=BINARYMIME.
        to_ascii: what makes A-labels of U-labels where the server does not offer SMTPUTF8, such as
            `smtpproto.idn.to_ascii`.

    Returns:
        One outcome for each recipient, in the order of the envelope.

    Raises:
        LocalProtocolError: the content or a command is not possible with this server; nothing was
            delivered and the session can go on.
        Exception: whatever reading the content raised in the first mail transaction; the link must
            be closed, as there is no other way not to deliver what was sent of it.  Once a mail
            transaction was made, such an error is told by `Delivery.error` and its outcomes.
    """
    source = ContentSource(content)
    plan = yield from make_plan(
        envelope,
        source,
        client.offered,
        client.line_endings,
        chunking=chunking,
        to_ascii=to_ascii,
    )
    delivery = _Delivery(client, plan, source)
    yield from delivery.run()
    # The paths are those that were asked for, whatever was made of them.
    return Delivery(delivery.outcomes(envelope.forward_paths), delivery.error)


class _Delivery:
    """The mail transactions of one message.

    Attributes:
        replies: what decided over a recipient, by index.
        unknown: the recipients, by index, for whom the end of the content may have been read.
        closing: the 421 that ended the session.
        reason: why what is not decided will not be.
        error: what was raised then.
    """

    def __init__(self, client: Client, plan: Plan, source: ContentSource) -> None:
        self.client = client
        self.plan = plan
        self.source = source
        self.replies: dict[int, Reply] = {}
        self.unknown: set[int] = set()
        self.closing: Reply | None = None
        self.reason = ""
        self.error: Exception | None = None

    def run(self) -> Flow[None]:
        """Make one after the other, until what happens makes further ones impossible.

        Raises:
            Exception: as `deliver`.
        """
        for number, batch in enumerate(self.plan.batches):
            if not self._has_room(batch):
                self.reason = "the server takes no more in this session (LIMITS, RFC 9422)"
                return
            transaction = MailTransaction(self.client, self.plan, batch, self.source)
            try:
                if number:
                    yield from self.source.rewind()
                yield from transaction.run()
            except (ConnectionLost, RemoteProtocolError, Unfit) as error:
                self.reason, self.error = str(error), error
            except Exception as error:
                # After the first, something was delivered.
                if not number:
                    raise
                self.reason, self.error = str(error), error
                if not isinstance(error, LocalProtocolError):
                    self.reason = f"the content could not be read: {error!r:.200}"
            self.replies.update(transaction.replies)
            self.closing = transaction.closing
            if transaction.ended:
                self.unknown.update(batch)
            if self.error is not None:
                return

    def _has_room(self, batch: list[int]) -> bool:
        """Whether the session has room for one more mail transaction."""
        limits = self.client.offered.get(ServerLimits)
        recipients = [self.plan.recipients[index] for index in batch]
        return limits is None or limits.allows(recipients, self.client.session)

    def outcomes(self, paths: tuple[ForwardPath, ...]) -> tuple[Outcome, ...]:
        """What became of each recipient."""
        outcomes = []
        for index, path in enumerate(paths):
            reply = self.replies.get(index, self.closing)
            if reply is None:
                lost = Status.UNKNOWN if index in self.unknown else Status.FAILED
                outcomes.append(Outcome(path, lost, None, self.reason))
            else:
                status = Status.ACCEPTED if reply.positive else Status.REFUSED
                outcomes.append(Outcome(path, status, reply))
        return tuple(outcomes)
