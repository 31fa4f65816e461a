"""One mail transaction, in as few round trips as the server allows: RFC 5321 section 3.3, RFC 2920.

The content is sent after DATA, or in counted chunks (RFC 3030).

This file says what the replies to a pipelined group mean.  A 421 in the middle of a group ends the
session: it is the reply for all recipients whose own reply had not come (`delivery.outcomes`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...engine.client_chunks import refuse_bad_text
from ...extensions import Bdat
from ...vocabulary.commands import Data, Rset
from ...vocabulary.events import ConnectionClosed, ContentChunk, EndOfContent
from ...vocabulary.replies import Reply
from ...vocabulary.session_facts import Protocol
from ...vocabulary.states import State
from ...wire import CountedText
from ..errors import ConnectionLost
from ..io_requests import Flow
from .command_and_reply import flush, next_reply
from .content_source import CHUNK

if TYPE_CHECKING:
    from ...engine.client import Client
    from .content_source import ContentSource
    from .plan import Plan

__all__ = ["MailTransactions"]

# Chunks sent before their replies: enough for a busy link, few enough to notice a refusal soon.
_CHUNKS_UNANSWERED = 4
_DATA = Data()


class MailTransactions:
    """The mail transactions of one message.

    Arguments:
        client: a connection with a session, outside a mail transaction.
        plan: how to send the message.
        source: the content, at its beginning.

    Attributes:
        replies: the reply that decided for a recipient, by index.
        ended: whether the server may have received the end of the content of the last one.
        closing: the 421 that ended the session.
    """

    def __init__(self, client: Client, plan: Plan, source: ContentSource) -> None:
        self.client = client
        self.plan = plan
        self.source = source
        self.replies: dict[int, Reply] = {}
        self.ended = False
        self.closing: Reply | None = None
        # The recipients that RCPT accepted, by index.
        self.open: list[int] = []

    def run(self, batch: list[int], *, again: bool) -> Flow[None]:
        """Make a whole transaction.

        Arguments:
            batch: the recipients, by index.
            again: whether the content was sent before.

        Raises:
            LocalProtocolError: this server cannot accept a command or the content.
            Exception: any error of reading the content.
            ConnectionLost, RemoteProtocolError: the session is over; recipients without an entry in
                `replies` are undecided.
        """
        client, plan = self.client, self.plan
        self.open, self.ended = [], False
        if again:
            yield from self.source.rewind()
        if plan.pipelined:
            # Everything before the content takes one round trip.
            recipients = [plan.recipients[index] for index in batch]
            client.send(plan.mail, *recipients, *(() if plan.chunked else (_DATA,)))
        else:
            client.send(plan.mail)
        mail = yield from self._reply()
        if mail.negative:
            # It decides for all recipients, despite RCPT.
            self.replies.update(dict.fromkeys(batch, mail))
        for index in batch if plan.pipelined or mail.positive else ():
            if not plan.pipelined:
                client.send(plan.recipients[index])
            rcpt = client.next_event()
            if not isinstance(rcpt, Reply):
                rcpt = yield from next_reply(client, event=rcpt)
            if rcpt.code < 300:
                self.open.append(index)
            else:
                self._check_open(rcpt)
                self.replies.setdefault(index, rcpt)
        if plan.chunked and self.open:
            yield from self._chunks()
        elif not plan.chunked and (self.open or plan.pipelined):
            yield from self._data()
        elif mail.positive:
            yield from self.abandon()

    def _reply(self) -> Flow[Reply]:
        """Return the next reply.

        Raises:
            ConnectionLost: the link broke, or the reply is 421.
        """
        reply = self.client.next_event()
        if not isinstance(reply, Reply):
            reply = yield from next_reply(self.client, event=reply)
        self._check_open(reply)
        return reply

    def _check_open(self, reply: Reply) -> None:
        """Note a 421 (RFC 5321 section 3.8), after which the server sends no more replies."""
        if reply.code == 421:
            self.closing = reply
            raise ConnectionLost(f"the server closed the connection: {reply}", reply=reply)

    def _decide_for_all(self, reply: Reply) -> None:
        """Note one reply for all recipients that are not decided."""
        self.replies.update(dict.fromkeys(self.open, reply))

    def abandon(self) -> Flow[None]:
        """Abort the mail transaction, so that the session can go on.

        Within the content that follows DATA this is not possible: only the end of the connection
        prevents the server from delivering.

        Raises:
            LocalProtocolError, RemoteProtocolError, ConnectionLost: the session cannot go on.
        """
        client = self.client
        if client.pending or client.state not in (State.READY, State.CLOSED):
            client.send(Rset())
        while client.pending:
            yield from self._reply()

    # --- content after DATA -------------------------------------------------------------------

    def _data(self) -> Flow[None]:
        """Read the reply to DATA, then send the content.

        Without a recipient this is a single dot (RFC 2920 section 3.1).
        """
        client, source = self.client, self.source
        if not self.plan.pipelined:
            client.send(_DATA)
        reply = yield from self._reply()
        if not reply.intermediate:
            self._decide_for_all(reply)
            yield from self.abandon()
            return
        while self.open and (chunk := (yield from source.next())) is not None:
            client.send(ContentChunk(chunk))
            if source.ended:
                # This piece is sent together with the end of the content.
                break
            early = yield from self._write()
            if early is not None:
                self._decide_for_all(early)
                return
        client.send(EndOfContent())
        self.ended = bool(self.open)
        yield from self._results()

    def _write(self) -> Flow[Reply | None]:
        """Write what is queued; return the refusal of a server that did not wait for the end."""
        done, lost = False, None
        while not done:
            try:
                done = yield from flush(self.client, self.client.timeout)
            except OSError as error:
                done, lost = True, error
            # A server that closes early may have sent its reason, and the client may have read it.
            while isinstance(event := self.client.next_event(), Reply):
                if event.negative:
                    return event
            if lost is not None:
                raise ConnectionLost(f"the link broke within the content: {lost}") from lost
            if isinstance(event, ConnectionClosed):
                raise ConnectionLost("the server closed the connection within the content")
        return None

    def _results(self) -> Flow[None]:
        """Read the result: one reply, or on LMTP one for each recipient."""
        reply = yield from self._reply()
        if self.client.session.protocol is not Protocol.LMTP:
            self._decide_for_all(reply)
            return
        for index in self.open:
            if index != self.open[0]:
                reply = yield from self._reply()
            self.replies[index] = reply

    # --- content in chunks --------------------------------------------------------------------

    def _chunks(self) -> Flow[None]:
        """Send the content in chunks: in one if all of it is in memory, else as it is read."""
        text = None if self.plan.binary else CountedText(self.client.line_endings)
        octets = self.source.octets
        if octets is not None:
            if text is not None and not self.source.has_clean_lines():
                octets = text.feed(octets) + text.finish()
        else:
            octets = yield from self._all_but_the_last(text)
        if octets is not None:
            yield from self._last(octets)
        yield from self.abandon()

    def _all_but_the_last(self, text: CountedText | None) -> Flow[bytes | None]:
        """Send all chunks but the last; return the last one's octets, or None after a refusal.

        Raises:
            LocalProtocolError: the content holds a bare CR or LF, and the policy is `REFUSE`.  Its
                chunk is not announced, so the session can go on after RSET.
        """
        client = self.client
        unanswered = _CHUNKS_UNANSWERED if self.plan.pipelined else 0
        chunk = b""
        while (following := (yield from self.source.next())) is not None:
            if text is not None:
                following = text.feed(following)
                refuse_bad_text(text)
            if chunk:
                refusal = yield from self._chunk(chunk, unanswered)
                if refusal is not None:
                    self._decide_for_all(refusal)
                    return None
            chunk = following
        # The last chunk is sent once the server has accepted all chunks before it.
        while client.pending:
            reply = yield from self._reply()
            if reply.negative:
                self._decide_for_all(reply)
                return None
        if text is not None:
            chunk += text.finish()
            refuse_bad_text(text)
        return chunk

    def _chunk(self, octets: bytes, unanswered: int) -> Flow[Reply | None]:
        """Send one chunk that is not the last; return the refusal of it or of one before."""
        client = self.client
        client.send(Bdat(len(octets)))
        client.send(ContentChunk(octets))
        refusal = yield from self._write()
        while refusal is None and client.pending > unanswered:
            reply = yield from self._reply()
            refusal = reply if reply.negative else None
        return refusal

    def _last(self, octets: bytes) -> Flow[None]:
        """Send the last chunk, and read the result."""
        client, refusal = self.client, None
        client.send(Bdat(len(octets), last=True))
        for at in range(0, len(octets), CHUNK):
            client.send(ContentChunk(octets[at : at + CHUNK]))
            self.ended = at + CHUNK >= len(octets)
            # All announced octets must be sent, even if the server refuses the message.
            refusal = refusal or (yield from self._write())
            if client.state is State.CLOSED:
                break
        self.ended = True
        if refusal is not None:
            self._decide_for_all(refusal)
        else:
            yield from self._results()
