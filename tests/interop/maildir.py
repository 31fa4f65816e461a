"""Reading what a mail server delivered into a Maildir."""

from __future__ import annotations

import re
from pathlib import Path

from tests.interop.peers import Server
from tests.programs import until

# What delivery agents put before a message; folded lines belong to the field they continue.
TRACE = re.compile(
    rb"(?:(?:Return-path|X-Original-To|Delivered-To|Envelope-to|Delivery-date|Received):"
    rb"[^\n]*\n(?:[ \t][^\n]*\n)*)*",
    re.IGNORECASE,
)


def messages(maildir: Path) -> list[bytes]:
    """The files in new/, the oldest first, as they lie there: with lines that end in LF."""
    files = sorted((maildir / "new").glob("*"), key=lambda file: (file.stat().st_mtime_ns, file))
    return [file.read_bytes() for file in files]


def wait_for(maildir: Path, count: int = 1, timeout: float = 20) -> list[bytes]:
    """The messages, once there are at least so many."""

    def enough() -> list[bytes] | None:
        found = messages(maildir)
        return found if len(found) >= count else None

    return until(enough, timeout, f"{count} messages in {maildir}")


def sent(stored: bytes) -> bytes:
    """The message as it was sent: without the fields that delivery put before it, lines with CRLF.

    A message that begins with a trace field of its own loses it here; let tests begin otherwise.
    """
    trace = TRACE.match(stored)
    assert trace is not None
    return stored[trace.end() :].replace(b"\n", b"\r\n")


class Delivering(Server):
    """A mail server whose accounts have Maildirs, all below its private folder."""

    def maildir(self, account: str) -> Path:
        return self.home / "mail" / account

    def delivered(self, account: str, count: int = 1, timeout: float = 20) -> list[bytes]:
        """What the account got, without the trace that delivery added, lines with CRLF."""
        return [sent(message) for message in wait_for(self.maildir(account), count, timeout)]
