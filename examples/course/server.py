"""A server for the exercises: each mailbox of it shows another reply code.

Run it as `python3 -m examples.course.server 8025`, and stop it with Ctrl-C.  It prints the messages
that it gets.
examples/postfix/error_codes.sh sets up a Postfix that replies with the same codes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from smtpproto import ForwardPath, Mail, Rcpt, Reply, ReversePath, Session, sync
from smtpproto.conversations import Envelope, Handler

ALICE = ForwardPath.of("alice@example.com")
BUSY = ForwardPath.of("busy@example.com")
BOSS = ReversePath.of("boss@example.com")


class Mailboxes(Handler):
    """Alice's mailbox takes mail; the others have reasons to refuse it.

    Arguments:
        busy: how often the mailbox <busy@example.com> is busy before it takes mail.
        show: called with a text about each message.
    """

    def __init__(self, busy: int = 1, show: Callable[[str], None] = lambda _: None) -> None:
        self.busy = busy
        self.show = show
        self.messages: list[tuple[Envelope, bytes]] = []

    def mail(self, session: Session, mail: Mail) -> Reply | None:
        if mail.reverse_path == BOSS and session.identity is None:
            return Reply(553, "5.7.1", "<boss@example.com>: not yours, you are not logged in")
        return None

    def rcpt(self, session: Session, rcpt: Rcpt) -> Reply | None:
        if rcpt.forward_path == ALICE:
            return None
        if rcpt.forward_path == BUSY:
            self.busy -= 1
            return None if self.busy < 0 else Reply(450, "4.2.1", "mailbox busy, try again later")
        return Reply(550, "5.1.1", f"{rcpt.forward_path}: no such mailbox here")

    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        self.messages.append((envelope, content))
        self.show(
            f"\nfrom {envelope.reverse_path} to {', '.join(map(str, envelope.forward_paths))}"
        )
        self.show(content.decode("utf-8", "backslashreplace").replace("\r\n", "\n"))


def serve(
    port: int = 0,
    *,
    busy: int = 1,
    sessions: int = 1000,
    show: Callable[[str], None] = lambda _: None,
) -> sync.Server:
    """Start the server.

    Arguments:
        port: of 127.0.0.1; 0 for any free one.
        busy, show: see `Mailboxes`.
        sessions: how many there may be at once; the server replies 421 to further clients.
    """
    admission = sync.Admission(most=sessions)
    return sync.serve(
        Mailboxes(busy, show), port=port, hostname="mx.example.com", admission=admission
    )


if __name__ == "__main__":
    with serve(int(sys.argv[1]), show=print) as running:
        print(f"listening on 127.0.0.1:{running.port}; Ctrl-C stops it")
        try:
            running.wait()
        except KeyboardInterrupt:
            print("stopped")
