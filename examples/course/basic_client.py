"""Exercise 1: a basic client, with nothing but a socket.

Run it as `python3 -m examples.course.basic_client`: it sends a message to a server of its own.
With `HOST:PORT SENDER RECIPIENT` it sends the message there.  The exit status is 1 if it cannot.
The section numbers are those of RFC 5321.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from smtpproto import Session, sync
from smtpproto.conversations import Envelope

# A server may think for five minutes about most commands, and ten about the content (4.5.3.2).
TIMEOUT = 600
CONTENT = """\
From: <{sender}>
To: <{recipient}>
Subject: the basic client

The next line is a single dot, and does not end the message.
.
Bye.
"""


class Answer(NamedTuple):
    """A reply: its code, and the text of its lines."""

    code: int
    lines: list[str]

    def __str__(self) -> str:
        return f"{self.code} {' / '.join(self.lines)}"


class Refused(Exception):
    """The server refused a command."""

    def __init__(self, command: str, answer: Answer) -> None:
        super().__init__(f"{command}: {answer}")
        self.answer = answer


class BasicClient(AbstractContextManager["BasicClient"]):
    """A session with a server; it begins with the server's greeting.

    Arguments:
        show: called with each line, with C: or S: before it.

    Raises:
        Refused: the server does not greet.
    """

    def __init__(self, host: str, port: int, show: Callable[[str], None] = print) -> None:
        self.show = show
        self.socket = socket.create_connection((host, port), timeout=TIMEOUT)
        self.replies = self.socket.makefile("rb")
        # The server speaks first (3.1); 554 and 421 mean that it does not want us.
        self.greeting = self.read()
        if self.greeting.code != 220:
            self.close()
            raise Refused("the greeting", self.greeting)

    def say(self, command: str) -> Answer:
        """Send one command, and wait for its reply.

        Raises:
            ValueError: it is more than one line: an address with a line end would become a command
                of its own.
        """
        if "\r" in command or "\n" in command:
            raise ValueError(f"a command is one line, found {command!r}")
        self.show(f"C: {command}")
        # Every line ends with CR LF (2.3.8).
        self.socket.sendall(command.encode() + b"\r\n")
        return self.read()

    def read(self) -> Answer:
        """Read one reply: lines with the same code; a hyphen says that more follow (4.2.1)."""
        lines = []
        while True:
            line = self.replies.readline().decode("utf-8", "backslashreplace").rstrip("\r\n")
            if not line:
                raise ConnectionError("the server closed the connection")
            self.show(f"S: {line}")
            lines.append(line[4:])
            if line[3:4] != "-":
                return Answer(int(line[:3]), lines)

    def need(self, command: str, first_digit: int) -> Answer:
        """Send a command that must succeed; look at the first digit of the code alone (4.3.2)."""
        answer = self.say(command)
        if answer.code // 100 != first_digit:
            raise Refused(command, answer)
        return answer

    def hello(self, name: str) -> Answer:
        """Say who we are; the reply lists the server's extensions (4.1.1.1)."""
        return self.need(f"EHLO {name}", 2)

    def send(self, sender: str, recipient: str, content: str) -> Answer:
        """One mail transaction (3.3): the envelope, and then the content.

        Raises:
            Refused: the server did not accept it; the answer says why.
        """
        self.need(f"MAIL FROM:<{sender}>", 2)
        self.need(f"RCPT TO:<{recipient}>", 2)
        self.need("DATA", 3)
        for line in content.replace("\r\n", "\n").removesuffix("\n").split("\n"):
            # A dot more before each line that begins with one, so that none is alone (4.5.2).
            dotted = f".{line}" if line.startswith(".") else line
            self.show(f"C: {dotted}")
            self.socket.sendall(dotted.encode() + b"\r\n")
        # The reply to this dot says whether the server has taken the message (4.2.5).
        return self.need(".", 2)

    def quit(self) -> None:
        """Say goodbye, and wait until the server closes the connection (4.1.1.10)."""
        self.say("QUIT")
        self.replies.read()

    def close(self) -> None:
        self.replies.close()
        self.socket.close()

    def __exit__(self, *_: object) -> None:
        self.close()


class Inbox:
    """A server to try it on: it keeps what it gets."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        self.messages.append(content)


def send(server: str, sender: str, recipient: str) -> None:
    host, _, port = server.rpartition(":")
    content = CONTENT.format(sender=sender, recipient=recipient)
    with BasicClient(host, int(port)) as client:
        client.hello("client.example.org")
        client.send(sender, recipient, content)
        client.quit()


def main() -> None:
    inbox = Inbox()
    with sync.serve(inbox, hostname="mx.example.com", received=False) as server:
        send(f"127.0.0.1:{server.port}", "eve@example.org", "alice@example.com")
    print("\nThe server got:")
    print(inbox.messages[0].decode().replace("\r\n", "\n"), end="")


if __name__ == "__main__":
    try:
        send(*sys.argv[1:]) if sys.argv[1:] else main()
    except (Refused, OSError) as error:
        sys.exit(f"not sent: {error}")
