"""Read the mail of an account by IMAP or POP3, and print it.

Run it as `python examples/dovecot/read_mail.py imap PORT USER PASSWORD`, or with pop3.
Both protocols give each message back as the octets that a server stored.  POP3 (RFC 1939) has one
list of messages; IMAP (RFC 9051) has folders, marks such as \\Seen, and leaves the mail on the
server.
"""

from __future__ import annotations

import email.policy
import imaplib
import poplib
import sys
from collections.abc import Iterator

HOST = "127.0.0.1"


def by_imap(port: int, user: str, password: str) -> Iterator[bytes]:
    """The messages in INBOX, which stay there."""
    with imaplib.IMAP4(HOST, port) as imap:
        imap.login(user, password)
        imap.select("INBOX", readonly=True)
        _, (numbers,) = imap.search(None, "ALL")
        for number in numbers.split():
            _, (answer, *_) = imap.fetch(number.decode(), "(BODY.PEEK[])")
            assert isinstance(answer, tuple)
            yield answer[1]


def by_pop3(port: int, user: str, password: str) -> Iterator[bytes]:
    """The messages, which stay on the server: only DELE would remove them."""
    pop3 = poplib.POP3(HOST, port)
    try:
        pop3.user(user)
        pop3.pass_(password)
        count, _octets = pop3.stat()
        for number in range(1, count + 1):
            _, lines, _ = pop3.retr(number)
            yield b"".join(line + b"\r\n" for line in lines)
    finally:
        pop3.quit()


def main() -> None:
    protocol, port, user, password = sys.argv[1:]
    read = {"imap": by_imap, "pop3": by_pop3}[protocol]
    for content in read(int(port), user, password):
        message = email.message_from_bytes(content, policy=email.policy.default)
        print(f"{user} by {protocol}: {message['Subject']!r} from {message['From']}")
        print(message.get_content())


if __name__ == "__main__":
    main()
