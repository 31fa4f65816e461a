"""Show a whole conversation: a server, a client, and real messages between them."""

from __future__ import annotations

import tempfile
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import TYPE_CHECKING

from .. import sync
from ..conversations import ServerTLS, TLSMode, TLSPolicy, Transcript
from ..mailboxes import MaildirStore
from ..testing.certificates import Certificates
from ..vocabulary.paths import ForwardPath
from ..vocabulary.replies import Reply
from .common import need, outcome_line
from .sinks import Receiver, storing
from .terminal import say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from ..conversations import Delivery
    from ..vocabulary.commands import Rcpt
    from ..vocabulary.session_facts import Session, TLSFacts

STATUS = "0 if all went as it should, otherwise 1"
SERVER = "mail.example.com"
CLIENT = "client.example.org"
MAILBOXES = frozenset(
    ForwardPath.of(text) for text in ("alice@example.com", "bob@example.com", "postmaster")
)
FULL = ForwardPath.of("full@example.com")
# Lines of each message to show.
SHOWN = 60


class _Inbox(Receiver):
    """Stores mail for existing mailboxes and refuses the others."""

    def rcpt(self, session: Session, rcpt: Rcpt) -> Reply | None:
        """Accept existing mailboxes only."""
        if rcpt.forward_path in MAILBOXES:
            return None
        if rcpt.forward_path == FULL:
            return Reply(452, "4.2.2", "mailbox full")
        return Reply(550, "5.1.1", "no such mailbox here")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--tls",
        action="store_true",
        help="show STARTTLS, then TLS from the start, with a throw-away certificate (needs the "
        "package trustme)",
    )
    parser.add_argument(
        "--maildir", metavar="DIR", help="keep the messages; default: they are only shown"
    )


def with_attachment() -> EmailMessage:
    """Return a MIME message with an attachment."""
    message = _message("Eve Example <eve@example.org>", "Alice <alice@example.com>", "The figures")
    message.set_content("Hello Alice,\n\nhere they are.\n.\nThe dot above is part of the text.\n")
    message.add_attachment(
        b"month,kg\n" + b"".join(b"%d,%d\n" % (month, month * 7) for month in range(1, 13)),
        maintype="text",
        subtype="csv",
        filename="figures.csv",
    )
    return message


def to_many() -> EmailMessage:
    """Return a message to existing and to refused recipients."""
    recipients = "alice@example.com, nobody@example.com, bob@example.com, full@example.com"
    message = _message("eve@example.org", recipients, "Lunch")
    message.set_content("At noon?\n")
    return message


def _message(sender: str, recipients: str, subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, recipients, subject
    # The other fields that RFC 5322 section 3.6 requires, or asks for.
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=CLIENT)
    return message


def run(options: argparse.Namespace) -> int:
    """Run the demonstration; see `STATUS`."""
    if options.tls:
        need("trustme", "demo --tls")
    if options.maildir:
        return _show_all(options, Path(options.maildir))
    with tempfile.TemporaryDirectory(prefix="smtpproto-demo-") as folder:
        return _show_all(options, Path(folder, "Maildir"))


def _show_all(options: argparse.Namespace, maildir: Path) -> int:
    before = set(maildir.glob("new/*"))
    inbox = _Inbox(storing(MaildirStore(maildir)))
    messages = (with_attachment(), to_many())
    if options.tls:
        modes = ((ServerTLS.STARTTLS, TLSMode.STARTTLS), (ServerTLS.IMPLICIT, TLSMode.IMPLICIT))
        made = Certificates(SERVER)
        deliveries = []
        for (server_tls, tls), message in zip(modes, messages, strict=True):
            deliveries += _session(inbox, [message], server_tls, tls, made)
            say("")
    else:
        deliveries = _session(inbox, messages)
        say("")
    stored = sorted(set(maildir.glob("new/*")) - before)
    removed = "" if options.maildir else " (removed at the end; --maildir DIR keeps them)"
    say(f"# stored in {maildir / 'new'}{removed}:")
    for path in stored:
        say(f"{path.name}  {path.stat().st_size} octets")
    say("\n# one line for each recipient:")
    for number, delivery in enumerate(deliveries, 1):
        for outcome in delivery.outcomes:
            say(f"message {number}  {outcome_line(outcome)}")
    found = [len(delivery.accepted) for delivery in deliveries]
    return 0 if found == [1, 2] and len(stored) == len(deliveries) else 1


def _session(
    inbox: _Inbox,
    messages: Iterable[EmailMessage],
    server_tls: ServerTLS = ServerTLS.NONE,
    tls: TLSMode = TLSMode.NONE,
    made: Certificates | None = None,
) -> list[Delivery]:
    """Start a server on a free port of the loopback address, and send it messages.

    The client prints the whole conversation.
    """
    context = None if made is None else made.server_context()
    with sync.serve(inbox, hostname=SERVER, tls=server_tls, tls_context=context) as server:
        how = "" if made is None else f", TLS begins {server_tls.value}"
        say(f"# a server on 127.0.0.1:{server.port}{how}\n")
        with sync.connect(
            "127.0.0.1",
            server.port,
            name=CLIENT,
            tls=tls,
            tls_context=None if made is None else made.client_context(),
            server_hostname=SERVER,
            policy=None if made is None else TLSPolicy(hosts=(SERVER,), check=_show),
            observer=Transcript(say, content=SHOWN),
        ) as client:
            return [client.send_message(message) for message in messages]


def _show(facts: TLSFacts) -> None:
    """Print that a handshake took place."""
    name = facts.peer_names[0]
    say(f"# TLS handshake: {facts.version}, {facts.cipher}, a certificate for {name}")
