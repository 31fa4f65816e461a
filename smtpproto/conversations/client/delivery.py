"""Delivering a message to the recipients of an envelope: RFC 5321 section 3.3.

It makes one mail transaction, or several if the server's limits require that (RFC 9422), and
always returns one outcome for each recipient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import LocalProtocolError, RemoteProtocolError
from ...extensions import ServerLimits
from ...vocabulary.replies import Reply
from ..errors import ConnectionLost
from ..io_requests import Flow
from .content_source import ContentSource
from .outcome import Delivery, Outcome, outcome_of
from .pipelined_transaction import MailTransaction
from .plan import CannotBeSent, Plan, ToASCII, make_plan

if TYPE_CHECKING:
    from ...engine.client import Client
    from ...vocabulary.paths import ForwardPath
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

    MAIL, every RCPT and DATA are sent together if the server allows it.  There is one outcome for
    each recipient, even if the link breaks.  MAIL gets the parameters that this content needs
    (SIZE, BODY, SMTPUTF8) in addition to its own.

    A stream is examined up to the end of its header before MAIL, and the rest as it passes.  The
    server may be unable to accept it: octets above 127 without 8BITMIME (RFC 6152 section 3), or
    UTF-8 in a header without SMTPUTF8 (RFC 6531 section 3.2).  Then the mail transaction ends
    before the end of the content, and the outcomes say why.  To declare what a stream holds, give
    the envelope the parameters BODY and SMTPUTF8.

    Arguments:
        client: a connection with a session.
        envelope: sender and recipients, with any parameters.
        content: the message, with CRLF line endings.
        chunking: whether to send it in counted chunks if the server offers that (RFC 3030); always
            done for an envelope with BODY=BINARYMIME.
        to_ascii: converts U-labels to A-labels if the server does not offer SMTPUTF8, such as
            `smtpproto.idn.to_ascii`.

    Returns:
        One outcome for each recipient, in the order of the envelope.

    Raises:
        LocalProtocolError: this server cannot accept the content or a command; nothing was
            delivered, and the session can continue.
        Exception: any error of reading the content in the first mail transaction.  Then close the
            link; otherwise the server may deliver the part that was sent.  After a finished mail
            transaction, `Delivery.error` and the outcomes hold the error instead.
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
    # The outcomes name the paths that the caller gave, even if they were converted.
    return Delivery(delivery.outcomes(envelope.forward_paths), delivery.error)


class _Delivery:
    """The mail transactions of one message.

    Attributes:
        replies: the reply that decides for a recipient, by index.
        unknown: the recipients, by index, for whom the server may have read the end of content.
        closing: the 421 that ended the session.
        reason: why the other recipients get no reply.
        error: the error that ended the delivery.
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
        """Make the mail transactions one after the other, until one fails.

        Raises:
            Exception: as `deliver`.
        """
        for number, batch in enumerate(self.plan.batches):
            if not self._has_room(batch):
                self.reason = "the server accepts no more in this session (LIMITS, RFC 9422)"
                return
            transaction = MailTransaction(self.client, self.plan, batch, self.source)
            try:
                if number:
                    yield from self.source.rewind()
                yield from transaction.run()
            except (ConnectionLost, RemoteProtocolError, CannotBeSent) as error:
                self.reason, self.error = str(error), error
            except Exception as error:
                # An earlier mail transaction may have delivered the message to some recipients.
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
        """Return whether the session has room for one more mail transaction."""
        limits = self.client.offered.get(ServerLimits)
        if limits is None:
            return True
        recipients = [self.plan.recipients[index] for index in batch]
        return limits.allows(recipients, self.client.session)

    def outcomes(self, paths: tuple[ForwardPath, ...]) -> tuple[Outcome, ...]:
        """Return the outcome of each recipient."""
        replies, closing, unknown, reason = self.replies, self.closing, self.unknown, self.reason
        found = [
            outcome_of(path, replies.get(index, closing), index in unknown, reason)
            for index, path in enumerate(paths)
        ]
        return tuple(found)
