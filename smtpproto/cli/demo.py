"""Show a whole conversation: a server, a client, and real messages between them."""

from __future__ import annotations

import contextlib
import ssl
import tempfile
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import TYPE_CHECKING

from .. import sync
from ..adapters.tls_contexts import client_context, server_context
from ..conversations import ServerTLS, TLSMode, TLSPolicy, Transcript
from ..mailboxes import MaildirStore
from ..vocabulary.paths import ForwardPath
from ..vocabulary.replies import Reply
from .common import need, outcome_line
from .sinks import Receiver, storing
from .terminal import say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ..conversations import Delivery
    from ..vocabulary.commands import Rcpt
    from ..vocabulary.session_facts import Session, TLSFacts

__all__ = ["STATUS", "add_arguments", "run"]

STATUS = "0 if all went as it should, otherwise 1"
SERVER = "mail.example.com"
CLIENT = "client.example.org"
MAILBOXES = frozenset(
    ForwardPath.of(text) for text in ("alice@example.com", "bob@example.com", "postmaster")
)
FULL = ForwardPath.of("full@example.com")
# Lines of each message to show.
SHOWN = 60


class Inbox(Receiver):
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
    message = EmailMessage()
    message["From"] = "Eve Example <eve@example.org>"
    message["To"] = "Alice <alice@example.com>"
    message["Subject"] = "The figures"
    _complete(message)
    message.set_content("Hello Alice,\n\nhere they are.\n.\nThe dot above is part of the text.\n")
    message.add_attachment(
        b"month,kg\n" + b"".join(b"%d,%d\n" % (month, month * 7) for month in range(1, 13)),
        maintype="text",
        subtype="csv",
        filename="figures.csv",
    )
    return message


def _complete(message: EmailMessage) -> None:
    """Add the other fields that RFC 5322 section 3.6 requires."""
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=CLIENT)


def to_many() -> EmailMessage:
    """Return a message to existing and to refused recipients."""
    message = EmailMessage()
    message["From"] = "eve@example.org"
    message["To"] = "alice@example.com, nobody@example.com, bob@example.com, full@example.com"
    message["Subject"] = "Lunch"
    _complete(message)
    message.set_content("At noon?\n")
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
    if options.tls:
        deliveries = _with_tls(maildir)
    else:
        with _server(maildir) as server, _client(server.port) as client:
            deliveries = [
                client.send_message(message) for message in (with_attachment(), to_many())
            ]
    stored = sorted(set(maildir.glob("new/*")) - before)
    say(f"\n# stored in {maildir / 'new'}:")
    for path in stored:
        say(f"{path.name}  {path.stat().st_size} octets")
    say("\n# one line for each recipient:")
    for number, delivery in enumerate(deliveries, 1):
        for outcome in delivery.outcomes:
            say(f"message {number}  {outcome_line(outcome)}")
    found = [len(delivery.accepted) for delivery in deliveries]
    return 0 if found == [1, 2] and len(stored) == len(deliveries) else 1


def _with_tls(maildir: Path) -> list[Delivery]:
    """Send the first message with STARTTLS, the second with TLS from the start."""
    from .certificate import throw_away

    with throw_away(SERVER) as files:
        certificate = server_context(files.certificate, files.key)
        trusting = client_context()
        trusting.load_verify_locations(files.authority)
        with (
            _server(maildir, ServerTLS.STARTTLS, certificate) as server,
            _client(server.port, TLSMode.STARTTLS, trusting) as client,
        ):
            deliveries = [client.send_message(with_attachment())]
        say("")
        with (
            _server(maildir, ServerTLS.IMPLICIT, certificate) as server,
            _client(server.port, TLSMode.IMPLICIT, trusting) as client,
        ):
            deliveries.append(client.send_message(to_many()))
    return deliveries


def _server(
    maildir: Path, tls: ServerTLS = ServerTLS.NONE, context: ssl.SSLContext | None = None
) -> sync.Server:
    """Start a server on a free port of the loopback address."""
    inbox = Inbox(storing(MaildirStore(maildir)))
    server = sync.serve(inbox, hostname=SERVER, tls=tls, tls_context=context)
    how = "" if tls is ServerTLS.NONE else f", TLS begins {tls.value}"
    say(f"# a server on 127.0.0.1:{server.port}{how}\n")
    return server


@contextlib.contextmanager
def _client(
    port: int, tls: TLSMode = TLSMode.NONE, context: ssl.SSLContext | None = None
) -> Iterator[sync.Client]:
    """Start a client that prints the whole conversation."""
    with sync.connect(
        "127.0.0.1",
        port,
        name=CLIENT,
        tls=tls,
        tls_context=context,
        server_hostname=SERVER,
        policy=None if tls is TLSMode.NONE else TLSPolicy(hosts=(SERVER,), check=_show),
        observer=Transcript(say, content=SHOWN),
    ) as client:
        yield client


def _show(facts: TLSFacts) -> None:
    """Print that a handshake took place."""
    names = ", ".join(map(str, facts.peer_names))
    say(f"# TLS handshake: {facts.version}, {facts.cipher}, a certificate for {names}")
