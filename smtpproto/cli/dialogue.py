"""Follows a session from outside: what each line of either side is.

`talk` and `proxy` pass on what others write, also what breaks the protocol.  So this class refuses
nothing: it only knows where content begins and ends, which lines are secret, how many replies are
due, and what a reply answers (RFC 5321 section 4, RFC 3030, RFC 4954, RFC 2033).
"""

from __future__ import annotations

import enum
import re
from collections import deque
from typing import NamedTuple

CODE = re.compile(rb"[2-5][0-9]{2}(?![0-9])")
COUNT = re.compile(rb"BDAT +([0-9]{1,18})(?:\s|\Z)", re.IGNORECASE)


class Kind(enum.Enum):
    """What a piece of the conversation is."""

    COMMAND = "a command"
    CONTENT = "a line of content, or a part of a chunk"
    END = "the end of the content"
    RESPONSE = "a response within AUTH"
    REPLY = "a line of a reply"
    CHALLENGE = "a challenge within AUTH"


class Piece(NamedTuple):
    """A piece of what one side says.

    Arguments:
        kind: what it is.
        octets: a line without its CRLF; or the octets of a chunk, unchanged.
        verb: for the last line of a reply, what it answers: a verb, "greeting" or "content"; ""
            elsewhere.
        code: the reply code of that line; 0 elsewhere.
        ended: whether a CRLF ended it.
    """

    kind: Kind
    octets: bytes
    verb: str = ""
    code: int = 0
    ended: bool = True

    @property
    def sender(self) -> str:
        """Who says it: "C" for the client, "S" for the server."""
        return "S" if self.kind in (Kind.REPLY, Kind.CHALLENGE) else "C"

    @property
    def shown(self) -> bytes:
        """The octets, without a secret."""
        if self.kind is Kind.RESPONSE:
            return b"(response)"
        if self.kind is Kind.CHALLENGE:
            return self.octets[:3] + b" (challenge)"
        words = self.octets.split(b" ", 2)
        if self.kind is Kind.COMMAND and words[0].upper() == b"AUTH" and len(words) > 2:
            return b" ".join([*words[:2], b"(response)"])
        return self.octets


class Dialogue:
    """One session.

    Arguments:
        lmtp: whether each recipient has a reply to the content (RFC 2033 section 4.2).
        greeted: whether the greeting has come already.

    Attributes:
        owed: octets of a chunk that are still to come from the client.
        in_content: whether the client's next line is one of the content.
        in_exchange: whether the client's next line is a response within AUTH.
    """

    def __init__(self, *, lmtp: bool = False, greeted: bool = False) -> None:
        self._lmtp = lmtp
        self._due: deque[str] = deque([] if greeted else ["greeting"])
        self._recipients = 0
        self._from_client = self._from_server = b""
        self.owed = 0
        self.in_content = self.in_exchange = False

    @property
    def due(self) -> int:
        """How many replies are due: none while the client has to go on."""
        return 0 if self.owed or self.in_exchange else len(self._due)

    # --- what the client says -----------------------------------------------------------------

    def client(self, data: bytes) -> list[Piece]:
        """Take octets of the client; return the pieces that are complete now."""
        self._from_client += data
        found = []
        while (piece := self._next_of_client()) is not None:
            found.append(piece)
        return found

    def _next_of_client(self) -> Piece | None:
        data = self._from_client
        if self.owed:
            chunk, self._from_client = data[: self.owed], data[self.owed :]
            self.owed -= len(chunk)
            return Piece(Kind.CONTENT, chunk, ended=False) if chunk else None
        line, end, rest = data.partition(b"\r\n")
        if not end:
            return None
        self._from_client = rest
        return Piece(self._kind_of(line), line)

    def _kind_of(self, line: bytes) -> Kind:
        if self.in_content:
            if line != b".":
                return Kind.CONTENT
            self.in_content = False
            self._expect_for_content()
            return Kind.END
        if self.in_exchange:
            self.in_exchange = False
            self._due.append("AUTH")
            return Kind.RESPONSE
        verb = line.split(b" ", 1)[0].decode("ascii", "replace").upper()
        count = COUNT.match(line)
        if count is not None:
            self.owed = int(count[1])
            if b"LAST" in line.upper():
                self._expect_for_content()
                return Kind.COMMAND
            verb = "content"
        self._due.append(verb)
        return Kind.COMMAND

    def _expect_for_content(self) -> None:
        self._due.extend(["content"] * (max(1, self._recipients) if self._lmtp else 1))
        self._recipients = 0

    # --- what the server says -----------------------------------------------------------------

    def server(self, data: bytes) -> list[Piece]:
        """Take octets of the server; return the lines that are complete now."""
        *lines, self._from_server = (self._from_server + data).split(b"\n")
        return [self._reply_line(line.removesuffix(b"\r")) for line in lines]

    def _reply_line(self, line: bytes) -> Piece:
        match = CODE.match(line)
        if match is None or line[3:4] == b"-":
            return Piece(Kind.REPLY, line)
        code = int(match[0])
        verb = self._due.popleft() if self._due else ""
        if code == 334 and verb == "AUTH":
            self.in_exchange = True
            return Piece(Kind.CHALLENGE, line, verb, code)
        self._learn(verb, code)
        return Piece(Kind.REPLY, line, verb, code)

    def _learn(self, verb: str, code: int) -> None:
        if verb == "DATA" and code == 354:
            self.in_content = True
        elif verb == "RCPT" and code < 300:
            self._recipients += 1
        elif verb in ("MAIL", "RSET", "EHLO", "HELO", "LHLO"):
            self._recipients = 0

    def tls_established(self) -> None:
        """Forget what came before TLS (RFC 3207 section 4.2)."""
        self._from_client = self._from_server = b""
        self._due.clear()
