"""Replies: RFC 5321 section 4.2, with the enhanced status codes of RFC 2034 and 3463.

A server sends a `Reply` and a client receives it; `format_reply` and `ReplyReader` convert it to
lines and back.  `codes` has the meanings of the codes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import LocalProtocolError, RemoteProtocolError
from ..field_types import check_fields
from ..grammar.lazy_pattern import lazy_pattern
from .codes import Explanation, default_enhanced, explain
from .command_base import Command
from .commands import Rcpt

if TYPE_CHECKING:
    from ..limits import Limits

__all__ = [
    "DOMAIN_ACCEPTS_NO_MAIL",
    "HOST_ACCEPTS_NO_MAIL",
    "Reply",
    "ReplyReader",
    "format_reply",
    "reply_as_read",
    "sendable",
]

# Reply-line = Reply-code [ ("-" / SP) Textstring ]; Textstring = 1*(%d09 / %d32-126), and UTF-8
# after RFC 6531 section 3.7.4.1.  A client accepts any two digits after the first, which alone says
# what to do (RFC 5321 sections 4.2 and 4.3.2).  A server must send a Reply-code.
_CODES = {b"%d" % code: code for code in range(200, 600)}
_SEPARATORS = (b" ", b"-", b"")
# status-code = class "." subject "." detail (RFC 3463 section 2)
ENHANCED = lazy_pattern(r"([245])\.(?:0|[1-9][0-9]{0,2})\.(?:0|[1-9][0-9]{0,2})")
# The same at the beginning of a line of text, by the class of the reply code: it must agree.
LEADING = {
    kind: lazy_pattern(rf"({kind}\.(?:0|[1-9][0-9]{{0,2}})\.(?:0|[1-9][0-9]{{0,2}}))(?: |\n|\Z)")
    for kind in (2, 4, 5)
}
# Control characters but tab and line feed; also C1 controls, which can steer a terminal as well.
UNFIT = lazy_pattern(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Replacements of control characters, of one octet each, so a text keeps its length.
_CONTROLS = bytes([*range(9), *range(10, 32), 127])
_READABLE = bytes.maketrans(_CONTROLS, b"?" * len(_CONTROLS))
# The same in ISO 8859-1, which has controls beyond ASCII (C1).
_C1 = bytes(range(0x80, 0xA0))
_READABLE_LATIN = bytes.maketrans(_C1, b"?" * len(_C1))
_ANY_C1 = lazy_pattern("[\x80-\x9f]")
# A reply line may have 512 octets with its code and CRLF (RFC 5321 section 4.5.3.1.5), a challenge
# 12,288 (RFC 4954 section 4).
LINE_OCTETS = 512
CHALLENGE_OCTETS = 12288
# What to send instead of a received code that a server must not send, by its first digit.
GENERAL = {2: 250, 3: 354, 4: 451, 5: 554}
# Replies whose lines are for programs, not for people.
NOT_SPLIT = frozenset({"EHLO", "LHLO"})


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's reply (RFC 5321 section 4.2).

    Arguments:
        code: the reply code: 200 to 559, the last two digits below 60.  A client may receive any
            two digits after the first.
        enhanced: the enhanced status code, such as "5.1.1"; empty if there is none.
        text: the text for people; line feeds separate the lines.
        command: on a client, the command that this answers; None for the greeting and for a reply
            that the server sends unasked, such as 421.  Not compared.
        recipient: on an LMTP client, the recipient that a reply after the content is about
            (RFC 2033 section 4.2).  Not compared.

    Raises:
        LocalProtocolError: a code out of range, an enhanced status code whose class differs from
            the code's, or control characters (CR and NUL among them) in the text.
        TypeError: the code is not a number, or the enhanced status code not text.
    """

    code: int
    enhanced: str = ""
    text: str = ""
    command: Command | None = field(default=None, compare=False)
    recipient: Rcpt | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        code = self.code
        # Only wrong values pay for the comparison of all fields.
        if type(code) is not int or type(self.enhanced) is not str or type(self.text) is not str:
            check_fields(self)
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


HOST_ACCEPTS_NO_MAIL = Reply(521, "5.3.2", "Host does not accept mail")
"""The greeting of a host that never accepts mail: after it only QUIT is possible (RFC 7504)."""

DOMAIN_ACCEPTS_NO_MAIL = Reply(556, "5.1.10", "Domain does not accept mail")
"""The reply to RCPT of a relay that knows that the recipient's domain accepts no mail, such as from
a null MX (RFC 7504 section 4, RFC 7505)."""


def sendable(reply: Reply) -> Reply:
    """Return the reply, or a substitute if a server must not send its code.

    A client has to understand any two digits after the first; a server must send the codes of
    RFC 5321 section 4.2.
    """
    if reply.code % 100 < 60:
        return reply
    return Reply(GENERAL[reply.code // 100], reply.enhanced, reply.text)


def format_reply(
    reply: Reply, verb: str, *, enhanced: bool, utf8: bool = False
) -> tuple[bytes, ...]:
    """The lines of a reply, without CRLF.

    Arguments:
        reply: the reply to write.
        verb: the command it answers; it selects the enhanced status code if the reply has none.
        enhanced: whether enhanced status codes are in use.  The greeting, the replies to EHLO, HELO
            and LHLO and all 3xx replies have none (RFC 2034 section 4).
        utf8: whether the text may be sent as UTF-8 (RFC 6531 section 3.7.4.1).  Otherwise
            characters outside ASCII are written as escapes.

    It splits a line of text that would have more than 512 octets.

    Raises:
        LocalProtocolError: a line that cannot be split has more than 512 octets, such as one of
            the reply to EHLO; or a challenge has more than 12,288 (RFC 4954 section 4).
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
    # Without text there is no space (RFC 5321 section 4.2), except in a challenge (RFC 4954 section
    # 8).
    final = start + last if last or challenge else start.rstrip()
    if not others:
        return (final,)
    start = f"{code}-{prefix}".encode("ascii")
    return (*(start + line for line in others), final)


def _split(line: bytes, room: int) -> list[bytes]:
    """Split a line into lines of at most so many octets: at spaces, never within a character.

    A handler's reason may be long.  Its length must not turn a refusal into another reply.
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
    """Joins the lines of replies (RFC 5321 section 4.2.1), as a client understands them.

    Attributes:
        code: the code of an incomplete reply; 0 if no reply has begun.
    """

    __slots__ = ("_lines", "_most", "code")

    def __init__(self, limits: Limits) -> None:
        self._most = limits.reply_lines
        self.code = 0
        self._lines: list[str] = []

    def feed(
        self, line: bytes, command: Command | None = None, recipient: Rcpt | None = None
    ) -> Reply | None:
        """Take a line without its CRLF; return the reply that it completes, or None.

        A reply that begins positive and ends as a refusal, such as `220-` and then `521`, is a
        refusal: some servers decide that late.

        An enhanced status code counts only if every line begins with the same one and its class
        agrees with the reply code's.  So servers that send or announce none are read correctly.  A
        refusal in the greeting or in reply to EHLO may have one: some servers do this, and it gives
        the reason.

        Arguments:
            line: the line.
            command: the command that the reply answers.
            recipient: the recipient that it is about, see `Reply`.

        Raises:
            RemoteProtocolError: the line is no reply line; its code differs from that of the lines
                before it and is no refusal; or the reply has too many lines.
        """
        lines = self._lines
        code, separator = _CODES.get(line[:3]), line[3:4]
        if code is None or separator not in _SEPARATORS:
            raise RemoteProtocolError(
                f"expected a reply code and text, found {line[:64]!r} (RFC 5321 section 4.2)"
            )
        if lines and code != self.code and not self.code < 400 <= code:
            raise RemoteProtocolError(
                f"the lines of one reply begin with {self.code} and {code}: {line[:64]!r} "
                "(RFC 5321 section 4.2.1)"
            )
        if len(lines) == self._most:
            raise RemoteProtocolError(f"a reply has more than {self._most} lines")
        lines.append(_readable(line[4:]))
        if separator == b"-":
            self.code = code
            return None
        self.code, self._lines = 0, []
        plain = code < 400 and (command is None or command.verb in PLAIN_REPLIES)
        enhanced, text = ("", "\n".join(lines)) if plain else _without_enhanced(code, lines)
        return reply_as_read(code, enhanced, text, command, recipient)


def _readable(octets: bytes) -> str:
    """Decode a line for people.

    It is read as UTF-8, or if that fails, as ISO 8859-1.  `?` replaces control characters, as they
    could steer a terminal.
    """
    if octets.isascii():
        text = octets.decode("ascii")
        if text.isprintable():
            return text
    octets = octets.translate(_READABLE)
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        if text.isascii() or _ANY_C1.search(text) is None:
            return text
    return octets.translate(_READABLE_LATIN).decode("latin-1")


def reply_as_read(
    code: int, enhanced: str, text: str, command: Command | None, recipient: Rcpt | None
) -> Reply:
    """Return a reply that was checked as it was read; servers must not send every code there is."""
    reply = object.__new__(Reply)
    _set_code(reply, code)
    _set_enhanced(reply, enhanced)
    _set_text(reply, text)
    _set_command(reply, command)
    _set_recipient(reply, recipient)
    return reply


# The class is frozen, and its own method refuses.  These take half the time of `object`'s.
_set_code, _set_enhanced, _set_text, _set_command, _set_recipient = (
    vars(Reply)[name].__set__ for name in ("code", "enhanced", "text", "command", "recipient")
)


def _without_enhanced(code: int, lines: list[str]) -> tuple[str, str]:
    """Return the enhanced status code that every line begins with, and the text without it."""
    pattern, text = LEADING.get(code // 100), "\n".join(lines)
    match = None if pattern is None else pattern.match(text)
    if match is None:
        return "", text
    enhanced, start = match[1], match.end()
    if len(lines) == 1:
        return enhanced, text[start:]
    if any(line != enhanced and not line.startswith(f"{enhanced} ") for line in lines):
        return "", text
    return enhanced, "\n".join([line[len(enhanced) + 1 :] for line in lines])
