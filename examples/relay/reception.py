"""What the relay accepts, and from which clients."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Container
from dataclasses import dataclass, replace

from examples.dane_and_mta_sts import mail_exchangers
from examples.names import NotNow, Resolver
from smtpproto import ForwardPath, Rcpt, Reply, Session
from smtpproto import extensions as ext
from smtpproto.sync import Envelope
from smtpproto.vocabulary.replies import DOMAIN_ACCEPTS_NO_MAIL

from .store import Store, domain_of

MOST_HOPS = 100  # RFC 5321 section 6.3
RECEIVED = re.compile(rb"^received[ \t]*:", re.IGNORECASE | re.MULTILINE)
LOOP = Reply(554, "5.4.6", "too many servers have received this message: it is in a loop")
NOT_FOR_YOU = Reply(550, "5.7.1", "this server relays for its own networks and domains only")
# The relay passes on what these allow.
EXTENSIONS = (
    *(ext.Size(25 * 1024 * 1024), ext.EightBitMime(), ext.Pipelining(), ext.Chunking()),
    *(ext.EnhancedStatusCodes(), ext.SmtpUtf8(), ext.Dsn(), ext.RequireTls()),
)


@dataclass(frozen=True)
class Reception:
    """The handler of the relay's server."""

    store: Store
    resolver: Resolver
    networks: Container[str]  # of clients that may send to every domain
    domains: Container[str]  # to which every client may send
    postmaster: ForwardPath  # who gets what is for <postmaster> (RFC 5321 section 4.5.1)
    stored: threading.Event  # is set after each message

    def rcpt(self, session: Session, rcpt: Rcpt) -> Reply | None:
        domain = domain_of(rcpt)
        if domain and session.peer not in self.networks and domain not in self.domains:
            return NOT_FOR_YOU
        try:
            takes_mail = not domain or mail_exchangers(self.resolver, domain).takes_mail
        except NotNow:
            return None  # the message can wait in the queue
        return None if takes_mail else DOMAIN_ACCEPTS_NO_MAIL

    def message(self, session: Session, envelope: Envelope, content: bytes) -> Reply:
        if len(RECEIVED.findall(content.partition(b"\r\n\r\n")[0])) > MOST_HOPS:
            return LOOP
        recipients = tuple(
            rcpt if domain_of(rcpt) else replace(rcpt, forward_path=self.postmaster)
            for rcpt in envelope.recipients
        )
        number = self.store.add(Envelope(envelope.mail, recipients), content, time.time())
        self.stored.set()
        return Reply(250, "2.0.0", f"queued as {number}")
