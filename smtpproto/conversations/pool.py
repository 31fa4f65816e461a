"""Which connection of a pool to use again, which to try out first, which to give up.

No I/O: the adapter opens, checks and closes connections when it is asked to, and says what time it
is.  RFC 5321 section 4.5.4.1 recommends to use a connection for several messages.  Servers end idle
ones (section 4.5.3.2.7 asks them to wait five minutes, few do), and some tell how many messages one
may carry (RFC 9422).
"""

from __future__ import annotations

import contextlib
import enum
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from ..errors import RemoteProtocolError
from .errors import SMTPError
from .requests import Call, Flow

__all__ = ["Fate", "PoolBase", "PoolLimits", "Poolable", "Shelf", "Taken"]


class Poolable(Protocol):
    """A client as a pool sees it; what its methods give may have to be waited for."""

    @property
    def ready(self) -> bool: ...
    @property
    def deliveries(self) -> int: ...
    @property
    def most_deliveries(self) -> int | None: ...
    def noop(self) -> Any: ...
    def quit(self) -> Any: ...
    def close(self) -> Any: ...


C = TypeVar("C")
K = TypeVar("K", bound=Poolable)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """Bounds of a pool.

    Arguments:
        connections: how many at once; whoever wants one more waits.
        messages: mail transactions on one connection, None for no bound; a server's own bound
            (LIMITS MAILMAX, RFC 9422) counts if it is lower.
        idle: seconds after which an unused connection is given up.
        trusted: seconds for which an unused connection is taken to be alive; after them it is
            tried out with a NOOP before it is used again.

    Raises:
        ValueError: a bound is out of range.
    """

    connections: int = 10
    messages: int | None = 100
    idle: float = 60.0
    trusted: float = 5.0

    def __post_init__(self) -> None:
        for name, value in (("connections", self.connections), ("messages", self.messages)):
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; the least is 1")
        for name, seconds in (("idle", self.idle), ("trusted", self.trusted)):
            if seconds < 0:
                raise ValueError(f"{name} is {seconds:g} seconds; the least is 0")


class Fate(enum.Enum):
    """What to do with a connection that comes back."""

    KEEP = "nothing: it waits on the shelf"
    QUIT = "say QUIT and close: it works, and is not to be used again"
    CLOSE = "close: it is broken, or in the middle of something"


@dataclass(frozen=True, slots=True)
class Taken(Generic[C]):
    """What `Shelf.take` decided.

    Arguments:
        connection: the one to use; None: open a new one.
        check: whether to try it out first; if that fails, close it and take again.
        expired: say QUIT to these and close them.
    """

    connection: C | None
    check: bool
    expired: tuple[C, ...]


class Shelf(Generic[C]):
    """The idle connections of one pool.

    The one that came back last is used first, so that a pool which is needed less grows smaller.

    Arguments:
        limits: see `PoolLimits`.
    """

    def __init__(self, limits: PoolLimits) -> None:
        self._limits = limits
        self._open = True
        # Oldest first, each with the time when it came back.  Threads may share a shelf: each use
        # is one operation of the deque, or leaves it sound in between.
        self._idle: deque[tuple[C, float]] = deque()

    def __len__(self) -> int:
        return len(self._idle)

    def take(self, now: float) -> Taken[C]:
        """Choose a connection.

        Arguments:
            now: seconds on a clock that never goes back, as in all calls.
        """
        expired = self.expire(now)
        try:
            connection, since = self._idle.pop()
        except IndexError:
            return Taken(None, False, expired)
        return Taken(connection, now - since >= self._limits.trusted, expired)

    def put(
        self, connection: C, now: float, *, ready: bool, messages: int, most: int | None = None
    ) -> Fate:
        """Take a connection back.

        Arguments:
            connection: what was taken, or opened.
            now: see `take`.
            ready: whether a new mail transaction could begin on it at once.
            messages: mail transactions it has carried so far.
            most: what the server says one connection may carry.
        """
        if not ready:
            return Fate.CLOSE
        bounds = [bound for bound in (most, self._limits.messages) if bound is not None]
        if any(messages >= bound for bound in bounds):
            return Fate.QUIT
        entry = (connection, now)
        self._idle.append(entry)
        if not self._open:
            # Whoever takes it out again, this or `close`, has to see to it.
            with contextlib.suppress(ValueError):
                self._idle.remove(entry)
                return Fate.QUIT
        return Fate.KEEP

    def expire(self, now: float) -> tuple[C, ...]:
        """Those that were idle for too long, taken out: say QUIT to them and close them."""
        expired = []
        with contextlib.suppress(IndexError):
            while True:
                connection, since = self._idle.popleft()
                if now - since < self._limits.idle:
                    self._idle.appendleft((connection, since))
                    break
                expired.append(connection)
        return tuple(expired)

    def close(self) -> tuple[C, ...]:
        """All that are idle, taken out; from now on none is kept."""
        self._open = False
        idle = []
        with contextlib.suppress(IndexError):
            while True:
                idle.append(self._idle.popleft()[0])
        return tuple(idle)


class PoolBase(Generic[K]):
    """Clients of one server that are used again; `connection` of a pool lends one.

    A pool is a context manager that closes them.  It takes the host, port and options of `connect`
    (one of the blocking pools may be used from several threads), and raises its errors.

    Arguments:
        bounds: how many clients, for how long.
        connect: gives a new client, which the adapter may have to wait for.
        clock: seconds on a clock that never goes back.
    """

    def __init__(
        self, bounds: PoolLimits, connect: Callable[[], Any], clock: Callable[[], float]
    ) -> None:
        self._shelf = Shelf[K](bounds)
        self._connect = connect
        self._clock = clock

    def _take(self) -> Flow[K]:
        """A client that works, as far as one can know."""
        while True:
            taken = self._shelf.take(self._clock())
            yield from _dismiss(taken.expired)
            client = taken.connection
            if client is None:
                return (yield Call(self._connect))  # type: ignore[no-any-return]  # so it says
            if not taken.check or (yield from _works(client)):
                return client

    def _put(self, client: K) -> Flow[None]:
        """Take a client back."""
        fate = self._shelf.put(
            client,
            self._clock(),
            ready=client.ready,
            messages=client.deliveries,
            most=client.most_deliveries,
        )
        if fate is not Fate.KEEP:
            yield Call(client.quit if fate is Fate.QUIT else client.close)

    def _close(self) -> Flow[None]:
        """Close what is idle; what is in use is closed when it comes back."""
        yield from _dismiss(self._shelf.close())


def _works(client: Poolable) -> Flow[bool]:
    """Whether the server is still there; if not, the client closes itself."""
    try:
        yield Call(client.noop)
    except (SMTPError, RemoteProtocolError):
        return False
    return client.ready


def _dismiss(clients: Iterable[Poolable]) -> Flow[None]:
    """Take leave of each, whatever becomes of the others."""
    error: BaseException | None = None
    for client in clients:
        try:
            yield Call(client.quit)
        except BaseException as raised:  # noqa: BLE001  # raised below
            error = raised
    if error is not None:
        raise error
