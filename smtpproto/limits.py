"""Every bound of the engine in one value, with the minimums of RFC 5321 section 4.5.3.1.

The length of a line of content has no entry: content is a stream here, so a long line costs nothing
and the minimum of 1,000 octets (section 4.5.3.1.6) holds by itself.  The size of a whole message is
the affair of the SIZE extension.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["Limits"]

# RFC 5321 sections 4.5.3.1.1 to 4.5.3.1.8: what every implementation has to accept.
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
    """Bounds on what a peer can make this side hold or do (RFC 5321 section 4.5.3.1).

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
        errors: commands the server refuses by itself before it closes with 421.
        commands: commands since the last message that was accepted, or since the session began,
            before the server closes with 421; accepted recipients and chunks do not count.
        transaction_time: seconds that a client has to send a mail transaction, from MAIL to the end
            of its content; what the handler takes meanwhile counts.
        transaction_rate: for each so many octets that come in the transaction the client has one
            more second: who is slower than this in the end is sent away with 421.
        overlong: octets of lines that were too long, in all, before the server closes with 421.
        unanswered: commands the client has under way at once, so that neither side's socket
            buffers fill up with the other one not reading (RFC 2920 section 3.1).

    Raises:
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
        for field in fields(self):
            least = MINIMUMS.get(field.name, 1)
            value = getattr(self, field.name)
            if value < least:
                raise ValueError(
                    f"{field.name} is {value}; the least is {least} (RFC 5321 section 4.5.3.1)"
                )


# What holds where nothing else is said: to check them anew took a tenth of a short session.
DEFAULT = Limits()
