"""The states of a session, and what the reply to a command changes: RFC 5321 4.1.4 and 4.3.2.

The table itself is in `smtpproto.engine.transition_table`; extensions add rows in their own files.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["Effect", "State", "Table", "Transition"]


class State(enum.Enum):
    """The state of a session.  Extensions add rows to the table, never states."""

    CONNECTED = "before the greeting"
    REFUSED = "the greeting was negative: only QUIT is left"
    GREETED = "before EHLO, HELO or LHLO"
    READY = "no mail transaction"
    MAIL = "a reverse-path, no recipient"
    RCPT = "at least one recipient"
    CONTENT = "the message content, and its reply"
    CHUNKS = "between chunks of content (RFC 3030)"
    SPOILED = "after a chunk that failed: only RSET helps (RFC 3030)"
    EXCHANGE = "a dialogue of challenges and responses (RFC 4954)"
    TLS = "before a TLS handshake (RFC 3207)"
    CLOSED = "the session is over"
    ERROR = "the peer broke the protocol; nothing more is read"

    # The default method hashes the name each time: 94 ns against 26 ns on CPython 3.11.
    __hash__ = object.__hash__


class Effect(enum.Enum):
    """What both sides forget with a transition."""

    NOTHING = "nothing"
    TRANSACTION = "the reverse-path and the recipients"
    SESSION = "the name given, what was offered, and the transaction"


class Transition(NamedTuple):
    """What the reply to a command changes (RFC 5321 section 4.3.2).

    Arguments:
        ok: the state after 2xx; None: no change.
        more: the state after 3xx; None: 3xx is not allowed here.  A row that has only `more`
            allows no 2xx either.
        no: the state after 4xx or 5xx; None: no change.
        forget: what both sides forget with a positive reply, or if a negative one changes the
            state.
        in_flight: the row only tells how to read a reply to a pipelined command that was sent
            before the earlier replies were known; neither role may begin such a command.
    """

    ok: State | None = None
    more: State | None = None
    no: State | None = None
    forget: Effect = Effect.NOTHING
    in_flight: bool = False


Table = Mapping[State, Mapping[str, Transition]]
