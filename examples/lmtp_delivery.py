"""Local delivery by LMTP (RFC 2033): the server sends one reply for each recipient.

Run it as `python examples/lmtp_delivery.py`.  Postfix and Exim deliver to such a server with
`lmtp:unix:PATH`; a Unix socket needs no TLS, because it stays on this machine.

`python examples/lmtp_delivery.py PORT FOLDER [QUOTA]` listens on a port until it is killed;
examples/postfix/lmtp_delivery.sh lets Postfix deliver to it.
"""

from __future__ import annotations

import mailbox
import sys
import tempfile
from pathlib import Path

from smtpproto import Protocol, Rcpt, Reply, Session, sync
from smtpproto.conversations import Envelope
from smtpproto.mailboxes import FinalDelivery, MaildirStore

QUOTA = 1_000


class LocalDelivery:
    """A Maildir for each user.

    Arguments:
        folder: where the Maildirs are.
        quota: the octets that a user may keep.
    """

    def __init__(self, folder: Path, quota: int = QUOTA) -> None:
        self.quota = quota
        self.stores = {name: MaildirStore(folder / name) for name in ("alice", "bob", "carol")}

    def rcpt(self, session: Session, rcpt: Rcpt) -> Reply | None:
        # A local part is case-sensitive (RFC 5321 section 2.4), so "Alice@…" is another user.
        user = str(rcpt.forward_path.mailbox).partition("@")[0]
        return None if user in self.stores else Reply(550, "5.1.1", "no such user here")

    def message(self, session: Session, envelope: Envelope, content: bytes) -> list[Reply | None]:
        return [self.deliver(rcpt, envelope, content) for rcpt in envelope.recipients]

    def deliver(self, rcpt: Rcpt, envelope: Envelope, content: bytes) -> Reply | None:
        """Deliver to one user; None if that worked."""
        name = str(rcpt.forward_path.mailbox).partition("@")[0]
        store = self.stores[name]
        used = sum(file.stat().st_size for file in (store.path / "new").iterdir())
        if used + len(content) > self.quota:
            return Reply(552, "5.2.2", f"no room for {name}")
        delivery: FinalDelivery
        with store.open(str(envelope.reverse_path.mailbox or "")) as delivery:
            delivery.write(content)
            delivery.commit()
        return None


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        socket = str(folder / "lmtp")
        handler = LocalDelivery(folder)
        with (
            sync.serve(handler, path=socket, protocol=Protocol.LMTP),
            sync.connect(path=socket, protocol=Protocol.LMTP) as client,
        ):
            recipients = [f"{user}@example.com" for user in ("alice", "bob", "nobody")]
            for text in (b"short", b"long " * 150):
                delivery = client.send(
                    Envelope.of("eve@example.org", recipients),
                    b"Subject: " + text[:5] + b"\r\n\r\n" + text + b"\r\n",
                )
                for outcome in delivery.outcomes:
                    print(outcome.forward_path, outcome.status.name, outcome.reply)
                recipients[0] = "carol@example.com"
        subjects = {
            user: [message["Subject"] for message in mailbox.Maildir(folder / user)]
            for user in ("alice", "bob", "carol")
        }
    print(subjects)
    assert subjects == {"alice": ["short"], "bob": ["short"], "carol": ["long "]}


def listen(port: str, folder: str, quota: str = str(QUOTA)) -> None:
    """Deliver what comes to a port of 127.0.0.1."""
    handler = LocalDelivery(Path(folder), int(quota))
    with sync.serve(handler, port=int(port), protocol=Protocol.LMTP) as server:
        server.wait()


if __name__ == "__main__":
    listen(*sys.argv[1:]) if sys.argv[1:] else main()
