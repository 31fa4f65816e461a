"""Exercise 3: a client that does what each reply code asks for.

Run it as `python3 -m examples.course.handle_codes`: it sends to examples/course/server.py.
With `HOST:PORT SENDER RECIPIENT` it sends a message there.
The section numbers are those of RFC 5321.
"""

from __future__ import annotations

import enum
import sys
import time
from collections.abc import Callable

from examples.course.basic_client import CONTENT, Answer, BasicClient, Refused
from examples.course.server import serve

# A real client waits for 30 minutes at least, and gives up after four or five days (4.5.4.1).
ATTEMPTS = 3
PAUSE = 0.2


class Action(enum.Enum):
    """What to do after a reply."""

    DONE = "the server has the message, and is responsible for it now"
    RECONNECT = "the server ended the session: connect again later"
    RETRY = "keep the message, and try again later"
    MEND = "our command was wrong: mend the program, or the address that it was given"
    ASK = "the server does not allow this address: log in, or use another one"
    TELL = "tell the author that the message cannot be delivered"


def decide(answer: Answer) -> Action:
    """What to do after this reply: the first digit decides, some codes say more (4.2.1)."""
    if answer.code // 100 == 2:
        return Action.DONE
    if answer.code == 421:
        return Action.RECONNECT
    if answer.code // 100 == 4:
        return Action.RETRY
    if answer.code in (500, 501, 502, 503, 504):
        return Action.MEND
    if answer.code == 553:
        return Action.ASK
    return Action.TELL


def attempt(host: str, port: int, sender: str, recipient: str) -> tuple[Action, str]:
    """Try once: what to do now, and why."""
    try:
        with BasicClient(host, port, show=lambda _: None) as client:
            client.hello("client.example.org")
            content = CONTENT.format(sender=sender, recipient=recipient)
            answer = client.send(sender, recipient, content)
            client.quit()
    except Refused as refused:
        return decide(refused.answer), str(refused)
    except OSError as error:
        # No connection, or no reply.  If all of the content had left, the server may have the
        # message: the second copy is better than none (6.1).
        return Action.RETRY, str(error)
    return decide(answer), str(answer)


def deliver(
    host: str,
    port: int,
    sender: str,
    recipient: str,
    wait: Callable[[], None] = lambda: time.sleep(PAUSE),
) -> Action:
    """Try until there is an end, and print each step.

    Arguments:
        wait: called between two attempts.
    """
    print(f"{sender} -> {recipient}")
    for number in range(ATTEMPTS):
        if number:
            wait()
        action, why = attempt(host, port, sender, recipient)
        print(f"  {why}\n  => {action.name}: {action.value}")
        if action not in (Action.RETRY, Action.RECONNECT):
            return action
    print(f"  => {Action.TELL.name}: no success after {ATTEMPTS} attempts")
    return Action.TELL


def main() -> None:
    host = "127.0.0.1"
    with serve() as server:
        found = [
            deliver(host, server.port, sender, recipient)
            for sender, recipient in [
                ("eve@example.org", "alice@example.com"),
                ("eve@example.org", "busy@example.com"),
                ("eve@example.org", "alice smith@example.com"),
                ("eve@example.org", "nobody@example.com"),
                ("boss@example.com", "alice@example.com"),
            ]
        ]
    with serve(sessions=1) as small:
        # The server has room for one client, and another client is there.  It leaves while we wait.
        other = BasicClient(host, small.port, show=lambda _: None)

        def wait() -> None:
            other.quit()
            other.close()
            time.sleep(PAUSE)

        found.append(deliver(host, small.port, "eve@example.org", "alice@example.com", wait))
    done = Action.DONE
    assert found == [done, done, Action.MEND, Action.TELL, Action.ASK, done]


def send(server: str, sender: str, recipient: str) -> None:
    host, _, port = server.rpartition(":")
    deliver(host, int(port), sender, recipient)


if __name__ == "__main__":
    send(*sys.argv[1:]) if sys.argv[1:] else main()
