"""What a conversation may ask of the adapter that runs it.

A conversation is a generator: it yields a request and is resumed with the result.  An adapter is
the loop that fulfils requests by whatever kind of I/O it has:

* `Send`: write all the octets; resume with None.  Where the peer does not take them and says
  something itself, resume with that, if the request is one that `reads`.
* `Receive`: resume with what arrived, `b""` once the peer has closed.
* `Look`: resume with whether octets have arrived that were not read; read none and do not wait.
* `BeginTLS`: do the handshake; resume with `TLSFacts`.
* `Call`: call the function (and await what it gives, where the adapter can); resume with the
  result.
* `CallWithContent`: the same, with an iterator of chunks as last argument; each chunk is what a run
  of the generator from `read` returns, None at the end.
* `Report`: log an exception of a handler; resume with None.

What goes wrong is thrown into the conversation, because only it knows what was under way: `OSError`
(a time limit that ran out is `TimeoutError`) for the link, `Draining` once when the server is to
stop while the conversation waits, and whatever a called function raised.
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
    "Look",
    "Receive",
    "Report",
    "Request",
    "Send",
]

T = TypeVar("T")

# None of these is frozen: that would make them take four times as long to make, and a server makes
# eight for each message.


@dataclass(slots=True)
class Send:
    """Write `data`, all of it.

    Arguments:
        data: octets.
        timeout: seconds without progress after which the peer takes too long: they begin anew
            whenever it takes some octets (RFC 5321 section 4.5.3.2.5).
        reads: whether to resume early with octets that come while the peer does not take what is
            written, `b""` if it has closed.  Two sides that both write and do not read wait for
            each other for ever (RFC 2920 section 3.1).  The adapter keeps what is left; it leaves
            with the next `Send`, or before the next `Receive` waits.
    """

    data: bytes
    timeout: float
    reads: bool = False


@dataclass(slots=True, eq=False)
class Budget:
    """The time that several waits have together.

    Attributes:
        seconds: from the first of these waits to the end of the last one; may grow meanwhile.
        began: when the first one began, on the clock of the adapter, which sets it.
    """

    seconds: float
    began: float | None = None

    def end(self, now: float) -> float:
        """When the time is over; it begins now if it has not begun."""
        if self.began is None:
            self.began = now
        return self.began + self.seconds


@dataclass(slots=True)
class Receive:
    """Read some octets.

    Arguments:
        timeout: seconds to wait at most.
        fresh: whether a new wait begins; otherwise the time since the last fresh one counts on, so
            that a peer that sends an octet now and then gains nothing.
        most: octets to take at most, where what follows them belongs to somebody else (TLS).
        within: what bounds this wait besides; None: nothing does.
    """

    timeout: float
    fresh: bool
    most: int = 65536
    within: Budget | None = None

    def deadline(self, now: float, before: float, most: float | None) -> float:
        """When the wait is over, on the clock of the adapter.

        Arguments:
            now: what time it is.
            before: what this gave for the wait before.
            most: seconds that no wait may pass; None: no bound.
        """
        until = before
        if self.fresh:
            until = now + (self.timeout if most is None else min(self.timeout, most))
        return until if self.within is None else min(until, self.within.end(now))


@dataclass(slots=True)
class Look:
    """Look whether octets have arrived that were not read."""


@dataclass(slots=True)
class BeginTLS:
    """Do the TLS handshake.

    Arguments:
        timeout: seconds for all of it.
    """

    timeout: float


@dataclass(slots=True)
class Call:
    """Call a function of the user's."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


@dataclass(slots=True)
class CallWithContent:
    """Call a function of the user's with an iterator over message content."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    read: Callable[[], Generator[Any, Any, bytes | None]]


@dataclass(slots=True)
class Report:
    """Log an exception that a handler raised."""

    error: BaseException


class Draining(Exception):
    """Thrown into a server's conversation that waits: the server is to stop."""


Request = Send | Receive | Look | BeginTLS | Call | CallWithContent | Report
Flow = Generator[Request, Any, T]
"""A conversation that returns a `T`."""
