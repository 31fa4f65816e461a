"""The queue on disk: messages, and for each the recipients that still wait.

What `add` and `settle` return from is on the disk.  So a relay that is killed finds all that it
owes, and nothing that a server has taken already.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from smtpproto import Rcpt
from smtpproto.sync import Envelope

SCHEMA = """
PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY, mail TEXT NOT NULL, content BLOB NOT NULL, arrived REAL NOT NULL);
CREATE TABLE IF NOT EXISTS recipient (
    id INTEGER PRIMARY KEY, message INTEGER NOT NULL REFERENCES message, domain TEXT NOT NULL,
    rcpt TEXT NOT NULL, due REAL NOT NULL, tries INTEGER DEFAULT 0, last TEXT DEFAULT '');
CREATE INDEX IF NOT EXISTS due ON recipient (due);
CREATE INDEX IF NOT EXISTS job ON recipient (message, domain);
"""
DUE = "SELECT * FROM recipient WHERE due <= ? AND domain NOT IN (-) ORDER BY due LIMIT ?"
MESSAGE = "SELECT * FROM message WHERE id = ?"
LOAD = "SELECT id, rcpt, tries FROM recipient WHERE message = ? AND domain = ? ORDER BY id"
RETRY = "UPDATE recipient SET due = ?, last = ?, tries = tries + 1 WHERE id = ?"
FORGET = "DELETE FROM message WHERE id = ? AND id NOT IN (SELECT message FROM recipient)"
LISTING = "SELECT *, length(content) AS octets FROM message JOIN recipient ON message.id = message"

Job = tuple[int, str]
"""What is delivered together: a message, by its number, to its recipients in one domain."""

Retries = Mapping[int, tuple[float, str]]  # when, and the reason, by the recipient's number
Told = tuple[Envelope, bytes] | None  # a notification


class Work(NamedTuple):
    """What there is to know about a job; `numbers` has one for each recipient."""

    envelope: Envelope
    content: bytes
    arrived: float
    tries: int
    numbers: tuple[int, ...]


class Store:
    """A queue in a SQLite file, for all threads."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.executescript(SCHEMA)
        self.close = self._db.close

    def add(self, envelope: Envelope, content: bytes, now: float) -> int:
        """Store a message and return its number."""
        with self._lock, self._db:
            return self._add(envelope, content, now)

    def due(self, now: float, most: int, busy: Collection[str]) -> list[Job]:
        """Jobs that need not wait any longer, except those for busy domains."""
        rows = self._fetch(DUE.replace("-", ", ".join("?" * len(busy))), (now, *busy, most))
        return list(dict.fromkeys((row["message"], row["domain"]) for row in rows))

    def load(self, job: Job) -> Work:
        """Return all about a job."""
        rows = self._fetch(LOAD, job)
        ((_, mail, content, arrived),) = self._fetch(MESSAGE, job[:1])
        envelope = Envelope.parse([mail, *(row["rcpt"] for row in rows)])
        numbers = tuple(row["id"] for row in rows)
        return Work(envelope, content, arrived, rows[0]["tries"], numbers)

    def settle(
        self, job: Job, done: Iterable[int], retries: Retries, told: Told, now: float
    ) -> None:
        """Write all that came of an attempt, or nothing: who leaves the queue, and who waits."""
        with self._lock, self._db:
            write = self._db.executemany
            write("DELETE FROM recipient WHERE id = ?", [(number,) for number in done])
            write(RETRY, [(*when_and_why, number) for number, when_and_why in retries.items()])
            write(FORGET, [job[:1]])
            if told is not None:
                self._add(*told, now)

    def listing(self) -> list[sqlite3.Row]:
        """All recipients, with their messages."""
        return self._fetch(LISTING)

    def _add(self, envelope: Envelope, content: bytes, now: float) -> int:
        mail, *lines = envelope.lines()
        insert = "INSERT INTO message (mail, content, arrived) VALUES (?, ?, ?)"
        number = self._db.execute(insert, (mail, content, now)).lastrowid
        assert number is not None
        domains = map(domain_of, envelope.recipients)
        self._db.executemany(
            "INSERT INTO recipient (message, domain, rcpt, due) VALUES (?, ?, ?, ?)",
            [(number, domain, line, now) for domain, line in zip(domains, lines, strict=True)],
        )
        return number

    def _fetch(self, query: str, values: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(query, values).fetchall()


def domain_of(rcpt: Rcpt) -> str:
    """The domain of a recipient in lower case; empty for `<postmaster>`."""
    mailbox = rcpt.forward_path.mailbox
    return "" if mailbox is None else str(mailbox.domain).lower()
