"""The columns of the matrix: what a message is like, and what must be seen of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

USER, PASSWORD = "alice", "secret"


@dataclass(frozen=True)
class Feature:
    """One column.

    Arguments:
        name: its head.
        shown: what the client has said on the wire; NUL stands where it waited for an answer.
        secure: whether the session is inside TLS; at the port where TLS comes first if `implicit`.
        login: whether the client logs in as `USER`.
        sender: the reverse-path.
        body: the content after the header and an empty line.
        mail, rcpt: parameters, for clients that take them as text.
    """

    name: str
    shown: str
    secure: bool = False
    implicit: bool = False
    login: bool = False
    sender: str = "carol@far.test"
    body: bytes = b"Hello.\r\n.a line with a dot\r\n..\r\n.\r\n\r\nBye.\r\n"
    mail: tuple[str, ...] = ()
    rcpt: tuple[str, ...] = ()

    def problem(self, said: bytes) -> str | None:
        """What is missing in what the client said."""
        if re.search(self.shown.encode(), said, re.IGNORECASE | re.DOTALL):
            return None
        return f"expected {self.shown} on the wire, found {said[:600]!r}"


_EIGHT_BITS = bytes(range(128, 256)) + b"\r\n"

PLAIN = Feature("plain", r"(\A|\0)MAIL FROM:<carol@far\.test>")
STARTTLS = Feature("STARTTLS", r"\0STARTTLS\r\n\0\x16\x03", secure=True)
IMPLICIT = Feature("implicit TLS", r"\A\x16\x03", secure=True, implicit=True)
AUTH = Feature("AUTH", r"\0STARTTLS\r\n\0\x16\x03", secure=True, login=True)
EIGHT_BIT = Feature(
    "8BITMIME",
    r"(\A|\0)MAIL FROM:<carol@far\.test>[^\r\0]* BODY=8BITMIME",
    body=_EIGHT_BITS,
    mail=("BODY=8BITMIME",),
)
UTF8 = Feature(
    "SMTPUTF8",
    r"(\A|\0)MAIL FROM:<käthe@far\.test>[^\r\0]* SMTPUTF8",
    sender="käthe@far.test",
    mail=("SMTPUTF8", "BODY=8BITMIME"),
)
CHUNKING = Feature("CHUNKING", r"(\A|\0|\r\n)BDAT \d+")
DSN = Feature(
    "DSN",
    r"(\A|\0)MAIL FROM:[^\r\0]* RET=HDRS.*RCPT TO:[^\r\0]* NOTIFY=FAILURE\b",
    mail=("RET=HDRS",),
    rcpt=("NOTIFY=FAILURE",),
)
PIPELINING = Feature("PIPELINING", r"(MAIL|RCPT) [^\r\0]*\r\n(RCPT|DATA|BDAT)\b")
FEATURES = (PLAIN, STARTTLS, IMPLICIT, AUTH, EIGHT_BIT, UTF8, CHUNKING, DSN, PIPELINING)


@dataclass(frozen=True)
class Letter:
    """The message of one cell.

    Arguments:
        feature: the column.
        row: the peer and the adapter, so that no two cells have the same content.
        recipient: the forward-path.
    """

    feature: Feature
    row: str
    recipient: str

    @property
    def sender(self) -> str:
        return self.feature.sender

    @property
    def content(self) -> bytes:
        """The header has all the fields that clients would add."""
        header = (
            f"From: <{self.sender}>\r\n"
            f"To: <{self.recipient}>\r\n"
            f"Subject: {self.feature.name}, {self.row}\r\n"
            f"Date: Sat, 28 Nov 2026 12:00:00 +0000\r\n"
            f"Message-ID: <{self.feature.name.replace(' ', '-')}@far.test>\r\n\r\n"
        )
        return header.encode() + self.feature.body

    def write(self, home: Path, lines: bytes = b"\r\n") -> Path:
        """The content as a file, with other line ends for programs that want those."""
        path = home / "letter"
        path.write_bytes(self.content.replace(b"\r\n", lines))
        return path
