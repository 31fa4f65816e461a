"""Replies: RFC 5321 section 4.2, with the enhanced status codes of RFC 2034 and 3463.

A `Reply` is a value that a server sends and a client receives; `format_reply` and `ReplyReader`
turn it into lines and back.  What a code means stands in `codes`.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .codes import Explanation, default_enhanced, explain
from .commands import Command, Rcpt
from .errors import LocalProtocolError, RemoteProtocolError

if TYPE_CHECKING:
    from .limits import Limits

__all__ = ["Reply", "ReplyReader", "build_reply", "format_reply"]

# Reply-code = %x32-35 %x30-35 %x30-39 (RFC 5321 section 4.2)
# Textstring = 1*(%d09 / %d32-126), and UTF-8 after RFC 6531 section 3.7.4.1
REPLY_LINE = re.compile(rb"([2-5][0-5][0-9])(?:([ -])(.*))?", re.DOTALL)
# status-code = class "." subject "." detail (RFC 3463 section 2)
ENHANCED = re.compile(r"([245])\.(?:0|[1-9][0-9]{0,2})\.(?:0|[1-9][0-9]{0,2})")
ENHANCED_TEXT = re.compile(
    r"([245]\.(?:0|[1-9][0-9]{0,2})\.(?:0|[1-9][0-9]{0,2}))(?: (.*))?", re.DOTALL
)
# Control characters but tab and line feed; those beyond ASCII can steer a terminal as well.
UNFIT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# A reply line may have 512 octets with its code and CRLF (RFC 5321 section 4.5.3.1.5).
LINE_OCTETS = 512
EXCHANGE_OCTETS = 12288


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answers (RFC 5321 section 4.2).

    Arguments:
        code: the reply code, 200 to 559.
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

    Raises:
        LocalProtocolError: a line would have more than 512 octets; 12,288 for a challenge (RFC 4954
            section 4).
    """
    prefix = ""
    code = reply.code
    if enhanced and code // 100 != 3 and verb not in PLAIN_REPLIES:
        prefix = (reply.enhanced or default_enhanced(code, verb)) + " "
    # A server says a few things over and over.  A challenge is another each time, and not to keep.
    format_lines = _format_lines.__wrapped__ if code == 334 else _format_lines
    return format_lines(code, prefix, reply.text, "utf-8" if utf8 else "ascii")


@functools.lru_cache(maxsize=256)
def _format_lines(code: int, prefix: str, text: str, encoding: str) -> tuple[bytes, ...]:
    *others, last = text.split("\n")
    texts = [f"{code}-{prefix}{line}" for line in others]
    # No text, no space (RFC 5321 section 4.2: Reply-line), but in a challenge (RFC 4954 section 8).
    challenge = code == 334
    bare = not last and not challenge
    texts.append(f"{code} {prefix}".rstrip() if bare else f"{code} {prefix}{last}")
    most = EXCHANGE_OCTETS if challenge else LINE_OCTETS
    lines = [text.encode(encoding, "backslashreplace") for text in texts]
    for line in lines:
        if len(line) + 2 > most:
            raise LocalProtocolError(
                f"a line of the reply {code} has more than {most} octets "
                "(RFC 5321 section 4.5.3.1.5)"
            )
    return tuple(lines)


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

        Raises:
            RemoteProtocolError: the line is no reply line, its code differs from that of the lines
                before it, or the reply has too many lines.
        """
        match = REPLY_LINE.fullmatch(line)
        if match is None:
            raise RemoteProtocolError(
                f"expected a reply code and text, found {line[:64]!r} (RFC 5321 section 4.2)"
            )
        code = int(match[1])
        if self._lines and code != self._code:
            raise RemoteProtocolError(
                f"the lines of one reply begin with {self._code} and {code} "
                "(RFC 5321 section 4.2.1)"
            )
        if len(self._lines) == self._most:
            raise RemoteProtocolError(f"a reply has more than {self._most} lines")
        self._lines.append((match[3] or b"").decode("utf-8", "backslashreplace"))
        self._code = code
        if match[2] == b"-":
            return None
        lines, self._lines, self._code = self._lines, [], 0
        return code, lines


def build_reply(
    code: int, lines: list[str], command: Command | None, recipient: Rcpt | None = None
) -> Reply:
    """The reply that a client received, with its enhanced status code taken out of the text.

    The code counts as one only if every line begins with the same one and its class agrees with the
    reply code's, so a server that sends none, or that does not announce them, is read as it is.
    A refusal in the greeting or in reply to EHLO may have one: servers do so, and it tells why.
    Control characters in the text become escapes: it is meant to be shown to people.
    """
    plain = code < 400 and (command is None or command.verb in PLAIN_REPLIES)
    enhanced, text = _read_text(code, tuple(lines), plain=plain)
    # What was read fits; to look at it again would double the time.
    reply = object.__new__(Reply)
    _set(reply, "code", code)
    _set(reply, "enhanced", enhanced)
    _set(reply, "text", text)
    _set(reply, "command", command)
    _set(reply, "recipient", recipient)
    return reply


_set = object.__setattr__  # its own refuses


# A server says the same to a thousand recipients: 0.2 us in place of 3.
@functools.lru_cache(maxsize=64)
def _read_text(code: int, lines: tuple[str, ...], *, plain: bool) -> tuple[str, str]:
    """The enhanced status code, if there is one, and the text."""
    enhanced = ""
    if not plain:
        matches = [ENHANCED_TEXT.fullmatch(line) for line in lines]
        codes = {match[1] if match is not None else "" for match in matches}
        common = codes.pop() if len(codes) == 1 else ""
        if common[:1] == str(code)[0]:
            enhanced = common
            lines = tuple((match[2] or "") if match is not None else "" for match in matches)
    return enhanced, UNFIT.sub(lambda found: f"\\x{ord(found[0]):02x}", "\n".join(lines))
