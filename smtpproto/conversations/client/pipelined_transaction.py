"""One mail transaction, in as few round trips as the server allows: RFC 5321 section 3.3, RFC 2920.

The content is sent after DATA, or in counted chunks (RFC 3030).

This file says what the replies to a pipelined group mean.  A 421 in the middle of a group ends the
session: it is the reply for all recipients whose own reply had not come (`delivery.outcomes`).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ...engine.client_chunks import refuse_bad_text
from ...errors import ProtocolError, RemoteProtocolError
from ...extensions import Bdat
from ...vocabulary.commands import Data, Rset
from ...vocabulary.events import ConnectionClosed, ContentChunk, EndOfContent
from ...vocabulary.replies import Reply
from ...vocabulary.session_facts import Protocol
from ...vocabulary.states import State
from ...wire import CountedText
from ..errors import ConnectionLost
from ..io_requests import Flow
from .command_and_reply import NotWritten, flush, reply_after
from .content_source import CHUNK

if TYPE_CHECKING:
    from ...engine.client import Client
    from .content_source import ContentSource
    from .plan import Plan

__all__ = ["MailTransaction"]

# Chunks sent before their replies: enough for a busy link, few enough to notice a refusal soon.
_CHUNKS_UNANSWERED = 4


class MailTransaction:
    """One mail transaction.

    Arguments:
        client: a connection with a session, outside a mail transaction.
        plan: how to send the message.
        batch: the recipients, by index.
        source: the content, at its beginning.

    Attributes:
        replies: the reply that decided for a recipient, by index.
        ended: whether the server may have received the end of the content.
        closing: the 421 that ended the session.
    """

    def __init__(self, client: Client, plan: Plan, batch: list[int], source: ContentSource) -> None:
        self.client = client
        self.plan = plan
        self.batch = batch
        self.source = source
        self.replies: dict[int, Reply] = {}
        self.ended = False
        self.closing: Reply | None = None
        # The recipients that RCPT accepted, by index.
        self.open: list[int] = []

    def run(self) -> Flow[None]:
        """Make the whole transaction.

        Raises:
            LocalProtocolError: this server cannot accept a command or the content.
            Exception: any error of reading the content.  After this and the one before the session
                can go on, except within the content that follows DATA.
            ConnectionLost, RemoteProtocolError: the session is over; recipients without an entry in
                `replies` are undecided.
        """
        try:
            if self.plan.pipelined:
                yield from self._pipelined()
            else:
                yield from self._one_by_one()
        except (ConnectionLost, RemoteProtocolError):
            raise
        except Exception:
            # Within content RSET is not possible.  Only the end of the connection prevents the
            # server from delivering.
            with contextlib.suppress(ConnectionLost, ProtocolError):
                yield from self._abandon()
            raise

    # --- the envelope -------------------------------------------------------------------------

    def _pipelined(self) -> Flow[None]:
        """Send everything before the content in one round trip."""
        plan, client = self.plan, self.client
        recipients = [plan.recipients[index] for index in self.batch]
        client.send(plan.mail, *recipients, *(() if plan.chunked else (Data(),)))
        mail = self._mail((yield from self._reply()))
        for index in self.batch:
            reply = client.next_event()
            if not isinstance(reply, Reply):
                reply = yield from reply_after(reply, client)
            self._decide_for_one(index, reply)
        if plan.chunked:
            yield from self._chunks_if_any(mail)
        else:
            yield from self._data()

    def _one_by_one(self) -> Flow[None]:
        """Wait for each reply, and send no content without a recipient."""
        self.client.send(self.plan.mail)
        mail = self._mail((yield from self._reply()))
        for index in self.batch if mail.positive else ():
            self.client.send(self.plan.recipients[index])
            self._decide_for_one(index, (yield from self._reply()))
        if self.plan.chunked or not self.open:
            yield from self._chunks_if_any(mail)
        else:
            self.client.send(Data())
            yield from self._data()

    def _reply(self) -> Flow[Reply]:
        """Return the next reply.

        Raises:
            ConnectionLost: the link broke, or the reply is 421.
        """
        reply = self.client.next_event()
        if not isinstance(reply, Reply):
            reply = yield from reply_after(reply, self.client)
        self._check_open(reply)
        return reply

    def _check_open(self, reply: Reply) -> None:
        """Note a 421 (RFC 5321 section 3.8), after which the server sends no more replies."""
        if reply.code == 421:
            self.closing = reply
            raise ConnectionLost(f"the server closed the connection: {reply}", reply=reply)

    def _mail(self, reply: Reply) -> Reply:
        """Note the reply to MAIL; a refusal decides for all recipients, despite RCPT."""
        if reply.negative:
            self.replies = dict.fromkeys(self.batch, reply)
        return reply

    def _decide_for_one(self, index: int, rcpt: Reply) -> None:
        """Note the reply to RCPT for its recipient, unless MAIL was refused."""
        if rcpt.code < 300 and index not in self.replies:
            self.open.append(index)
            return
        self._check_open(rcpt)
        self.replies.setdefault(index, rcpt)

    def _decide_for_all(self, reply: Reply) -> None:
        """Note one reply for all recipients that are not decided."""
        self.replies.update(dict.fromkeys(self.open, reply))

    def _abandon(self) -> Flow[None]:
        """Abort the mail transaction, so that the session can go on."""
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
        reply = yield from self._reply()
        if not reply.intermediate:
            self._decide_for_all(reply)
            yield from self._abandon()
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
        if self.open:
            yield from self._results()
        else:
            yield from self._reply()

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
        try:
            reply = yield from self._reply()
        except NotWritten:
            self.ended = False
            raise
        if self.client.session.protocol is not Protocol.LMTP:
            self._decide_for_all(reply)
            return
        for index in self.open:
            if index != self.open[0]:
                reply = yield from self._reply()
            self.replies[index] = reply

    # --- content in chunks --------------------------------------------------------------------

    def _chunks_if_any(self, mail: Reply) -> Flow[None]:
        """Send the content in chunks if a recipient was accepted."""
        if self.open:
            yield from self._chunks()
        elif mail.positive:
            yield from self._abandon()

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
        yield from self._abandon()

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
