"""A large message over a link that breaks: CHECKPOINT sends only what is missing (RFC 1845).

The server saves what came before the link was lost, under the name that the client gave the mail
transaction; the client says the same name again, and learns where to go on.  Run it as
`python examples/interrupted_transfer.py`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from smtpproto import Mail, Rcpt, Session, sync
from smtpproto.conversations import ContentLost, Delivery, Envelope, Handler
from smtpproto.extensions import Checkpoint, TransactionId, standard

MESSAGE = b"Subject: large\r\n\r\n" + b"All of this again, because of the last line?\r\n" * 40_000


class Saver(Handler):
    """Keeps a file for each mail transaction that has a name, until it is complete."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recipients: dict[Path, tuple[Rcpt, ...]] = {}
        self.received = b""

    def file(self, mail: Mail) -> Path:
        """Where a mail transaction is saved: another sender's name is another one."""
        name = mail.get(TransactionId)
        unique = f"{mail.reverse_path} {name.name if name else ''}"
        return self.folder / sha256(unique.encode()).hexdigest()

    def resume(self, session: Session, mail: Mail) -> tuple[tuple[Rcpt, ...], int] | None:
        """What is there of this mail transaction."""
        file = self.file(mail)
        if file not in self.recipients:
            return None
        return self.recipients[file], file.stat().st_size

    def body(self, session: Session, envelope: Envelope, chunks: Iterator[bytes]) -> None:
        """Write down what comes, behind what was there before."""
        file = self.file(envelope.mail)
        goes_on = file in self.recipients
        with file.open("ab" if goes_on else "wb") as octets:
            try:
                for chunk in chunks:
                    octets.write(chunk)
            except ContentLost:
                octets.flush()
                keep_whole_lines(file)
                self.recipients[file] = envelope.recipients
                raise
        self.recipients.pop(file, None)
        self.received = file.read_bytes()
        file.unlink()


def keep_whole_lines(file: Path) -> None:
    """An offset is at the end of a line."""
    octets = file.read_bytes()
    file.write_bytes(octets[: octets.rfind(b"\r\n") + 2] if b"\r\n" in octets else b"")


def broken_after(octets: int) -> Iterator[bytes]:
    """The content as a stream whose source fails."""
    yield MESSAGE[:octets]
    raise ConnectionResetError("the line was cut")


def deliver(port: int, content: bytes | Iterator[bytes]) -> Delivery:
    """The same message, whenever it is tried."""
    plain = Envelope.of("eve@example.org", ["alice@example.com", "bob@example.com"])
    mail = Mail(plain.reverse_path, (TransactionId("message-1@example.org"),))
    with sync.connect("127.0.0.1", port, name="client.example.org") as client:
        return client.send(Envelope(mail, plain.recipients), content)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        saver = Saver(Path(folder))
        offers = [*standard(), Checkpoint()]
        with sync.serve(saver, hostname="mx.example.com", extensions=offers) as server:
            try:
                deliver(server.port, broken_after(1_000_000))
            except ConnectionResetError as error:
                print("the first time:", error)
        # As if the server had been away meanwhile, too.
        with sync.serve(saver, hostname="mx.example.com", extensions=offers) as server:
            saved = sum(file.stat().st_size for file in Path(folder).iterdir())
            print(f"{saved:,} of {len(MESSAGE):,} octets were saved")
            delivery = deliver(server.port, MESSAGE)
        print("the second time:", [each.status.name for each in delivery.outcomes])
        print("all of it is there:", saver.received == MESSAGE)


if __name__ == "__main__":
    main()
