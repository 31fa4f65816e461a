"""One mail transaction, in as few round trips as the server allows: RFC 5321 section 3.3, RFC 2920.

The content goes after DATA, or in counted chunks (RFC 3030).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ...errors import ProtocolError, RemoteProtocolError
from ...extensions import Bdat
from ...vocabulary.commands import Data, Rset
from ...vocabulary.events import ConnectionClosed, ContentChunk, EndOfContent
from ...vocabulary.replies import Reply
from ...vocabulary.session import Protocol
from ...vocabulary.states import State
from ...wire import CountedText
from ..errors import ConnectionLost
from ..requests import Flow
from .command_and_reply import NotWritten, flush, reply_after
from .content_source import CHUNK

if TYPE_CHECKING:
    from ...engine.client import Client
    from .content_source import ContentSource
    from .plan import Plan

__all__ = ["MailTransaction"]

# Chunks under way without a reply: a link is kept busy, and a refusal is not noticed too late.
_CHUNKS_UNANSWERED = 4


class MailTransaction:
    """One mail transaction under way.

    Arguments:
        client: a connection with a session, outside a mail transaction.
        plan: how the message goes.
        batch: the recipients, by index.
        source: the content, at its beginning.

    Attributes:
        replies: what decided over a recipient, by index.
        ended: whether the end of the content may have reached the server.
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
        """The whole transaction.

        Raises:
            LocalProtocolError: a command or the content is not possible with this server.
            Exception: whatever reading the content raised.  After this and the one before the
                session can go on, but not within the content that follows DATA.
            ConnectionLost, RemoteProtocolError: the session is over; what is not in `replies` is
                not decided.
        """
        try:
            if self.plan.pipelined:
                yield from self._pipelined()
            else:
                yield from self._one_by_one()
        except (ConnectionLost, RemoteProtocolError):
            raise
        except Exception:
            # Within content that follows DATA, or is owed after BDAT, nothing but the end of the
            # connection keeps it from being delivered: then RSET is not possible.
            with contextlib.suppress(ConnectionLost, ProtocolError):
                yield from self._abandon()
            raise

    # --- the envelope -------------------------------------------------------------------------

    def _pipelined(self) -> Flow[None]:
        """Everything before the content in one round trip."""
        plan, client = self.plan, self.client
        client.send(plan.mail)
        for index in self.batch:
            client.send(plan.recipients[index])
        if not plan.chunked:
            client.send(Data())
        mail = yield from self._mail()
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
        """A round trip for each command, and no content without a recipient."""
        self.client.send(self.plan.mail)
        mail = yield from self._mail()
        for index in self.batch if mail.positive else ():
            self.client.send(self.plan.recipients[index])
            self._decide_for_one(index, (yield from self._reply()))
        if self.plan.chunked or not self.open:
            yield from self._chunks_if_any(mail)
        else:
            self.client.send(Data())
            yield from self._data()

    def _reply(self) -> Flow[Reply]:
        """The next reply.

        Raises:
            ConnectionLost: besides the usual, it is a 421.
        """
        reply = self.client.next_event()
        if not isinstance(reply, Reply):
            reply = yield from reply_after(reply, self.client)
        self._check_open(reply)
        return reply

    def _check_open(self, reply: Reply) -> None:
        """Note a 421 (RFC 5321 section 3.8), after which no reply comes any more."""
        if reply.code == 421:
            self.closing = reply
            raise ConnectionLost(f"the server closed the connection: {reply}", reply=reply)

    def _mail(self) -> Flow[Reply]:
        """The reply to MAIL; a refusal decides over all recipients, whatever is said to RCPT."""
        reply = yield from self._reply()
        if reply.negative:
            self.replies = dict.fromkeys(self.batch, reply)
        return reply

    def _decide_for_one(self, index: int, rcpt: Reply) -> None:
        """Note what became of a recipient by RCPT, unless MAIL was refused."""
        if rcpt.positive and index not in self.replies:
            self.open.append(index)
            return
        self._check_open(rcpt)
        self.replies.setdefault(index, rcpt)

    def _decide_for_all(self, reply: Reply) -> None:
        """One reply tells what becomes of the message for all who were still to have it."""
        for index in self.open:
            self.replies[index] = reply

    def _abandon(self) -> Flow[None]:
        """Give up the mail transaction, so that the session can go on."""
        client = self.client
        if client.pending or client.state not in (State.READY, State.CLOSED):
            client.send(Rset())
        while client.pending:
            yield from self._reply()

    # --- content after DATA -------------------------------------------------------------------

    def _data(self) -> Flow[None]:
        """Read the reply to DATA, and send the content if there is somebody to have it."""
        reply = yield from self._reply()
        if reply.intermediate:
            yield from self._content()
        else:
            self._decide_for_all(reply)
            yield from self._abandon()

    def _content(self) -> Flow[None]:
        """Stream the content; to nobody, a lone dot (RFC 2920 section 3.1)."""
        client, source = self.client, self.source
        while self.open and (chunk := (yield from source.next())) is not None:
            client.send(ContentChunk(chunk))
            if source.ended:
                # This one leaves with the end of the content.
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
        """Write what is queued; the refusal of a server that did not want to wait for its end."""
        done, lost = False, None
        while not done:
            try:
                done = yield from flush(self.client, self.client.timeout)
            except OSError as error:
                done, lost = True, error
            # Whoever closes early may have said why, and that may have been read already.
            while isinstance(event := self.client.next_event(), Reply):
                if event.negative:
                    return event
            if lost is not None:
                raise ConnectionLost(f"the link broke within the content: {lost}") from lost
            if isinstance(event, ConnectionClosed):
                raise ConnectionLost("the server closed the connection within the content")
        return None

    def _results(self) -> Flow[None]:
        """Read what became of the message: one reply, or on LMTP one for each recipient."""
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
        """Send the content in chunks if there is somebody to have it."""
        if self.open:
            yield from self._chunks()
        elif mail.positive:
            yield from self._abandon()

    def _chunks(self) -> Flow[None]:
        """The content in chunks: in one where all of it is there, else as it comes."""
        text = None if self.plan.binary else CountedText(self.client.line_endings)
        octets = self.source.octets
        if octets is not None:
            if text is not None:
                octets = text.feed(octets) + text.finish()
        else:
            octets = yield from self._all_but_the_last(text)
        if octets is not None:
            yield from self._last(octets)
        yield from self._abandon()

    def _all_but_the_last(self, text: CountedText | None) -> Flow[bytes | None]:
        """Send chunks as they come; the octets of the last one, or None if one was refused."""
        client = self.client
        unanswered = _CHUNKS_UNANSWERED if self.plan.pipelined else 0
        chunk = b""
        while (following := (yield from self.source.next())) is not None:
            if text is not None:
                following = text.feed(following)
            if chunk:
                refusal = yield from self._chunk(chunk, unanswered)
                if refusal is not None:
                    self._decide_for_all(refusal)
                    return None
            chunk = following
        # The end of the content is announced once it is known that nothing before it was refused.
        while client.pending:
            reply = yield from self._reply()
            if reply.negative:
                self._decide_for_all(reply)
                return None
        return chunk + (text.finish() if text is not None else b"")

    def _chunk(self, octets: bytes, unanswered: int) -> Flow[Reply | None]:
        """Send one chunk that is not the last; the refusal of it or of one before."""
        client = self.client
        client.send(Bdat(len(octets)))
        client.send(ContentChunk(octets))
        refusal = yield from self._write()
        while refusal is None and client.pending > unanswered:
            reply = yield from self._reply()
            refusal = reply if reply.negative else None
        return refusal

    def _last(self, octets: bytes) -> Flow[None]:
        """Send the last chunk, and read what became of the message."""
        client, refusal = self.client, None
        client.send(Bdat(len(octets), last=True))
        for at in range(0, len(octets), CHUNK):
            client.send(ContentChunk(octets[at : at + CHUNK]))
            self.ended = at + CHUNK >= len(octets)
            # What was announced is sent to its end, also where nobody wants it any more.
            refusal = refusal or (yield from self._write())
            if client.state is State.CLOSED:
                break
        self.ended = True
        if refusal is not None:
            self._decide_for_all(refusal)
        else:
            yield from self._results()
