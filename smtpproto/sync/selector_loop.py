"""The thread that does the protocol's work for all sessions of a blocking server."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from math import inf
from typing import Any

from ..adapters import host, sockets, tls_contexts
from ..adapters.listening import Arrival, Listening
from ..conversations.io_requests import (
    BeginTLS,
    Call,
    CallWithContent,
    Receive,
    Report,
    Request,
    Send,
)
from ..conversations.server.incoming_content import ContentLost
from .accepted_connection import READ, AcceptedConnection
from .content_chunks import Chunks
from .handler_threads import HandlerThreads
from .link import at_once
from .wakeable_selector import WakeableSelector

__all__ = ["Loop"]

_SLICE = 2048  # octets of replies after which other connections have their turn
_LAST = 0.5  # seconds that handlers have to return after their connections were cut

# A call, and what the loop does with its result or error.
_Job = tuple[
    AcceptedConnection, Call | CallWithContent, Callable[[AcceptedConnection, Any, Any], None]
]


class Loop:
    """The thread that does the protocol's work for all sessions, and never waits but in `select`.

    Attributes:
        ended: set at the end.
    """

    def __init__(self, listening: Listening, threads: int, content_threads: int) -> None:
        self.ended = threading.Event()
        self._listening = listening
        self._selector = WakeableSelector()
        self._workers: HandlerThreads[_Job] = HandlerThreads(threads, self._perform)
        # A method `content` waits for its client, and no other call may wait for that.
        self._readers: HandlerThreads[_Job] = HandlerThreads(content_threads, self._perform)
        self._pools = (self._workers, self._readers)
        self._thread = threading.Thread(target=self._run, name="smtpproto-server")
        self._connections: set[AcceptedConnection] = set()
        # Connections that can go on, and have let others go first.
        self._ready: deque[AcceptedConnection] = deque()
        self._listeners = set(listening.listeners)
        # Times on the clock `time.monotonic`: nothing becomes due before `_soonest`; then listening
        # begins again, or sessions and then handlers have had their time.
        self._soonest = self._resume_at = self._cut_at = self._give_up_at = inf
        self._draining = self._over = False

    def start(self) -> None:
        """Begin.

        Raises:
            RuntimeError, MemoryError: there is no room for the threads.
        """
        try:
            self._listen()
            # One is there in any case: without room for more, handlers wait for it.
            self._workers.start_one()
            if self._listening.factory.hooks.content is not None:
                self._readers.start_one()
            self._thread.start()
        except BaseException:
            self._end_pools()
            self._selector.close()
            self._listening.close()
            raise

    def is_own(self, thread: threading.Thread) -> bool:
        """Whether a thread is one of the server's."""
        return thread is self._thread or any(thread in pool for pool in self._pools)

    def join(self) -> None:
        """Wait for the end of the thread, after that of the server."""
        self._thread.join()

    def stop(self, grace: float) -> None:
        """Have the server end; in any thread."""
        self._selector.post(self._stop, grace)

    # --- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._over:
            try:
                self._turn()
            except BaseException:  # noqa: BLE001  # a defect, or no memory: the server goes on
                host.LOG.exception("the server failed, and goes on")
                time.sleep(sockets.PAUSE)
        self._end_pools()
        # A handler that has not returned by now is not waited for.
        until = min(time.monotonic() + _LAST, self._give_up_at)
        for pool in self._pools:
            pool.join(until)
        self._selector.close()
        self.ended.set()

    def _end_pools(self) -> None:
        for pool in self._pools:
            pool.end()

    def _turn(self) -> None:
        found = self._selector.select(self._seconds())
        for key, _ in found:
            if isinstance(key.data, AcceptedConnection):
                self._look_at(key.data)
            else:
                self._accept(key.data)
        self._selector.run()
        for _ in range(len(self._ready)):
            self._go_on(self._ready.popleft())
        if self._soonest <= time.monotonic():
            self._look_at_the_clock()
        if self._draining and not self._connections:
            self._over = True
        for pool in self._pools:
            pool.hand_over(busy=bool(found))

    def _seconds(self) -> float | None:
        """How long to wait for sockets at most."""
        if self._ready or self._over or any(pool.holds for pool in self._pools):
            return 0
        most = inf if self._soonest == inf else max(0.0, self._soonest - time.monotonic())
        if any(pool.short for pool in self._pools):
            most = min(most, HandlerThreads.PATIENCE)
        return None if most == inf else most

    def _look_at_the_clock(self) -> None:
        """Do what has become due."""
        now = time.monotonic()
        if self._give_up_at <= now:
            self._give_up()
        elif self._cut_at <= now:
            self._cut()
        if self._resume_at <= now:
            self._listen()
        for connection in self._waiting():
            if connection.deadline <= now:
                connection.late()
                self._go_on(connection)
        deadlines = (connection.deadline for connection in self._waiting())
        self._soonest = min(self._give_up_at, self._cut_at, self._resume_at, *deadlines)

    def _waiting(self) -> list[AcceptedConnection]:
        """The connections whose socket has to become ready for what they wait for."""
        return [each for each in self._connections if each.awaited and not each.ready]

    # --- listening ----------------------------------------------------------------------------

    def _listen(self) -> None:
        self._resume_at = inf
        for listener in list(self._listeners):
            try:
                self._selector.selector.register(listener, READ, listener)
            except (OSError, ValueError) as error:
                self._forget(listener, error)

    def _pause(self, seconds: float) -> None:
        """Listen no more, for some time."""
        for listener in self._listeners:
            self._ignore(listener)
        self._resume_at = time.monotonic() + seconds
        self._soonest = min(self._soonest, self._resume_at)

    def _ignore(self, listener: socket.socket) -> None:
        # During a pause it is not registered; and one that was closed is not found then.
        with suppress(KeyError, ValueError):
            self._selector.selector.unregister(listener)

    def _forget(self, listener: socket.socket, error: Exception) -> None:
        """Go on without a listener: to look at it again and again would be to spin."""
        host.LOG.error("a socket no longer listens, other code closed it: %s", error)
        self._ignore(listener)
        self._listeners.remove(listener)

    def _accept(self, listener: socket.socket) -> None:
        try:
            if not self._listening.accept_all(listener, self._begin):
                self._pause(sockets.PAUSE)
        except sockets.NotListening as error:
            self._forget(listener, error)

    def _begin(self, arrival: Arrival) -> None:
        connection = AcceptedConnection(
            *arrival, self._listening.handshake, self._listening.settings.timeout
        )
        # The number is free, so what was watched under it was closed elsewhere.
        with suppress(KeyError):
            self._selector.selector.unregister(connection.number)
        self._connections.add(connection)
        self._go_on(connection)

    # --- connections --------------------------------------------------------------------------

    def _look_at(self, connection: AcceptedConnection) -> None:
        """Something happened to the socket of a connection."""
        if connection.awaited is None:
            # A handler has to return first.
            self._unwatch(connection)
        elif not connection.ready:
            self._go_on(connection)

    def _go_on(self, connection: AcceptedConnection) -> None:
        """Run the conversation of a connection until it waits, and close it if it is over."""
        if connection not in self._connections:
            return
        connection.sent, connection.ready = 0, False
        try:
            if connection.awaited is not None and not self._attempt(connection):
                return
            if self._run_steps(connection):
                return
        except BaseException:  # noqa: BLE001  # a defect; the server goes on
            host.LOG.exception("a session failed")
        self._leave(connection)

    def _run_steps(self, connection: AcceptedConnection) -> bool:
        """Run a conversation until it waits; False where it is over."""
        steps, chunk = connection.steps, connection.reads_chunk
        answer: bytes | BaseException | None
        try:
            for request in steps:
                if not self._fulfil(connection, request):
                    return True
            answer = steps.returned
        except BaseException as error:
            if not chunk:
                raise
            answer = error
        if chunk:
            connection.end_chunk(answer)
        return chunk

    def _fulfil(self, connection: AcceptedConnection, request: Request) -> bool:
        """Do what a conversation asks for; False if that has to wait."""
        # By far the most frequent first: this is where a server spends its time.
        if type(request) is Send:
            connection.expect(request)
            return self._attempt(connection)
        if type(request) is Receive:
            connection.expect(request)
            if connection.secure:
                # What TLS has decrypted already makes no socket readable.
                return self._give_way(connection)
            return self._attempt(connection) if self._draining else self._watch(connection, READ)
        if isinstance(request, (Call, CallWithContent)):
            self._call(connection, request)
            return False
        if isinstance(request, Report):
            host.report(request.error)
            return True
        if isinstance(request, BeginTLS) and callable(connection.handshake.context):
            self._ask_for_context(connection, request)
            return False
        connection.expect(request)
        return self._attempt(connection)

    def _attempt(self, connection: AcceptedConnection) -> bool:
        """Try to do what is awaited; False if the conversation has to wait, or to give way."""
        missing = 0
        try:
            missing = connection.attempt()
        except (OSError, MemoryError) as error:
            connection.fail(error)
        except BaseException as error:  # noqa: BLE001  # any error ends this connection only
            host.LOG.exception("a connection failed")
            connection.fail(ConnectionAbortedError(f"the server failed: {error!r}"))
        if missing and not (self._draining and connection.drain()):
            return self._watch(connection, missing)
        return connection.sent < _SLICE or self._give_way(connection)

    def _give_way(self, connection: AcceptedConnection) -> bool:
        """Let other connections go first; False."""
        connection.ready = True
        self._ready.append(connection)
        return False

    def _ask_for_context(self, connection: AcceptedConnection, request: BeginTLS) -> None:
        """Have the context for a handshake made; that may take its time: files are read."""

        def then(connection: AcceptedConnection, context: Any, error: Any) -> None:
            connection.handshake = tls_contexts.HandshakeSettings(context)
            connection.expect(request)
            if error is not None:
                connection.fail(error)
            self._go_on(connection)

        self._workers.submit((connection, Call(connection.handshake.current), then))

    def _watch(self, connection: AcceptedConnection, events: int) -> bool:
        """Have the selector look for events of the socket; False."""
        if connection.watched != events:
            selector = self._selector.selector
            change = selector.modify if connection.watched else selector.register
            change(connection.number, events, connection)
            connection.watched = events
        self._soonest = min(self._soonest, connection.deadline)
        return False

    def _unwatch(self, connection: AcceptedConnection) -> None:
        if connection.watched:
            connection.watched = 0
            self._selector.selector.unregister(connection.number)

    def _leave(self, connection: AcceptedConnection) -> None:
        self._connections.remove(connection)
        try:
            self._unwatch(connection)
            connection.close()
        except BaseException:  # noqa: BLE001  # after any error the server goes on
            host.LOG.exception("a connection was not closed as it should be")
        finally:
            self._listening.leave(connection.session)

    # --- handlers -----------------------------------------------------------------------------

    def _call(self, connection: AcceptedConnection, request: Call | CallWithContent) -> None:
        """Have a method of the handler called."""
        if connection.reads_chunk:
            # The thread that waits for the chunk does it.
            assert isinstance(request, Call)
            assert connection.chunks is not None
            connection.chunks.give(request)
            return
        pool = self._workers
        if isinstance(request, CallWithContent):
            pool = self._readers
            connection.chunks = Chunks(
                partial(self._ask, connection, request),
                lambda call: self._perform((connection, call, self._returned)),
            )
        pool.submit((connection, request, self._returned))

    def _perform(self, job: _Job) -> None:
        """Call a method of the handler, in a worker."""
        connection, request, then = job
        result = error = None
        try:
            if isinstance(request, Call):
                result = at_once(request.function(*request.arguments))
            else:
                chunks = connection.chunks
                assert chunks is not None
                with chunks:
                    result = at_once(request.function(*request.arguments, chunks))
        except BaseException as raised:  # noqa: BLE001  # the conversation knows what it means
            error = raised
        self._selector.post(then, connection, result, error)

    def _returned(self, connection: AcceptedConnection, result: Any, error: Any) -> None:
        """A method of the handler has returned or raised."""
        connection.steps.result, connection.steps.error = result, error
        self._go_on(connection)

    def _ask(self, connection: AcceptedConnection, request: CallWithContent) -> None:
        """Have a chunk read, in a worker."""
        if not self._selector.post(self._begin_chunk, connection, request):
            raise ContentLost("the server has stopped")

    def _begin_chunk(self, connection: AcceptedConnection, request: CallWithContent) -> None:
        connection.begin_chunk(request.read())
        if connection in self._connections:
            self._go_on(connection)
        else:
            connection.end_chunk(ContentLost("the server has stopped"))

    # --- the end ------------------------------------------------------------------------------

    def _stop(self, grace: float) -> None:
        """Listen no more, and let conversations that wait for their client know of the end."""
        self._cut_at = min(self._cut_at, time.monotonic() + grace)
        self._soonest = min(self._soonest, self._cut_at)
        if self._draining:
            return
        self._draining = True
        self._pause(inf)
        self._listening.close()
        for connection in self._waiting():
            self._go_on(connection)

    def _cut(self) -> None:
        """Cut off the sessions that are left."""
        self._cut_at, self._give_up_at = inf, time.monotonic() + _LAST
        for connection in self._connections:
            connection.cut()
        for connection in self._waiting():
            self._go_on(connection)

    def _give_up(self) -> None:
        """Stop without the handlers that have not returned."""
        waiting = sum(pool.waiting for pool in self._pools)
        host.LOG.error(
            "the server has stopped: %d calls of handlers have not returned, %d have not begun",
            len(self._connections) - waiting,
            waiting,
        )
        for connection in list(self._connections):
            self._leave(connection)
            if connection.reads_chunk:
                connection.end_chunk(ContentLost("the server has stopped"))
