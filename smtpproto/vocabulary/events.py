"""What `next_event` gives besides commands and replies, and what `send` takes besides them.

The content of a message travels as `ContentChunk`s and one `EndOfContent`, the same in both
directions and for DATA and BDAT.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Final

from .command_base import Command
from .replies import Reply

__all__ = [
    "NEED_DATA",
    "PAUSED",
    "AuthResponse",
    "ClientEvent",
    "ConnectionClosed",
    "ContentChunk",
    "Deviation",
    "EndOfContent",
    "Event",
    "Need",
    "Rejected",
    "ServerEvent",
]


class Need(enum.Enum):
    """What a connection waits for when it has no event.  In `match`, always write `Need.DATA`."""

    DATA = "bytes from the peer: receive_data"
    REPLY = "a reply to the command given last: send"
    TLS = "the TLS handshake: tls_established"


NEED_DATA: Final = Need.DATA
PAUSED: Final = Need.REPLY


@dataclass(frozen=True, slots=True)
class ContentChunk:
    """Some octets of the message content, without dot transparency.

    Arguments:
        octets: what comes next; chunk borders mean nothing.
    """

    octets: bytes


@dataclass(frozen=True, slots=True)
class EndOfContent:
    """The message content is complete.  A session that ends before it delivers nothing."""


@dataclass(frozen=True, slots=True)
class AuthResponse:
    """What a client answers to a challenge (RFC 4954 section 4), or to a 334 of another dialogue.

    Arguments:
        octets: the response, without its base64; None to cancel.  Never shown.

    Raises:
        TypeError: it is neither.
    """

    octets: bytes | None = field(repr=False)

    def __post_init__(self) -> None:
        if self.octets is not None and not isinstance(self.octets, bytes):
            # Not shown: it is a secret.
            raise TypeError("response: expected bytes or None")


@dataclass(frozen=True, slots=True)
class Rejected:
    """The server refused something by itself and has answered it.

    Arguments:
        reply: the answer, queued already.
        reason: what was expected, what was found.
        content: whether it was the content of a message: no `EndOfContent` follows then.
    """

    reply: Reply
    reason: str
    content: bool = False


@dataclass(frozen=True, slots=True)
class Deviation:
    """A command line that is wrong, but that a lenient server understood all the same.

    It needs no answer.  The command, or what refuses it, is the next event.

    Arguments:
        reason: what is wrong with it.
        command: what was understood.
    """

    reason: str
    command: Command


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """Nothing more will come; given once.

    Arguments:
        clean: whether QUIT and its positive reply ended the session (RFC 5321 section 4.1.1.10).
            False: it ended in the middle, as the link was closed or one side said 421.
    """

    clean: bool = True


ServerEvent = (
    Command | ContentChunk | EndOfContent | AuthResponse | Rejected | Deviation | ConnectionClosed
)
ClientEvent = Reply | ConnectionClosed
Event = ServerEvent | ClientEvent
