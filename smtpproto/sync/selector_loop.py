"""The thread that does the protocol's work for all sessions of a blocking server."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from math import inf
from typing import Any

from ..adapters import host, sockets
from ..adapters.link_base import Waited
from ..adapters.listening import Arrival, Listening
from ..adapters.nonblocking_channel import HandshakeSettings
from ..conversations.io_requests import (
    BeginTLS,
    Call,
    CallWithContent,
    Draining,
    HasUnread,
    Receive,
    Report,
    Request,
    Send,
)
from ..conversations.server.incoming_content import ContentLost
from ..timeouts import HANDLER_TIMEOUT
from .accepted_connection import AcceptedConnection
from .content_chunks import Chunks
from .handler_threads import HandlerThreads
from .link import at_once
from .wakeable_selector import WakeableSelector
from .watched_listeners import WatchedListeners

__all__ = ["Loop"]

# A call, and what the loop does with its result or error.
_Job = tuple[
    AcceptedConnection, Call | CallWithContent, Callable[[AcceptedConnection, Any, Any], None]
]


class Loop:
    """The thread that does the protocol's work for all sessions.  It waits only in `select`.

    Attributes:
        ended: set when the server has stopped.
    """

    def __init__(self, listening: Listening, threads: int, content_threads: int) -> None:
        self.ended = threading.Event()
        self._listening = listening
        self._selector = WakeableSelector()
        self._workers: HandlerThreads[_Job] = HandlerThreads(threads, self._perform)
        # A method `content` waits for its client, so it must not hold a thread of `_workers`.
        self._readers: HandlerThreads[_Job] = HandlerThreads(content_threads, self._perform)
        self._pools = (self._workers, self._readers)
        self._thread = threading.Thread(target=self._run, name="smtpproto-server")
        self._connections: set[AcceptedConnection] = set()
        # Connections that continue in the next turn.
        self._ready: deque[AcceptedConnection] = deque()
        self._listeners = WatchedListeners(listening, self._selector.selector)
        # Times on the clock `time.monotonic`.  Nothing is due before `_soonest`.  At `_cut_at` the
        # loop closes the remaining sessions; at `_give_up_at` it stops waiting for handlers.
        self._soonest = self._cut_at = self._give_up_at = inf
        self._draining = self._over = False

    def start(self) -> None:
        """Start listening, and start the threads.

        Raises:
            RuntimeError, MemoryError: the system cannot start a thread.
        """
        try:
            self._listeners.watch()
            # If the system has no room for more threads, all handlers share the first.
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
        """Return whether a thread belongs to the server."""
        return thread is self._thread or any(thread in pool for pool in self._pools)

    def join(self) -> None:
        """Wait until the thread has ended; call it after `ended` is set."""
        self._thread.join()

    def stop(self, grace: float) -> None:
        """Tell the loop to stop the server; any thread may call this."""
        self._selector.post(self._stop, grace)

    # --- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._over:
            try:
                self._turn()
            except BaseException:  # noqa: BLE001  # a bug, or no memory: the server goes on
                host.log().exception("the server failed; it goes on")
                time.sleep(sockets.PAUSE)
        self._end_pools()
        # Wait only a short time for handlers that still run.
        until = min(time.monotonic() + HANDLER_TIMEOUT, self._give_up_at)
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
                self._listeners.accept(key.data, self._begin)
                self._soonest = min(self._soonest, self._listeners.resume_at)
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
        """Return for how many seconds to wait for sockets at most; None: without end."""
        if self._ready or self._over or any(pool.holds for pool in self._pools):
            return 0
        most = inf if self._soonest == inf else max(0.0, self._soonest - time.monotonic())
        if any(pool.short for pool in self._pools):
            most = min(most, HandlerThreads.PATIENCE)
        return None if most == inf else most

    def _look_at_the_clock(self) -> None:
        """Handle the deadlines that have passed."""
        now = time.monotonic()
        if self._give_up_at <= now:
            self._give_up()
        elif self._cut_at <= now:
            self._cut()
        if self._listeners.resume_at <= now:
            self._listeners.watch()
        for connection in self._waiting():
            if connection.deadline <= now:
                connection.fail(connection.late())
                self._go_on(connection)
        deadlines = (connection.deadline for connection in self._waiting())
        resume_at = self._listeners.resume_at
        self._soonest = min(self._give_up_at, self._cut_at, resume_at, *deadlines)

    def _waiting(self) -> list[AcceptedConnection]:
        """Return the connections that wait for their sockets."""
        return [each for each in self._connections if each.waits and not each.ready]

    # --- connections --------------------------------------------------------------------------

    def _begin(self, arrival: Arrival) -> None:
        connection = AcceptedConnection(
            *arrival, self._listening.handshake, self._listening.settings.timeout
        )
        # Other code may have closed a socket that the selector watches; its number is used again.
        with suppress(KeyError):
            self._selector.selector.unregister(connection.number)
        self._connections.add(connection)
        self._go_on(connection)

    def _look_at(self, connection: AcceptedConnection) -> None:
        """Continue a connection whose socket is ready."""
        if not connection.waits:
            # The conversation waits for a handler; do not watch the socket meanwhile.
            self._unwatch(connection)
        elif not connection.ready:
            self._go_on(connection)

    def _go_on(self, connection: AcceptedConnection) -> None:
        """Run a connection's conversation until it waits; close the connection at the end."""
        if connection not in self._connections:
            return
        connection.ready = False
        try:
            if connection.waits and not self._attempt(connection):
                return
            if self._run_steps(connection):
                return
        except BaseException:  # noqa: BLE001  # a bug: the server goes on
            host.log().exception("a session failed")
        self._leave(connection)

    def _run_steps(self, connection: AcceptedConnection) -> bool:
        """Run a conversation until it waits.  Return False if it has ended."""
        steps, chunk = connection.steps, connection.reads_chunk
        try:
            for request in steps:
                if not self._fulfil(connection, request):
                    return True
        except BaseException as error:
            if not chunk:
                raise
            connection.end_chunk(error)
            return True
        if chunk:
            connection.end_chunk(steps.returned)
        return chunk

    def _fulfil(self, connection: AcceptedConnection, request: Request) -> bool:
        """Fulfil a request of a conversation.  Return False if the conversation must wait."""
        # The most frequent requests come first, for speed.
        if type(request) is Receive or type(request) is Send:
            return self._attempt(connection, request)
        if isinstance(request, (Call, CallWithContent)):
            self._call(connection, request)
            return False
        if isinstance(request, Report):
            host.report(request.error)
            return True
        if isinstance(request, HasUnread):
            connection.steps.result = connection.has_input()
            return True
        if isinstance(request, BeginTLS) and callable(connection.handshake.context):
            self._ask_for_context(connection, request)
            return False
        return self._attempt(connection, request)

    def _attempt(self, connection: AcceptedConnection, request: Waited | None = None) -> bool:
        """Begin a request for the socket, or try again; return False if it must wait."""
        try:
            if connection.is_cut:
                raise ConnectionAbortedError("the server cut the connection off")
            if request is None:
                connection.steps.result = connection.attempt()
                connection.waits = connection.events != 0
            elif connection.expect(request):
                return True
            else:
                connection.waits = True
                if not connection.events:
                    return self._give_way(connection)
        except (OSError, MemoryError, Draining) as error:
            connection.fail(error)
        except BaseException as error:  # noqa: BLE001  # an error ends only this connection
            host.log().exception("a connection failed")
            connection.fail(ConnectionAbortedError(f"the server failed: {error!r}"))
        return not connection.events or self._watch(connection, connection.events)

    def _give_way(self, connection: AcceptedConnection) -> bool:
        """Continue the connection in the next turn, after the others.  Return False."""
        connection.ready = True
        self._ready.append(connection)
        return False

    def _ask_for_context(self, connection: AcceptedConnection, request: BeginTLS) -> None:
        """Make the context for a handshake in a worker, because that may read files."""

        def then(connection: AcceptedConnection, context: Any, error: Any) -> None:
            connection.handshake = HandshakeSettings(context)
            if error is not None:
                connection.fail(error)
            elif not self._attempt(connection, request):
                return
            self._go_on(connection)

        self._workers.submit((connection, Call(connection.handshake.current), then))

    def _watch(self, connection: AcceptedConnection, events: int) -> bool:
        """Let the selector watch for events of the socket.  Return False."""
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
        except BaseException:  # noqa: BLE001  # the server goes on after any error
            host.log().exception("closing a connection failed")
        finally:
            self._listening.leave(connection.session)

    # --- handlers -----------------------------------------------------------------------------

    def _call(self, connection: AcceptedConnection, request: Call | CallWithContent) -> None:
        """Call a method of the handler in a thread."""
        if connection.reads_chunk:
            # The handler's thread waits for the chunk meanwhile, so it makes the call.
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
        try:
            if isinstance(request, Call):
                result = at_once(request.function(*request.arguments))
            else:
                chunks = connection.chunks
                assert chunks is not None
                with chunks:
                    result = at_once(request.function(*request.arguments, chunks))
        except BaseException as raised:  # noqa: BLE001  # the conversation handles it
            self._selector.post(then, connection, None, raised)
        else:
            self._selector.post(then, connection, result, None)

    def _returned(self, connection: AcceptedConnection, result: Any, error: Any) -> None:
        """Continue after a method of the handler has returned or raised."""
        connection.steps.result, connection.steps.error = result, error
        if not connection.reads_chunk:
            # The handler with chunks has returned; they refer to the connection.
            connection.chunks = None
        self._go_on(connection)

    def _ask(self, connection: AcceptedConnection, request: CallWithContent) -> None:
        """Ask the loop for a chunk; a worker calls this."""
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
        """Stop listening, and tell the conversations that wait for their clients."""
        self._cut_at = min(self._cut_at, time.monotonic() + grace)
        self._soonest = min(self._soonest, self._cut_at)
        if self._draining:
            return
        self._draining = True
        self._listeners.pause(inf)
        self._listening.close()
        for connection in self._connections:
            connection.drain()
        for connection in self._waiting():
            self._go_on(connection)

    def _cut(self) -> None:
        """Cut off the remaining sessions."""
        self._cut_at, self._give_up_at = inf, time.monotonic() + HANDLER_TIMEOUT
        for connection in self._connections:
            connection.cut()
        for connection in self._waiting():
            self._go_on(connection)

    def _give_up(self) -> None:
        """Stop without waiting for handlers that still run."""
        waiting = sum(pool.waiting for pool in self._pools)
        host.log().error(
            "the server has stopped: %d calls of handlers have not returned, %d have not begun",
            len(self._connections) - waiting,
            waiting,
        )
        for connection in list(self._connections):
            self._leave(connection)
            if connection.reads_chunk:
                connection.end_chunk(ContentLost("the server has stopped"))
