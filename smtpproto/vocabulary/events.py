"""Events that are no command and no reply, what `send` takes apart from those, and `Need`.

The content of a message travels as `ContentChunk`s and one `EndOfContent`, the same in both
directions and for DATA and BDAT.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import final

from .command_base import Command
from .replies import Reply

__all__ = [
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


@final
class Need(enum.Enum):
    """What a connection waits for when it has no event."""

    DATA = "bytes from the peer: receive_data"
    REPLY = "a reply to the command given last: send"
    TLS = "the TLS handshake: tls_established"


@dataclass(frozen=True, slots=True)
class ContentChunk:
    """A piece of the message content, without dot transparency.

    Arguments:
        octets: the next octets; the borders between chunks mean nothing.

    Raises:
        TypeError: they are not bytes, nor a bytearray or a memoryview.
    """

    octets: bytes

    def __post_init__(self) -> None:
        if not isinstance(self.octets, (bytes, bytearray, memoryview)):
            raise TypeError(f"content: expected bytes, found {self.octets!r:.64}")


@dataclass(frozen=True, slots=True)
class EndOfContent:
    """The message content is complete.  Without it the message must not be delivered."""


@dataclass(frozen=True, slots=True)
class AuthResponse:
    """A client's response to a challenge (RFC 4954 section 4), or to a 334 of another dialogue.

    Arguments:
        octets: the response, not in base64; None to cancel.  It is a secret and never shown.

    Raises:
        TypeError: it is neither bytes nor None.
    """

    octets: bytes | None = field(repr=False)

    def __post_init__(self) -> None:
        if self.octets is not None and not isinstance(self.octets, bytes):
            # Not shown: it is a secret.
            raise TypeError("response: expected bytes or None")


@dataclass(frozen=True, slots=True)
class Rejected:
    """The server refused something itself and has replied.

    Arguments:
        reply: the reply, already queued.
        reason: what was expected and what was found.
        content: whether it refused message content; then no `EndOfContent` follows.
    """

    reply: Reply
    reason: str
    content: bool = False


@dataclass(frozen=True, slots=True)
class Deviation:
    """A command line that has mistakes but that a lenient server understood.

    Do not reply to it.  The next event is the command, or its refusal.

    Arguments:
        reason: what is wrong with it.
        command: what the server understood.
    """

    reason: str
    command: Command


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """Nothing more will come.  `next_event` returns it once.

    Arguments:
        clean: True if QUIT and its positive reply ended the session (RFC 5321 section 4.1.1.10).
            False if the link was closed or one side said 421 before.
    """

    clean: bool = True


ServerEvent = (
    Command | ContentChunk | EndOfContent | AuthResponse | Rejected | Deviation | ConnectionClosed
)
ClientEvent = Reply | ConnectionClosed
Event = ServerEvent | ClientEvent
