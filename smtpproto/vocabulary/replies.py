"""Replies: RFC 5321 section 4.2, with the enhanced status codes of RFC 2034 and 3463.

A `Reply` is a value that a server sends and a client receives; `format_reply` and `ReplyReader`
turn it into lines and back.  What a code means stands in `codes`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import LocalProtocolError, RemoteProtocolError
from .codes import Explanation, default_enhanced, explain
from .command_base import Command
from .commands import Rcpt

if TYPE_CHECKING:
    from ..limits import Limits

__all__ = ["Reply", "ReplyReader", "build_reply", "format_reply", "sendable"]

# Reply-line = Reply-code [ ("-" / SP) Textstring ]; Textstring = 1*(%d09 / %d32-126), and UTF-8
# after RFC 6531 section 3.7.4.1.  Any two digits may follow the first, which alone tells a client
# what to do (RFC 5321 sections 4.2 and 4.3.2); what a server says is held to Reply-code.
REPLY_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
# status-code = class "." subject "." detail (RFC 3463 section 2)
ENHANCED = re.compile(r"([245])\.(?:0|[1-9][0-9]{0,2})\.(?:0|[1-9][0-9]{0,2})")
# The same at the beginning of a line of text.
LEADING = re.compile(r"([245])\.(?:0|[1-9][0-9]{0,2})\.(?:0|[1-9][0-9]{0,2})(?= |\Z)")
# Control characters but tab and line feed; those beyond ASCII can steer a terminal as well.
UNFIT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# What stands for control characters, so that a text is as long as its octets, whatever they are.
_CONTROLS = bytes([*range(9), *range(10, 32), 127])
_READABLE = bytes.maketrans(_CONTROLS, b"?" * len(_CONTROLS))
# The same in ISO 8859-1, which has controls beyond ASCII (C1).
_C1 = bytes(range(0x80, 0xA0))
_READABLE_LATIN = bytes.maketrans(_C1, b"?" * len(_C1))
_ANY_C1 = re.compile("[\x80-\x9f]")
# A reply line may have 512 octets with its code and CRLF (RFC 5321 section 4.5.3.1.5), a challenge
# 12,288 (RFC 4954 section 4).
LINE_OCTETS = 512
CHALLENGE_OCTETS = 12288
# What passes on a reply whose code no server should send, by its first digit.
GENERAL = {2: 250, 3: 354, 4: 451, 5: 554}
# Replies whose lines are words for programs, not text for people.
NOT_SPLIT = frozenset({"EHLO", "LHLO"})


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answers (RFC 5321 section 4.2).

    Arguments:
        code: the reply code: 200 to 559, the last two digits below 60.  A client may receive any
            two digits behind the first.
        enhanced: the enhanced status code, such as "5.1.1"; empty where there is none.
        text: what a person reads; lines are separated by a line feed.
        command: on the client, the command that this answers; None for the greeting and for what
            the server says unasked.  Not compared.
        recipient: on an LMTP client, the recipient that a reply after the content is about
            (RFC 2033 section 4.2).  Not compared.

    Raises:
        LocalProtocolError: a code out of range, an enhanced status code whose class differs from
            the code's, or control characters (CR and NUL among them) in the text.
    """

    code: int
    enhanced: str = ""
    text: str = ""
    command: Command | None = field(default=None, compare=False)
    recipient: Rcpt | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        code = self.code
        if not isinstance(code, int):
            raise TypeError(f"reply code: expected a number, found {code!r}")
        if not (200 <= code <= 559 and code % 100 < 60):
            raise LocalProtocolError(f"{code} is no reply code (RFC 5321 section 4.2)")
        if self.enhanced:
            match = ENHANCED.fullmatch(self.enhanced)
            if match is None or int(match[1]) != code // 100:
                raise LocalProtocolError(
                    f"{self.enhanced!a} is no enhanced status code for {code} (RFC 3463 section 2; "
                    "the text is the third argument)"
                )
        text = self.text
        if UNFIT.search(text) is not None:
            raise LocalProtocolError(
                f"the text of a reply holds a control character: {text[:64]!a} "
                "(RFC 5321 section 4.2)"
            )

    @property
    def lines(self) -> tuple[str, ...]:
        """The text, line by line."""
        return tuple(self.text.split("\n"))

    @property
    def positive(self) -> bool:
        """2xx: done (RFC 5321 section 4.2.1)."""
        return 200 <= self.code < 300

    @property
    def intermediate(self) -> bool:
        """3xx: the server waits for more."""
        return 300 <= self.code < 400

    @property
    def transient(self) -> bool:
        """4xx: not now; trying again later may help."""
        return 400 <= self.code < 500

    @property
    def permanent(self) -> bool:
        """5xx: trying the same again will not help."""
        return self.code >= 500

    @property
    def negative(self) -> bool:
        """4xx or 5xx."""
        return self.code >= 400

    def explain(self) -> Explanation:
        """What this reply means, and what to check."""
        return explain(self.code, self.enhanced, self.command.verb if self.command else "")

    def __str__(self) -> str:
        return " ".join(filter(None, (str(self.code), self.enhanced, self.text)))


def sendable(reply: Reply) -> Reply:
    """The reply, or if it was received with a code that no server should send, what stands for it.

    A client has to understand any two digits behind the first, a server sends those of the list
    (RFC 5321 section 4.2).
    """
    if reply.code % 100 < 60:
        return reply
    return Reply(GENERAL[reply.code // 100], reply.enhanced, reply.text)


def format_reply(
    reply: Reply, verb: str, *, enhanced: bool, utf8: bool = False
) -> tuple[bytes, ...]:
    """The lines of a reply, without CRLF.

    Arguments:
        reply: what to say.
        verb: what it answers; it decides on the enhanced status code where the reply has none.
        enhanced: whether enhanced status codes are on.  The greeting, the replies to EHLO, HELO and
            LHLO and all 3xx replies go without (RFC 2034 section 4).
        utf8: whether the text may leave as UTF-8 (RFC 6531 section 3.7.4.1); otherwise what is not
            ASCII is written as an escape.

    A line of text that would have more than 512 octets is split.

    Raises:
        LocalProtocolError: a line that cannot be split has more than 512 octets, as one that offers
            an extension; or a challenge has more than 12,288 (RFC 4954 section 4).
    """
    code, text = reply.code, reply.text
    prefix = ""
    if enhanced and code // 100 != 3 and verb not in PLAIN_REPLIES:
        prefix = (reply.enhanced or default_enhanced(code, verb)) + " "
    challenge = code == 334
    room = (CHALLENGE_OCTETS if challenge else LINE_OCTETS) - len(prefix) - len("250 \r\n")
    octets = text.encode("utf-8" if utf8 else "ascii", "backslashreplace")
    lines = octets.split(b"\n")
    if len(octets) > room and max(map(len, lines)) > room:
        if challenge or verb in NOT_SPLIT:
            raise LocalProtocolError(
                f"a line of the reply {code} has more than {room + len(prefix) + 6} octets "
                "(RFC 5321 section 4.5.3.1.5)"
            )
        lines = [piece for line in lines for piece in _split(line, room)]
    *others, last = lines
    start = f"{code} {prefix}".encode("ascii")
    # No text, no space (RFC 5321 section 4.2: Reply-line), but in a challenge (RFC 4954 section 8).
    final = start + last if last or challenge else start.rstrip()
    if not others:
        return (final,)
    start = f"{code}-{prefix}".encode("ascii")
    return (*(start + line for line in others), final)


def _split(line: bytes, room: int) -> list[bytes]:
    """A line of text as lines of so many octets at most: cut at spaces, never within a character.

    A handler's reason may be long, and what it refuses must not be accepted or put off for that.
    """
    pieces = []
    while len(line) > room:
        end = line.rfind(b" ", 1, room + 1)
        following = end + 1
        if end < 0:
            end = room
            # The later octets of a character in UTF-8 begin with the bits 10.
            while line[end] & 0xC0 == 0x80:
                end -= 1
            following = end
        pieces.append(line[:end])
        line = line[following:]
    return [*pieces, line]


PLAIN_REPLIES = frozenset({"greeting", "EHLO", "HELO", "LHLO"})


class ReplyReader:
    """Puts the lines of replies together (RFC 5321 section 4.2.1)."""

    __slots__ = ("_code", "_lines", "_most")

    def __init__(self, limits: Limits) -> None:
        self._most = limits.reply_lines
        self._code = 0
        self._lines: list[str] = []

    @property
    def code(self) -> int:
        """The code of a reply that has begun and is not complete; otherwise 0."""
        return self._code

    def feed(self, line: bytes) -> tuple[int, list[str]] | None:
        """Take one line without its CRLF: code and text lines of the reply it completes, or None.

        A reply that begins well and ends as a refusal, such as `220-` and then `521`, is a refusal:
        some servers find out that late whom they talk to.

        Raises:
            RemoteProtocolError: the line is no reply line, its code differs from that of the lines
                before it and is no refusal, or the reply has too many lines.
        """
        match = REPLY_LINE.fullmatch(line)
        if match is None:
            raise RemoteProtocolError(
                f"expected a reply code and text, found {line[:64]!r} (RFC 5321 section 4.2)"
            )
        code = int(match[1])
        if self._lines and code != self._code and not self._code < 400 <= code:
            raise RemoteProtocolError(
                f"the lines of one reply begin with {self._code} and {code}: {line[:64]!r} "
                "(RFC 5321 section 4.2.1)"
            )
        if len(self._lines) == self._most:
            raise RemoteProtocolError(f"a reply has more than {self._most} lines")
        self._lines.append(_readable(match[3] or b""))
        self._code = code
        if match[2] == b"-":
            return None
        lines, self._lines, self._code = self._lines, [], 0
        return code, lines


def _readable(octets: bytes) -> str:
    """The text of a line, fit to be shown to people.

    It is read as UTF-8, or where it is none, as ISO 8859-1.  `?` stands for control characters, as
    they could steer a terminal.
    """
    octets = octets.translate(_READABLE)
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        if text.isascii() or _ANY_C1.search(text) is None:
            return text
    return octets.translate(_READABLE_LATIN).decode("latin-1")


def build_reply(
    code: int, lines: list[str], command: Command | None, recipient: Rcpt | None = None
) -> Reply:
    """The reply that a client received, with its enhanced status code taken out of the text.

    The code counts as one only if every line begins with the same one and its class agrees with the
    reply code's, so a server that sends none, or that does not announce them, is read as it is.
    A refusal in the greeting or in reply to EHLO may have one: servers do so, and it tells why.
    """
    enhanced = ""
    if code >= 400 or (command is not None and command.verb not in PLAIN_REPLIES):
        enhanced = _common_enhanced(code, lines)
        if enhanced:
            lines = [line[len(enhanced) + 1 :] for line in lines]
    # What was read fits, and its code may be one that no server should send.
    reply = object.__new__(Reply)
    _set(reply, "code", code)
    _set(reply, "enhanced", enhanced)
    _set(reply, "text", "\n".join(lines))
    _set(reply, "command", command)
    _set(reply, "recipient", recipient)
    return reply


_set = object.__setattr__  # its own refuses


def _common_enhanced(code: int, lines: list[str]) -> str:
    """The enhanced status code that every line begins with; empty if there is none."""
    match = LEADING.match(lines[0])
    if match is None or int(match[1]) != code // 100:
        return ""
    enhanced = match[0]
    alike = all(line == enhanced or line.startswith(f"{enhanced} ") for line in lines[1:])
    return enhanced if alike else ""
