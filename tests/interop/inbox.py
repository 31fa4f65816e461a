"""Our own server as a peer of the others: it keeps what it was given."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from smtpproto import Rcpt, Rejected, Reply, Session
from smtpproto.conversations import Envelope

REFUSED = "nobody"


@dataclass
class Mail:
    """One message that arrived."""

    session: Session
    envelope: Envelope
    content: bytes

    @property
    def recipients(self) -> list[str]:
        return [str(path.mailbox) for path in self.envelope.forward_paths]


@dataclass
class Inbox:
    """A handler that takes everything but what is for a local-part called nobody.

    Attributes:
        over: the sessions that ended, as they were at their end.
    """

    mails: list[Mail] = field(default_factory=list)
    rejected_by_core: list[Rejected] = field(default_factory=list)
    over: list[Session] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)

    def rcpt(self, session: Session, rcpt: Rcpt) -> Reply | None:
        mailbox = rcpt.forward_path.mailbox
        if mailbox is not None and mailbox.local_part == REFUSED:
            return Reply(550, "5.1.1", "no such mailbox here")
        return None

    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        self.mails.append(Mail(session, envelope, content))
        self.arrived.set()

    def rejected(self, session: Session, rejected: Rejected) -> None:
        self.rejected_by_core.append(rejected)

    def closed(self, session: Session) -> None:
        self.over.append(session)

    def clear(self) -> None:
        """Forget what has arrived."""
        self.mails.clear()
        self.rejected_by_core.clear()
        self.over.clear()
        self.arrived.clear()

    def one(self, timeout: float = 20) -> Mail:
        """The only message, once it is there."""
        assert self.arrived.wait(timeout)
        (mail,) = self.mails
        return mail
