"""Show a whole conversation: a server, a client, and real messages between them."""

from __future__ import annotations

import tempfile
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING

from .. import sync
from ..conversations import Transcript
from ..replies import Reply
from ..stores import MaildirStore
from .common import outcome_line, say
from .serve import Store

if TYPE_CHECKING:
    import argparse

    from ..commands import Rcpt
    from ..session import Session

__all__ = ["add_arguments", "run"]

MAILBOXES = ("alice@example.com", "bob@example.com")


class Inbox(Store):
    """Stores mail for the mailboxes there are, and refuses the others."""

    def rcpt(self, session: Session, rcpt: Rcpt) -> Reply | None:
        """Is there such a mailbox?"""
        mailbox = str(rcpt.forward_path.mailbox)
        if mailbox in MAILBOXES:
            return None
        if mailbox == "full@example.com":
            return Reply(452, "4.2.2", "mailbox full")
        return Reply(550, "5.1.1", "no such mailbox here")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""


def with_attachment() -> EmailMessage:
    """A MIME message with an attachment."""
    message = EmailMessage()
    message["From"] = "Eve Example <eve@example.org>"
    message["To"] = "Alice <alice@example.com>"
    message["Subject"] = "The figures"
    message.set_content("Hello Alice,\n\nhere they are.\n.\nThe dot above is part of the text.\n")
    message.add_attachment(
        b"month,kg\n" + b"".join(b"%d,%d\n" % (month, month * 7) for month in range(1, 13)),
        maintype="text",
        subtype="csv",
        filename="figures.csv",
    )
    return message


def to_many() -> EmailMessage:
    """A message to good recipients and to some that are refused."""
    message = EmailMessage()
    message["From"] = "eve@example.org"
    message["To"] = "alice@example.com, nobody@example.com, bob@example.com, full@example.com"
    message["Subject"] = "Lunch"
    message.set_content("At noon?\n")
    return message


def run(options: argparse.Namespace) -> int:
    """Run the demonstration; 0 if everything went as it should."""
    maildir = Path(tempfile.mkdtemp(prefix="smtpproto-demo-")) / "Maildir"
    deliveries = []
    with sync.serve(Inbox(MaildirStore(maildir)), hostname="mail.example.com") as server:
        say(f"# a server on 127.0.0.1:{server.port}, and a client that sends two messages\n")
        observer = Transcript(say, content=60)
        with sync.connect(
            "127.0.0.1", server.port, name="client.example.org", observer=observer
        ) as client:
            deliveries = [client.send_message(message) for message in (with_attachment(), to_many())]
    stored = sorted((maildir / "new").iterdir())
    say(f"\n# stored in {maildir / 'new'}:")
    for path in stored:
        say(f"{path.name}  {path.stat().st_size} octets")
    say("\n# one line for each recipient:")
    for number, delivery in enumerate(deliveries, 1):
        for outcome in delivery.outcomes:
            say(f"message {number}  {outcome_line(outcome)}")
    expected = [1, 2]
    found = [len(delivery.accepted) for delivery in deliveries]
    return 0 if found == expected and len(stored) == len(deliveries) else 1
