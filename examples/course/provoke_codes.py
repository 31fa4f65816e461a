"""Provoke each of six reply codes for real.

Run it as `python3 -m examples.course.provoke_codes`: it talks to examples/course/server.py.
With `HOST:PORT` it talks to another server with the same mailboxes, such as the Postfix of
examples/postfix/error_codes.sh.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from examples.course.basic_client import Answer, BasicClient
from examples.course.server import serve

EVE = "MAIL FROM:<eve@example.org>"
# Servers close after some errors: 20 is usual.
MANY = 50


class Case(NamedTuple):
    """What to say to get a code."""

    code: int
    why: str
    commands: tuple[str, ...]


CASES = (
    Case(250, "Alice has a mailbox", (EVE, "RCPT TO:<alice@example.com>")),
    Case(421, "too many mistakes in one session", ("RSTE",) * MANY),
    Case(450, "the mailbox is busy", (EVE, "RCPT TO:<busy@example.com>")),
    Case(501, "the closing bracket is missing", (EVE, "RCPT TO:<alice@example.com")),
    Case(550, "there is no such mailbox", (EVE, "RCPT TO:<nobody@example.com>")),
    Case(553, "the sender's address belongs to another user", ("MAIL FROM:<boss@example.com>",)),
)


def provoke(host: str, port: int, case: Case) -> Answer:
    """Say the commands; return the last reply."""
    with BasicClient(host, port, show=lambda _: None) as client:
        client.hello("client.example.org")
        for command in case.commands:
            answer = client.say(command)
            if answer.code == 421:
                # The server closes the connection now (RFC 5321 section 3.8).
                break
        return answer


def show(host: str, port: int) -> dict[int, Answer]:
    """Provoke all codes and print them."""
    found = {}
    for case in CASES:
        answer = found[case.code] = provoke(host, port, case)
        print(f"{case.code}: {case.why}")
        # Each command once, also the one that is said many times.
        for command in dict.fromkeys(case.commands):
            print(f"  C: {command}")
        print(f"  S: {answer}")
    return found


def main() -> None:
    if sys.argv[1:]:
        host, _, port = sys.argv[1].rpartition(":")
        show(host, int(port))
        return
    with serve() as server:
        show("127.0.0.1", server.port)


if __name__ == "__main__":
    main()
