"""The rules of a pool: which idle client to use again, which to check first, which to close.

RFC 5321 section 4.5.4.1 recommends using a connection for several messages.  Servers close idle
connections: section 4.5.3.2.7 requires them to wait five minutes, but few do.  Some announce how
many messages they accept on one connection (RFC 9422).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from ...errors import LocalProtocolError, RemoteProtocolError
from ...field_types import check_fields, check_seconds
from ...timeouts import POOL_IDLE_TIMEOUT
from ..errors import SMTPError
from ..io_requests import Call, Flow

__all__ = ["PoolBase", "PoolLimits", "Poolable"]


class Poolable(Protocol):
    """A client as a pool needs it; the results of its methods may have to be awaited.

    If a method is interrupted, it closes the client.
    """

    @property
    def ready(self) -> bool: ...
    @property
    def deliveries(self) -> int: ...
    @property
    def most_deliveries(self) -> int | None: ...
    def noop(self) -> Any: ...
    def quit(self) -> Any: ...
    def close(self) -> Any: ...


K = TypeVar("K", bound=Poolable)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """Bounds of a pool.

    Arguments:
        connections: how many clients at once; further callers wait.
        messages: mail transactions on one connection; None for no bound.  A lower bound of the
            server (LIMITS MAILMAX, RFC 9422) takes precedence.
        idle: seconds after which an unused connection is closed.
        trusted: seconds for which an unused connection is assumed to work; after that it is
            checked with NOOP before it is used again.

    Raises:
        TypeError: a bound has another type.
        ValueError: a bound is out of range.
    """

    connections: int = 10
    messages: int | None = 100
    idle: float = POOL_IDLE_TIMEOUT
    trusted: float = 5.0

    def __post_init__(self) -> None:
        check_fields(self)
        for name, value in (("connections", self.connections), ("messages", self.messages)):
            if value is not None and value < 1:
                raise ValueError(f"{name}: expected 1 or more, found {value}")
        check_seconds(idle=self.idle, trusted=self.trusted)


class PoolBase(Generic[K]):
    """Clients of one server that are used again; the method `connection` lends one.

    A pool is a context manager that closes its clients.  It takes the host, port and options of
    `connect` and raises its errors.  Several threads may use a blocking pool.

    It lends the client that came back last, so a pool that is used less becomes smaller.

    Arguments:
        bounds: the bounds of the pool.
        connect: a function that returns a new client, and may have to be awaited.
        clock: a function that returns monotonic seconds.
        lock: held while the list of idle clients is changed; for adapters with threads.
    """

    def __init__(
        self,
        bounds: PoolLimits,
        connect: Callable[[], Any],
        clock: Callable[[], float],
        lock: AbstractContextManager[object],
    ) -> None:
        self._bounds = bounds
        self._connect = connect
        self._clock = clock
        self._lock = lock
        self._closed = False
        # Each idle client with the time when it came back; the oldest comes first.
        self._idle: list[tuple[K, float]] = []

    def _take(self) -> Flow[K]:
        """Return a client that works, as far as known.

        During each wait at most one client is out of the list.  If the wait is interrupted, this
        closes that client; the others stay in the list.

        Raises:
            LocalProtocolError: the pool is closed.
        """
        if self._closed:
            raise LocalProtocolError("this pool is closed: make another one")
        while (expired := self._pop_expired()) is not None:
            yield Call(expired.quit)
        while (found := self._pop_newest()) is not None:
            client, since = found
            if self._clock() - since < self._bounds.trusted or (yield from _works(client)):
                return client
        return (yield Call(self._connect))  # type: ignore[no-any-return]  # `connect` returns a K

    def _put(self, client: K) -> Flow[None]:
        """Take a client back: keep it; or say QUIT if it works but must not be used again."""
        most = (client.most_deliveries, self._bounds.messages)
        spent = any(bound is not None and client.deliveries >= bound for bound in most)
        ready = client.ready
        with self._lock:
            keep = ready and not spent and not self._closed
            if keep:
                self._idle.append((client, self._clock()))
        if not keep:
            yield Call(client.quit if ready else client.close)

    def _close(self) -> Flow[None]:
        """Say QUIT to all idle clients; one in use is closed when it comes back."""
        with self._lock:
            self._closed = True
        error: BaseException | None = None
        while (found := self._pop_newest()) is not None:
            try:
                yield Call(found[0].quit)
            except BaseException as raised:  # noqa: BLE001  # raised below
                error = raised
        if error is not None:
            raise error

    def _pop_expired(self) -> K | None:
        """Remove a client that was idle too long and return it, or None."""
        with self._lock:
            if self._idle and self._clock() - self._idle[0][1] >= self._bounds.idle:
                return self._idle.pop(0)[0]
            return None

    def _pop_newest(self) -> tuple[K, float] | None:
        """Remove the client that came back last; return it and the time, or None."""
        with self._lock:
            return self._idle.pop() if self._idle else None


def _works(client: Poolable) -> Flow[bool]:
    """Return whether the server still replies; if not, the client closes itself."""
    try:
        yield Call(client.noop)
    except (SMTPError, RemoteProtocolError):
        return False
    return client.ready
