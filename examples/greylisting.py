"""Greylisting: a server asks unknown hosts to try again later.

Run it as `python examples/greylisting.py`.  The server refuses a new triplet of client
network, reverse-path and forward-path with 451.  It accepts the triplet after a while.  So `rcpt`
needs the sender (`session.transaction`) and the address of the client (`session.peer`).  A counter
in `session.state` ends sessions with too many new recipients.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable

from smtpproto import Rcpt, Reply, Session, sync
from smtpproto.conversations import Envelope, Handler

DELAY = 300.0
MOST_NEW = 2

LATER = Reply(451, "4.7.1", "greylisted, try again in some minutes")
TOO_MANY = Reply(421, "4.7.1", "too many new recipients, try again later")

Triplet = tuple[str, str, str]


class Greylist(Handler):
    """Refuses new triplets.

    Arguments:
        clock: gives seconds.
        delay: seconds until a triplet is no longer new.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, delay: float = DELAY) -> None:
        self.clock = clock
        self.delay = delay
        # A real server keeps this in a database, and removes old entries.
        self.first_seen: dict[Triplet, float] = {}
        self.inbox: list[tuple[Envelope, bytes]] = []

    def connect(self, session: Session) -> None:
        session.state["new"] = 0

    def rcpt(self, session: Session, rcpt: Rcpt) -> Reply | None:
        assert session.transaction is not None
        reverse_path = session.transaction.mail.reverse_path
        triplet = (network(session.peer), str(reverse_path), str(rcpt.forward_path))
        now = self.clock()
        if now - self.first_seen.setdefault(triplet, now) >= self.delay:
            return None
        session.state["new"] += 1
        return LATER if session.state["new"] <= MOST_NEW else TOO_MANY

    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        self.inbox.append((envelope, content))


def network(address: str) -> str:
    """The client's network: large senders try again from another host of the same network."""
    ip = ipaddress.ip_address(address)
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 64), strict=False))


def main() -> None:
    now = 0.0
    handler = Greylist(clock=lambda: now)
    with sync.serve(handler) as server:

        def send(*recipients: str) -> list[str]:
            envelope = Envelope.of("eve@example.org", recipients)
            with sync.connect("127.0.0.1", server.port) as client:
                delivery = client.send(envelope, b"Subject: hello\r\n\r\nHello.\r\n")
            found = [f"{each.forward_path} {each.reply}" for each in delivery.outcomes]
            print(f"after {now:3.0f} seconds:", *found, sep="\n  ")
            return found

        first = send("alice@example.com")
        now = 60.0
        too_early = send("alice@example.com")
        now = 301.0
        known = send("alice@example.com", "bob@example.com")
        many = send(*(f"user{number}@example.com" for number in range(3)))
    assert first == too_early == [f"<alice@example.com> {LATER}"]
    assert known == ["<alice@example.com> 250 2.0.0 OK", f"<bob@example.com> {LATER}"]
    assert many[2].endswith(str(TOO_MANY))
    assert [len(envelope.recipients) for envelope, _ in handler.inbox] == [1]


if __name__ == "__main__":
    main()
