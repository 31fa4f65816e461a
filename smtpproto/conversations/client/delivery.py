"""Delivering a message to the recipients of an envelope: RFC 5321 section 3.3.

It makes one mail transaction, or several if the server's limits require that (RFC 9422), and
always returns one outcome for each recipient.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ...errors import LocalProtocolError, ProtocolError, RemoteProtocolError
from ...extensions import ServerLimits
from ..errors import ConnectionLost
from ..io_requests import Flow
from .command_and_reply import NotWritten
from .content_source import ContentSource
from .outcome import Delivery, outcome_of
from .pipelined_transaction import MailTransactions
from .plan import CannotBeSent, ToASCII, make_plan

if TYPE_CHECKING:
    from ...engine.client import Client
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
    sending = MailTransactions(client, plan, source)
    unknown: set[int] = set()
    error: Exception | None = None
    reason = ""
    limits = client.offered.get(ServerLimits)
    for number, batch in enumerate(plan.batches):
        recipients = (plan.recipients[index] for index in batch)
        if limits is not None and not limits.allows(recipients, client.session):
            reason = "the server accepts no more in this session (LIMITS, RFC 9422)"
            break
        try:
            yield from sending.run(batch, again=number > 0)
        except (ConnectionLost, RemoteProtocolError) as failure:
            error, reason = failure, str(failure)
        except Exception as failure:
            with contextlib.suppress(ConnectionLost, ProtocolError):
                yield from sending.abandon()
            # An earlier mail transaction may have delivered the message to some recipients.
            if not number and not isinstance(failure, CannotBeSent):
                raise
            error, reason = failure, str(failure)
            if not isinstance(failure, LocalProtocolError):
                reason = f"the content could not be read: {failure!r:.200}"
        if sending.ended and not isinstance(error, NotWritten):
            unknown.update(batch)
        if error is not None:
            break
    # The outcomes name the paths that the caller gave, even if they were converted.
    replies, closing = sending.replies, sending.closing
    outcomes = [
        outcome_of(rcpt.forward_path, replies.get(index, closing), index in unknown, reason)
        for index, rcpt in enumerate(envelope.recipients)
    ]
    return Delivery(tuple(outcomes), error)
