"""Clients that keep a server busy, and what is to be found in the Maildir afterwards."""

from __future__ import annotations

import hashlib
import random
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smtpproto import ProtocolError, sync
from smtpproto.conversations import Envelope, SMTPError, Status
from tests.programs import HOST, until

EVERYBODY = 8


class Load:
    """Threads that send messages, each with a number and a checksum, until told to stop.

    Attributes:
        outcomes: what became of each message, by its number.
        refusals: the codes of all negative replies.
        troubles: what else went wrong, in words.
    """

    def __init__(self, port: int, seed: int, first: int = 0) -> None:
        self._port = port
        self._seed = seed
        self._lock = threading.Lock()
        self._next = first
        self._enough = threading.Event()
        self.outcomes: dict[int, Status] = {}
        self.refusals: Counter[int] = Counter()
        self.troubles: list[str] = []

    @contextmanager
    def running(self) -> Iterator[Load]:
        """Send for the time of a block."""
        threads = [
            threading.Thread(target=self._client, args=(number,)) for number in range(EVERYBODY)
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self.stop()
            for thread in threads:
                thread.join(60)
                assert not thread.is_alive()

    def stop(self) -> None:
        """Begin no more messages."""
        self._enough.set()

    def wait_until_accepted(self, count: int) -> None:
        """Wait until so many messages got a 250."""
        until(lambda: len(self.accepted) >= count, 60, f"{count} messages that got a 250")

    @property
    def accepted(self) -> set[int]:
        """The messages that got a 250."""
        return self.of(Status.ACCEPTED)

    def of(self, *statuses: Status) -> set[int]:
        """The messages that have one of these outcomes."""
        with self._lock:
            return {number for number, status in self.outcomes.items() if status in statuses}

    def _client(self, number: int) -> None:
        """One session after the other, a few messages in each."""
        dice = random.Random(f"{self._seed} {self._next} {number}")
        while not self._enough.is_set():
            try:
                with sync.connect(HOST, self._port, name="load.example", timeout=20) as client:
                    for _ in range(dice.randrange(1, 6)):
                        if self._enough.is_set() or not client.ready:
                            break
                        self._send(client, dice)
            except (OSError, SMTPError, ProtocolError) as error:
                reply = getattr(error, "reply", None)
                if reply is not None:
                    self.refusals[reply.code] += 1
                else:
                    self.troubles.append(f"{type(error).__name__}: {error}")
                self._enough.wait(0.01)

    def _send(self, client: sync.Client, dice: random.Random) -> None:
        with self._lock:
            number = self._next
            self._next += 1
        # Whatever happens to it from here on, it was not accepted unless we are told so.
        self.outcomes[number] = Status.FAILED
        envelope = Envelope.of("load@example.org", [f"n{number}@example.com"])
        content = message(number, dice.randbytes(dice.choice([100, 5_000, 200_000])).hex())
        delivery = client.send(envelope, chunks(content))
        (outcome,) = delivery.outcomes
        with self._lock:
            self.outcomes[number] = outcome.status
            if outcome.status is Status.REFUSED and outcome.reply is not None:
                self.refusals[outcome.reply.code] += 1
            elif outcome.status is not Status.ACCEPTED:
                self.troubles.append(outcome.reason)


def message(number: int, filling: str) -> bytes:
    """A message that can be told to be whole."""
    body = "".join(filling[at : at + 76] + "\n" for at in range(0, len(filling), 76))
    checksum = hashlib.sha256(body.encode()).hexdigest()
    header = f"X-Number: {number}\nX-Sum: {checksum}\n\n"
    return (header + body).replace("\n", "\r\n").encode()


def chunks(content: bytes) -> Iterator[bytes]:
    for at in range(0, len(content), 50_000):
        yield content[at : at + 50_000]


def found(maildir: Path) -> Counter[int]:
    """How often each message is there; every one has to be whole."""
    numbers: Counter[int] = Counter()
    for path in (maildir / "new").iterdir():
        header, _, body = path.read_bytes().partition(b"\n\n")
        match = re.search(rb"^X-Number: ([0-9]+)\nX-Sum: ([0-9a-f]{64})$", header, re.MULTILINE)
        assert match is not None, path
        assert hashlib.sha256(body).hexdigest() == match[2].decode(), path
        numbers[int(match[1])] += 1
    return numbers
