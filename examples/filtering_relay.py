"""A relay in front of a mail server: it looks at each message, and passes it on while it arrives.

Run it as `python examples/filtering_relay.py`.  It queues nothing: the client gets the
reply of the server behind it, so either the client or that server is responsible for the message.

`python examples/filtering_relay.py PORT NEXT_PORT` listens on a port until it is killed;
examples/postfix/content_filter.sh puts it between two Postfix instances.  Postfix tells such a
filter with XFORWARD where a message came from, and the filter passes that on.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from email import message_from_bytes

from smtpproto import ForwardPath, Rcpt, Reply, Session, sync
from smtpproto.conversations import Envelope, SMTPError, Status
from smtpproto.extensions import ForwardedClient, XForward, XForwardCommand, standard

UNWANTED = b"X5O!P%@AP[4"
TRY_LATER = Reply(451, "4.4.1", "the server behind does not answer")


class Relay:
    """A handler that refuses what is unwanted, and marks the rest."""

    def __init__(self, port: int) -> None:
        self.pool = sync.Pool("127.0.0.1", port)

    def content(
        self, session: Session, envelope: Envelope, chunks: Iterator[bytes]
    ) -> Reply | None:
        mark = f"X-Filtered: for {session.peer}\r\n".encode()
        try:
            with self.pool.connection() as client:
                origin = session.get(ForwardedClient)
                if origin is not None and XForward in client.offered:
                    client.command(XForwardCommand(origin.attributes))
                delivery = client.send(envelope, itertools.chain([mark], self.clean(chunks)))
        except Unwanted:
            return Reply(550, "5.7.1", "we do not want this")
        except (OSError, SMTPError) as error:
            print("the server behind:", error)
            return TRY_LATER
        if delivery.complete:
            return None
        # SMTP has one reply for all recipients; LMTP has one for each.
        for outcome in delivery.outcomes:
            if outcome.status is not Status.ACCEPTED:
                return outcome.reply or TRY_LATER
        raise AssertionError

    def clean(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The same chunks; raise Unwanted, so that the message stays incomplete."""
        tail = b""
        for chunk in chunks:
            # The unwanted octets may begin in one chunk and end in the next.
            if UNWANTED in tail + chunk:
                raise Unwanted
            tail = (tail + chunk)[1 - len(UNWANTED) :]
            yield chunk


class Unwanted(Exception):
    """The message is unwanted; raised before it is complete on the server behind."""


class Inbox:
    """The server behind."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def rcpt(self, session: Session, rcpt: Rcpt) -> Reply | None:
        full = rcpt.forward_path == ForwardPath.of("full@example.com")
        return Reply(452, "4.2.2", "mailbox full") if full else None

    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        self.messages.append(content)


def main() -> None:
    inbox = Inbox()
    with sync.serve(inbox) as behind:
        relay = Relay(behind.port)
        with sync.serve(relay) as front, sync.connect("127.0.0.1", front.port) as client:
            for recipient, text in [
                ("alice@example.com", b"hello"),
                ("alice@example.com", b"EICAR: " + UNWANTED),
                ("full@example.com", b"hello"),
            ]:
                envelope = Envelope.of("eve@example.org", [recipient])
                delivery = client.send(envelope, b"Subject: x\r\n\r\n" + text + b"\r\n")
                print(recipient, text, "->", delivery.outcomes[0].reply)
        relay.pool.close()
    (message,) = map(message_from_bytes, inbox.messages)
    # Each server on the way writes a Received field.
    assert message.keys() == ["Received", "X-Filtered", "Received", "Subject"]
    assert message.get_payload() == "hello\r\n"


def listen(port: str, next_port: str) -> None:
    """Filter what comes to a port of 127.0.0.1, and pass it on to another port."""
    # Only a server that logs on our behalf may tell us who its client is.
    xforward = XForward(sync.TrustedNetworks(["127.0.0.0/8"]))
    extensions = (*standard(), xforward)
    with sync.serve(Relay(int(next_port)), port=int(port), extensions=extensions) as server:
        server.wait()


if __name__ == "__main__":
    listen(*sys.argv[1:]) if sys.argv[1:] else main()
