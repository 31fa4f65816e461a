"""Exercise 5: show the whole conversation of any client and any server.

Run it as `python3 -m examples.course.show_conversation PORT HOST:PORT`.  It listens on the first
port of 127.0.0.1 and connects each client to the server; let the client use that port.  It
prints each line as it passes, with C: or S: before it, and passes all octets on as they are.

It shows no passwords.  After STARTTLS it sees only encrypted octets, as everyone on the way does.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import sys
import threading
from collections.abc import Callable, Iterator

from smtpproto.conversations.transcript import printable

CRLF = b"\r\n"


def say(line: str) -> None:
    """Print a line at once, also into a file or a pipe."""
    print(line, flush=True)


class Conversation:
    """What both sides of one session say, made of the octets that pass.

    Arguments:
        write: called with each line.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self.write = write
        self.lock = threading.Lock()
        # What has come of a line that is not complete.
        self.rest = {"C": b"", "S": b""}
        self.last_verb = b""
        self.in_content = False
        self.chunk = 0
        self.authenticating = False
        self.encrypted = False

    def passed(self, sender: str, octets: bytes) -> None:
        """Take octets of one side, in any pieces; show the lines that are complete."""
        with self.lock:
            self.rest[sender] += octets
            while (line := self.next_line(sender)) is not None:
                if sender == "C":
                    self.write(f"C: {printable(self.note_client(line))}")
                else:
                    self.write(f"S: {printable(line.rstrip(CRLF))}")
                    self.note_server(line)

    def next_line(self, sender: str) -> bytes | None:
        """Take a line, with its end, from the octets of one side; None if there is none yet."""
        octets = self.rest[sender]
        end = octets.find(b"\n") + 1
        if sender == "C" and self.chunk and not 0 < end <= self.chunk:
            # The chunk ends within a line (RFC 3030 section 2), or goes on after these octets.
            end = self.chunk if len(octets) >= self.chunk else 0
        if end == 0 or self.encrypted:
            return None
        self.rest[sender] = octets[end:]
        return octets[:end]

    def note_server(self, line: bytes) -> None:
        """Follow the session."""
        if line.startswith(b"354"):
            self.in_content = True
        if line[3:4] != b"-" and not line.startswith(b"334"):
            self.authenticating = False
        if line.startswith(b"220") and self.last_verb == b"STARTTLS":
            self.encrypted = True
            self.write("#  TLS begins: only the client and the server can read on")

    def note_client(self, line: bytes) -> bytes:
        """Follow the session; the line as it may be shown."""
        if self.chunk:
            self.chunk -= len(line)
            return line.rstrip(CRLF)
        line = line.rstrip(CRLF)
        if self.in_content:
            # A lone dot ends the content (RFC 5321 section 4.1.1.4).
            self.in_content = line != b"."
            return line
        if self.authenticating:
            return b"(not shown)"
        verb, *words = line.split() or [b""]
        self.last_verb = verb.upper()
        if self.last_verb == b"BDAT" and words and words[0].isdigit():
            self.chunk = int(words[0])
        if self.last_verb == b"AUTH":
            self.authenticating = True
            if words[1:]:
                # A password may stand behind the mechanism (RFC 4954 section 4).
                return b" ".join([verb, words[0], b"(not shown)"])
        return line

    def over(self, sender: str) -> None:
        """One side has closed."""
        with self.lock:
            rest = self.rest[sender]
            if rest and not self.encrypted:
                self.write(f"{sender}: {printable(rest)} (no end of line)")
            self.write(f"#  {'the client' if sender == 'C' else 'the server'} closed")


class Tap:
    """Stands between clients and a server until it is closed.

    Arguments:
        server: host and port.
        port: where clients connect; 0 for any free port.
        write: called with each line.
    """

    def __init__(
        self, server: tuple[str, int], port: int = 0, write: Callable[[str], None] = say
    ) -> None:
        self.server = server
        self.write = write
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self.listener.getsockname()[1]
        self.count = itertools.count(1)

    def serve(self) -> None:
        """Accept clients, one thread for each, until `close`."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.session, args=[client], daemon=True).start()

    def session(self, client: socket.socket) -> None:
        number = next(self.count)
        conversation = Conversation(lambda line: self.write(f"{number} {line}"))
        with client:
            try:
                server = socket.create_connection(self.server)
            except OSError as error:
                self.write(f"{number} #  no connection to the server: {error}")
                return
            with server:
                back = threading.Thread(
                    target=carry, args=[server, client, "S", conversation], daemon=True
                )
                back.start()
                carry(client, server, "C", conversation)
                back.join()

    def close(self) -> None:
        """Accept no more clients."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def carry(
    source: socket.socket, target: socket.socket, sender: str, conversation: Conversation
) -> None:
    """Pass octets on in one direction, until the source closes."""
    for octets in received(source):
        # First shown, then passed on: so a reply is never shown before its command.
        conversation.passed(sender, octets)
        with contextlib.suppress(OSError):
            target.sendall(octets)
    conversation.over(sender)
    # The other side learns that there is no more.
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def received(source: socket.socket) -> Iterator[bytes]:
    with contextlib.suppress(OSError):
        while octets := source.recv(65536):
            yield octets


def main() -> None:
    port, server = sys.argv[1:]
    host, _, server_port = server.rpartition(":")
    tap = Tap((host, int(server_port)), int(port))
    say(f"listening on 127.0.0.1:{tap.port} for {server}; Ctrl-C stops it")
    with contextlib.suppress(KeyboardInterrupt):
        tap.serve()


if __name__ == "__main__":
    main()
