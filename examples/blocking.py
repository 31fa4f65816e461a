"""A server and a client over blocking sockets.

Run it as `python examples/blocking.py`.
"""

from __future__ import annotations

from dataclasses import replace
from email.message import EmailMessage

from smtpproto import ForwardPath, Mail, Rcpt, Reply, Session, sync
from smtpproto.conversations import (
    Delivery,
    Envelope,
    Outcome,
    PoolLimits,
    SMTPError,
    Status,
    content_of,
    envelope_of,
)
from smtpproto.extensions import SizeParameter, standard


class Inbox:
    """A handler needs one of `message` and `content`; all other methods are optional."""

    # <alice@EXAMPLE.COM> is the same mailbox, and every server has a <postmaster>.
    mailboxes = frozenset(
        ForwardPath.of(text) for text in ("alice@example.com", "bob@example.com", "postmaster")
    )

    def __init__(self) -> None:
        self.subjects: list[str] = []

    def mail(self, session: Session, mail: Mail) -> None:
        declared = mail.get(SizeParameter)
        if declared is not None:
            print(f"{session.name} wants to send {declared.octets} octets")

    def rcpt(self, session: Session, rcpt: Rcpt) -> Reply | None:
        if rcpt.forward_path in self.mailboxes:
            return None  # accepted
        return Reply(550, "5.1.1", "no such mailbox here")

    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        # When this returns, this server is responsible for the message.
        (subject,) = (line for line in content.splitlines() if line.startswith(b"Subject:"))
        self.subjects.append(subject.decode())


def report(delivery: Delivery) -> None:
    outcome: Outcome
    for outcome in delivery.outcomes:
        print(outcome.forward_path, outcome.status.name, outcome.reply)
        if outcome.status is not Status.ACCEPTED:
            print(outcome.explain())


def main() -> None:
    message = EmailMessage()
    message["From"] = "Eve <eve@example.org>"
    message["To"] = "alice@example.com, nobody@example.com"
    message["Subject"] = "hello"
    message.set_content("Hello, Alice.\n")

    inbox = Inbox()
    with sync.serve(inbox, hostname="mx.example.com", extensions=standard(10_000)) as server:
        with sync.connect("127.0.0.1", server.port, name="client.example.org") as client:
            report(client.send_message(message))

            # The content may be a file or an iterable, of any size.
            envelope = Envelope.of("eve@example.org", ["bob@example.com"])
            parts = (part for part in (b"Subject: in parts\r\n", b"\r\n", b"one, two, three\r\n"))
            print("in parts:", client.send(envelope, parts).complete)

            # The steps of `send_message`.  Here MAIL gets a parameter.
            to_bob = envelope_of(message, recipients=["bob@example.com"])
            to_bob = replace(to_bob, mail=Mail(to_bob.reverse_path, (SizeParameter(200),)))
            content = content_of(message, client.offered)
            print("step by step:", client.send(to_bob, content).complete)

            print("there still:", client.noop())
            print("is alice there?", client.verify("alice"))

        # A pool keeps connections open for later use by any thread.
        bounds = PoolLimits(connections=5, idle=30.0)
        with sync.Pool("127.0.0.1", server.port, bounds=bounds) as pool:
            for number in (1, 2):
                with pool.connection() as client:
                    sent = client.send(envelope, b"Subject: number %d\r\n\r\n" % number)
                    print("number", number, "sent:", sent.complete)
    assert inbox.subjects == [
        "Subject: hello",
        "Subject: in parts",
        "Subject: hello",
        "Subject: number 1",
        "Subject: number 2",
    ]
    try:
        sync.connect("127.0.0.1", server.port, connect_timeout=5)
    except (OSError, SMTPError) as error:
        print("the server is gone:", error)


if __name__ == "__main__":
    main()
