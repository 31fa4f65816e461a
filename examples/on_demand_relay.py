"""Mail for a customer without an address of its own: ATRN turns the connection round (RFC 2645).

The customer connects to the provider, logs in and asks; then the provider, who was the server, is
the client and sends what waits, over the same connection.  Run it as
`python examples/on_demand_relay.py`.
"""

from __future__ import annotations

import secrets
from collections import deque

from smtpproto import Command, Reply, Session, sync
from smtpproto.conversations import Delivery, Envelope, Handler, TLSMode, Transcript
from smtpproto.extensions import Atrn, Auth, OnDemandRelay, Turned, standard
from smtpproto.extensions.atrn import NO_MAIL, TURN_REFUSED
from smtpproto.sasl import Credentials, Users

# Whose mail a user may fetch.
DOMAINS = {"customer": {"customer.example"}}


class Provider(Handler):
    """Keeps mail until it is fetched."""

    def __init__(self) -> None:
        self.queues: dict[str, deque[tuple[Envelope, bytes]]] = {}

    def keep(self, envelope: Envelope, content: bytes) -> None:
        """Put a message into the queue of its first recipient's domain."""
        mailbox = envelope.forward_paths[0].mailbox
        assert mailbox is not None
        self.queues.setdefault(str(mailbox.domain), deque()).append((envelope, content))

    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        self.keep(envelope, content)

    def command(self, session: Session, command: Command) -> Reply | None:
        """May this user have that mail, and is there any?"""
        assert isinstance(command, Atrn)
        own = DOMAINS.get(session.identity or "", set())
        asked = {str(domain) for domain in command.domains} or own
        if not asked <= own:
            return TURN_REFUSED
        return None if any(self.queues.get(domain) for domain in asked) else NO_MAIL

    def waiting(self, session: Session) -> tuple[Envelope, bytes] | None:
        """The next message; until one is delivered it stays in its queue."""
        turned = session.get(Turned)
        assert turned is not None
        asked = [str(domain) for domain in turned.domains] or DOMAINS[turned.identity or ""]
        return next((self.queues[domain][0] for domain in asked if self.queues.get(domain)), None)

    def relayed(self, session: Session, delivery: Delivery) -> None:
        """It is delivered, or refused for good: in earnest a report would go to the sender."""
        print("   the provider hears:", [each.status.name for each in delivery.outcomes])
        mailbox = delivery.outcomes[0].forward_path.mailbox
        assert mailbox is not None
        self.queues[str(mailbox.domain)].popleft()


class Customer(Handler):
    """Takes its own mail."""

    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        print("   the customer gets:", content.decode().splitlines()[0])


def main() -> None:
    provider = Provider()
    for number in (1, 2):
        envelope = Envelope.of("friend@example.org", "user@customer.example")
        provider.keep(envelope, b"Subject: letter %d\r\n\r\nHello.\r\n" % number)
    with sync.serve(
        provider,
        hostname="provider.example",
        extensions=[*standard(), OnDemandRelay(), Auth()],
        users=Users({"customer": "secret"}, secret=secrets.token_bytes(32)),
    ) as server:
        for domains in ([], ["customer.example"], ["somebody-else.example"]):
            with sync.connect(
                "127.0.0.1",
                server.port,
                name="customer.example",
                credentials=Credentials(username="customer", password="secret"),
                # SCRAM keeps the password to itself; in earnest TLS would protect the mail as well.
                tls=TLSMode.NONE,
                observer=Transcript(print) if domains else None,
            ) as client:
                print("fetching", domains or "everything")
                print("->", client.fetch(Customer(), domains))


if __name__ == "__main__":
    main()
