"""The requests of a conversation, and what an adapter must do for each.

A conversation is a generator: it yields a request and is resumed with the result.  An adapter is a
loop that fulfils the requests with its kind of I/O:

* `Send`: write all octets; resume with None.  If the request `reads`, and the peer sends octets
  while it does not accept ours, resume with these.
* `Receive`: resume with the octets that arrived, or `b""` once the peer has closed.
* `HasUnread`: resume with whether unread octets have arrived; read none and do not wait.
* `BeginTLS`: do the handshake; resume with `TLSFacts`.
* `Call`: call the function (and await its result, if the adapter can); resume with the result.
* `CallWithContent`: the same, with an iterator of chunks as last argument.  To get a chunk, run the
  generator from `read`, which returns it; None is the end.
* `Report`: log an exception of a handler; resume with None.

The adapter throws errors into the conversation, because only the conversation knows its state:
`OSError` of the link (`TimeoutError` after a time limit), any exception of a called function, and
`Draining` once if the server stops while the conversation waits.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

__all__ = [
    "BeginTLS",
    "Budget",
    "Call",
    "CallWithContent",
    "Draining",
    "Flow",
    "HasUnread",
    "Receive",
    "Report",
    "Request",
    "Send",
]

T = TypeVar("T")

# These classes are not frozen: creating a frozen one takes four times as long, and a server creates
# eight for each message.


@dataclass(slots=True)
class Send:
    """Write `data`, all of it.

    Arguments:
        data: octets.
        timeout: seconds that the peer may take without accepting octets; they begin again when it
            accepts some (RFC 5321 section 4.5.3.2.5).
        reads: whether to resume early with octets that arrive while the peer does not accept ours,
            `b""` if it has closed.  Otherwise two sides that both write and do not read would wait
            for each other without end (RFC 2920 section 3.1).  The adapter keeps the unsent octets
            and writes them with the next `Send`, or before the next `Receive` waits.
    """

    data: bytes
    timeout: float
    reads: bool = False


@dataclass(slots=True, eq=False)
class Budget:
    """A time limit for several waits together.

    Attributes:
        seconds: the time from the start of the first wait to the end of the last; it may grow.
        began: when the first wait began, on the adapter's clock; the adapter sets it.
    """

    seconds: float
    began: float | None = None

    def end(self, now: float) -> float:
        """Return when the time is over; start it now if it has not started."""
        if self.began is None:
            self.began = now
        return self.began + self.seconds


@dataclass(slots=True)
class Receive:
    """Read some octets.

    Arguments:
        timeout: the most seconds to wait.
        fresh: whether a new wait begins.  If not, the time since the last fresh one counts, so a
            peer cannot extend it by sending single octets.
        most: the most octets to read, if others must read those that follow (TLS).
        within: a further time limit for this wait, or None.
    """

    timeout: float
    fresh: bool
    most: int = 65536
    within: Budget | None = None

    def deadline(self, now: float, before: float, most: float | None) -> float:
        """Return when the wait is over, on the adapter's clock.

        Arguments:
            now: the current time.
            before: the result of this method for the wait before.
            most: seconds that no wait may exceed; None: no bound.
        """
        until = before
        if self.fresh:
            until = now + (self.timeout if most is None else min(self.timeout, most))
        return until if self.within is None else min(until, self.within.end(now))


@dataclass(slots=True)
class HasUnread:
    """Check whether unread octets have arrived."""


@dataclass(slots=True)
class BeginTLS:
    """Do the TLS handshake.

    Arguments:
        timeout: seconds for the whole handshake.
    """

    timeout: float


@dataclass(slots=True)
class Call:
    """Call a function of the user."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


@dataclass(slots=True)
class CallWithContent:
    """Call a function of the user with an iterator over message content."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    read: Callable[[], Generator[Any, Any, bytes | None]]


@dataclass(slots=True)
class Report:
    """Log an exception that a handler raised."""

    error: BaseException


class Draining(Exception):
    """The adapter throws this into a server's conversation that waits: the server is stopping."""


Request = Send | Receive | HasUnread | BeginTLS | Call | CallWithContent | Report
Flow = Generator[Request, Any, T]
"""A conversation that returns a `T`."""
