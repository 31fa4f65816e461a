"""A mail server on the engine alone: octets in, events out, replies in, octets out.

Run it as `python examples/sans_io_server.py`.  The loop uses plain sockets; any other
transport works as well.  The client is smtplib of the standard library.
"""

from __future__ import annotations

import smtplib
import socket
import threading

import smtpproto
from smtpproto import (
    Command,
    ConnectionClosed,
    ContentChunk,
    EndOfContent,
    ForwardPath,
    Need,
    Rcpt,
    Rejected,
)
from smtpproto.extensions import EightBitMime, EnhancedStatusCodes, Pipelining, Size

# <alice@EXAMPLE.COM> is the same mailbox, and every server has a <postmaster>.
MAILBOXES = {
    ForwardPath.of(text) for text in ("alice@example.com", "bob@example.com", "postmaster")
}


class Mailbox:
    """Answers what a client says, and keeps what it sends."""

    def __init__(self) -> None:
        extensions = [Size(1_000_000), EightBitMime(), Pipelining(), EnhancedStatusCodes()]
        self.server = smtpproto.Server("mx.example.com", extensions)
        self.content = bytearray()
        self.messages: list[bytes] = []
        self.open = True

    def answer(self) -> bytes:
        """Handle everything that has arrived, and return the octets to send."""
        server = self.server
        while True:
            match server.next_event():
                case Need.TLS | Need.DATA | Need.REPLY:
                    return server.data_to_send()
                case Rcpt(forward_path) if forward_path not in MAILBOXES:
                    server.reject(550, "5.1.1", "no such mailbox here")
                case ContentChunk(octets):
                    self.content += octets
                case EndOfContent():
                    self.messages.append(bytes(self.content))
                    self.content.clear()
                    server.accept("this is ours now")
                case Rejected(_, reason):
                    print("refused by the protocol itself, and answered:", reason)
                case Command():
                    server.accept()
                case ConnectionClosed():
                    self.open = False
                    return server.data_to_send()


def serve(listener: socket.socket, mailbox: Mailbox) -> None:
    """Move octets for one client."""
    link, _ = listener.accept()
    with link:
        mailbox.server.accept()  # the greeting
        link.sendall(mailbox.server.data_to_send())
        while mailbox.open:
            mailbox.server.receive_data(link.recv(65536))
            link.sendall(mailbox.answer())


def main() -> None:
    mailbox = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener, mailbox))
        thread.start()
        host, port = listener.getsockname()
        with smtplib.SMTP(host, port, "client.example.org") as client:
            refused = client.sendmail(
                "eve@example.org",
                ["alice@example.com", "nobody@example.com"],
                b"Subject: hello\r\n\r\n.\r\nHello, Alice.\r\n",
            )
            print("refused:", refused)
            print("nonsense is answered with", client.docmd("MAIL", "FROM:nonsense"))
        thread.join()
    print("received:", mailbox.messages)
    assert mailbox.messages == [b"Subject: hello\r\n\r\n.\r\nHello, Alice.\r\n"]


if __name__ == "__main__":
    main()
