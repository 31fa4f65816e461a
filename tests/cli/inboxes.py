"""What the tests of the command line share: a server that keeps what it gets."""

from __future__ import annotations

from smtpproto import Rcpt, Reply, Session
from smtpproto.conversations import Envelope


class Inbox:
    """Takes what is not for nobody; a local-part full has no room for now."""

    def __init__(self) -> None:
        self.mails: list[tuple[Envelope, bytes]] = []

    @property
    def contents(self) -> list[bytes]:
        return [content for _, content in self.mails]

    def rcpt(self, session: Session, rcpt: Rcpt) -> Reply | None:
        local_part = str(rcpt.forward_path.mailbox).partition("@")[0]
        if local_part == "full":
            return Reply(452, "4.2.2", "mailbox full")
        return Reply(550, "5.1.1", "no such mailbox here") if local_part == "nobody" else None

    def message(self, session: Session, envelope: Envelope, content: bytes) -> Reply:
        self.mails.append((envelope, content))
        return Reply(250, "2.0.0", f"OK: queued as {len(self.mails)}")


class Forgetting:
    """Takes everything and keeps nothing."""

    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        pass
