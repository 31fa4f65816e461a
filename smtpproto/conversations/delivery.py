"""Delivering a message to the recipients of an envelope: RFC 5321 section 3.3.

One mail transaction, or as many as the server's limits make of it (RFC 9422), and one outcome for
each recipient, whatever happens.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING

from ..errors import LocalProtocolError, RemoteProtocolError
from ..extensions import Chunking, ServerLimits
from ..replies import Reply
from .content import ContentSource
from .errors import ConnectionLost
from .needs import ToASCII, Unfit, fit, is_binary
from .outcome import Delivery, Envelope, Outcome, Status
from .requests import Flow
from .transaction import MailTransaction

if TYPE_CHECKING:
    from ..addresses import ForwardPath
    from ..client import Client
    from .content import Content

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
    batches = _batches(client, envelope)
    if len(batches) > 1 and not (yield from source.keep()):
        raise LocalProtocolError(
            f"the server's limits make {len(batches)} mail transactions of this (RFC 9422), and "
            "this content can be read only once: give bytes, a file that can be rewound, or what "
            "can be iterated over again"
        )
    yield from source.look()
    if not is_binary(envelope):
        source.check(client.line_endings)
    fitted = fit(envelope, source, client.offered, to_ascii)
    chunking = Chunking in client.offered and (chunking or is_binary(fitted))
    delivery = _Delivery(client, source, chunking=chunking)
    # The paths are those that were asked for, whatever was made of them.
    paths = envelope.forward_paths
    outcomes: dict[int, Outcome] = {}
    for batch in batches:
        part = fitted
        if len(batches) > 1:
            part = Envelope(fitted.mail, tuple(fitted.recipients[index] for index in batch))
        found = yield from delivery.deliver(part, [paths[index] for index in batch])
        if part is fitted:
            return Delivery(tuple(found), delivery.error)
        outcomes.update(zip(batch, found, strict=True))
    found = [outcomes[index] for index in range(len(paths))]
    return Delivery(tuple(found), delivery.error)


def _batches(client: Client, envelope: Envelope) -> list[list[int]]:
    """The recipients by index, divided into mail transactions as the server's limits ask."""
    limits = client.offered.get(ServerLimits)
    if limits is None:
        return [list(range(len(envelope.recipients)))]
    # A command may stand there twice.
    indices: dict[int, deque[int]] = defaultdict(deque)
    for index, rcpt in enumerate(envelope.recipients):
        indices[id(rcpt)].append(index)
    return [
        [indices[id(rcpt)].popleft() for rcpt in batch]
        for batch in limits.batches(envelope.recipients)
    ]


class _Delivery:
    """The mail transactions of one message.

    Attributes:
        over: why no further one is possible; "" if it is.
        closing: the 421 that said so.
        error: what was raised then.
    """

    def __init__(self, client: Client, source: ContentSource, *, chunking: bool) -> None:
        self.client = client
        self.source = source
        self.chunking = chunking
        self.over = ""
        self.closing: Reply | None = None
        self.error: Exception | None = None
        self.begun = False

    def deliver(self, envelope: Envelope, paths: list[ForwardPath]) -> Flow[list[Outcome]]:
        """One of them: an outcome for each of its recipients, who were asked for as `paths`."""
        limits = self.client.offered.get(ServerLimits)
        room = limits is None or limits.allows(envelope.recipients, self.client.session)
        if not self.over and not room:
            self.over = "the server takes no more in this session (LIMITS, RFC 9422)"
        nothing: list[Reply | None] = [None] * len(envelope.recipients)
        if self.over:
            return self._outcomes(paths, nothing, Status.FAILED)
        transaction = MailTransaction(self.client, envelope, self.source, chunking=self.chunking)
        try:
            if self.begun:
                yield from self.source.rewind()
            yield from transaction.run()
        except (ConnectionLost, RemoteProtocolError) as error:
            self._end(error, str(error))
            self.closing = transaction.closing
        except Unfit as error:
            # A stream turned out to hold what the server cannot take.
            self._end(error, str(error))
        except LocalProtocolError as error:
            if not self.begun:
                raise
            # For the transactions before it something was delivered.
            self._end(error, str(error))
        except Exception as error:
            if not self.begun:
                raise
            self._end(error, f"the content could not be read: {error!r:.200}")
        self.begun = True
        lost = Status.UNKNOWN if transaction.ended else Status.FAILED
        return self._outcomes(paths, transaction.replies, lost)

    def _end(self, error: Exception, reason: str) -> None:
        self.over, self.error = reason, error

    def _outcomes(
        self, paths: list[ForwardPath], replies: list[Reply | None], lost: Status
    ) -> list[Outcome]:
        outcomes = []
        before, status = None, lost
        for path, decided in zip(paths, replies, strict=True):
            reply = decided or self.closing
            if reply is None:
                outcomes.append(Outcome(path, lost, None, self.over))
                continue
            # For most it is the same one.
            if reply is not before:
                before, status = reply, Status.ACCEPTED if reply.positive else Status.REFUSED
            outcomes.append(Outcome(path, status, reply))
        return outcomes
