"""`Limits`: every bound of the engine, with the minimums of RFC 5321 section 4.5.3.1.

There is no bound for lines of content: content is a stream here, so a long line needs no memory and
the minimum of 1,000 octets (section 4.5.3.1.6) always holds.  The SIZE extension limits the size of
a message.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from .field_types import check_fields

__all__ = ["Limits"]

# RFC 5321 sections 4.5.3.1.1 to 4.5.3.1.8: the minimums of every implementation.
MINIMUMS = {
    "local_part": 64,
    "domain": 255,
    "path": 256,
    "command_line": 512,
    "reply_line": 512,
    "recipients": 100,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds for what a peer can make this side store or do (RFC 5321 section 4.5.3.1).

    Arguments:
        command_line: octets of a command line, CRLF included; extensions add to it.
        exchange_line: octets of a line of an authentication exchange, CRLF included
            (RFC 4954 section 4).
        reply_line: octets of a line of a reply, CRLF included.
        reply_lines: lines of one reply.
        path: octets of a reverse-path or forward-path, with its punctuation.
        local_part: octets of a local-part.
        domain: octets of a domain or an address literal.
        recipients: accepted recipients of one mail transaction.
        errors: commands that the server refuses itself before it closes with 421.
        commands: commands since the last accepted message, or since the session began, before the
            server closes with 421; accepted recipients and chunks do not count.  Recipients
            beyond `recipients` have a bound of ten times as many: the server refuses them, and
            accepts the content for the others.
        transaction_time: seconds that a client has for a mail transaction, from MAIL to the end of
            its content; the time of the handler counts too.
        transaction_rate: octets in the transaction that give the client one more second; the
            server sends 421 to a slower client.
        overlong: octets of all lines that were too long before the server closes with 421.
        unanswered: commands that a client sends before it waits for replies.  The bound keeps both
            sides' socket buffers from filling up (RFC 2920 section 3.1).

    Raises:
        TypeError: a bound is not a whole number.
        ValueError: a bound is below the minimum that RFC 5321 sets, or below 1.
    """

    command_line: int = 512
    exchange_line: int = 12288
    reply_line: int = 2048
    reply_lines: int = 512
    path: int = 256
    local_part: int = 64
    domain: int = 255
    recipients: int = 1000
    errors: int = 20
    commands: int = 1000
    transaction_time: int = 3600
    transaction_rate: int = 1000
    overlong: int = 65536
    unanswered: int = 512

    def __post_init__(self) -> None:
        check_fields(self)
        for field in fields(self):
            least = MINIMUMS.get(field.name, 1)
            value = getattr(self, field.name)
            if value < least:
                raise ValueError(
                    f"{field.name}: expected {least} or more, found {value} "
                    "(RFC 5321 section 4.5.3.1)"
                )


# The default value, shared: checking a new one took a tenth of a short session.
DEFAULT = Limits()
