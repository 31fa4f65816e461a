"""The blocking server: its sessions share a few threads."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections import deque
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from .. import host
from .._crew import Crew
from ..conversations.requests import Draining, Receive, Request, Send
from ..conversations.steps import Steps
from ..options import Listening, Running, ServeOptions, listening
from ..session import Session
from ._run import Link, fulfil

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Server", "serve"]


def serve(handler: object, **options: Unpack[ServeOptions]) -> Server:
    """Start a server; it runs in threads of its own until it is stopped.

    These keep the interpreter from ending, so stop it.  There are as many as handlers take their
    time at once, and one or two more, however many sessions there are.

    Handler, options and errors: see `smtpproto.options.ServeOptions`.
    """
    return Server(listening(handler, options))


@dataclass(eq=False, slots=True)
class _Visit:
    """A session under way: its socket's number, and what it waits for, while it waits."""

    session: Session
    steps: Steps[None]
    link: Link
    number: int
    awaited: Receive | None = None
    registered: bool = False
    drained: bool = False


class Server(Running, AbstractContextManager["Server"]):
    """A running server; made by `serve`, usable as a context manager that stops it."""

    def __init__(self, listening: Listening) -> None:
        super().__init__(listening)
        # All that follows belongs to who has the crew's turn.
        self._crew = Crew(self._work)
        self._visits: set[_Visit] = set()
        self._ready: deque[_Visit | socket.socket] = deque()
        # Before, no time limit runs out; and when listening goes on that was interrupted.
        self._soonest = self._pause = inf
        # Whether the server is to stop, and whether all know.
        self._stopping = self._draining = False
        self._listen()
        try:
            self._crew.start()
        except RuntimeError:
            self._listening.close()
            raise

    def wait(self, timeout: float | None = None) -> bool:
        """Wait, seconds at most, until the server has stopped; whether it has."""
        return self._crew.ended.wait(timeout)

    def stop(self, timeout: float | None = None) -> None:
        """Stop, and wait until that is done: see `Running`."""
        if threading.current_thread() in self._crew:
            raise RuntimeError("a handler cannot wait for its own end: call stop in another thread")
        deadline = time.monotonic() + (self._listening.grace if timeout is None else timeout)
        with self._crew.turn:
            self._stopping = True
            self._crew.nudge()
        # A signal that comes just before a wait is handled only after it.
        while (left := deadline - time.monotonic()) > 0 and not self.wait(min(left, 1.0)):
            pass
        with self._crew.turn:
            for visit in self._visits:
                visit.link.cut()
        while not self.wait(1.0):
            pass

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- the work -----------------------------------------------------------------------------

    def _work(self) -> bool:
        if self._ready:
            found = self._ready.popleft()
            self._look_at(found) if isinstance(found, _Visit) else self._accept(found)
        elif self._crew.watched:
            return False
        elif self._stopping and not self._draining:
            self._drain()
        elif self._draining and not self._visits:
            self._crew.end()
        else:
            self._watch()
        return True

    def _watch(self) -> None:
        """Wait until there is something to do."""
        for key in self._crew.watch(self._soonest):
            visit = key.data
            if not isinstance(visit, _Visit) or visit.awaited is not None:
                self._ready.append(visit)
            else:
                # A handler reads for itself, or has to return first.
                self._unregister(visit)
        if self._soonest <= time.monotonic():
            self._look_for_late()

    def _look_for_late(self) -> None:
        now = time.monotonic()
        if self._pause <= now:
            self._listen()
        waiting = [visit for visit in self._visits if visit.awaited is not None]
        self._ready.extend(visit for visit in waiting if visit.link.deadline <= now)
        later = (visit.link.deadline for visit in waiting if visit.link.deadline > now)
        self._soonest = min([self._pause, *later])

    def _drain(self) -> None:
        """Listen no more, and let those who wait know that the server is to stop."""
        self._draining = True
        self._listen_not()
        self._pause = inf
        self._listening.close()
        self._ready.extend(visit for visit in self._visits if visit.awaited is not None)

    # --- listening ----------------------------------------------------------------------------

    def _listen(self) -> None:
        self._pause = inf
        for listener in self._listening.listeners:
            self._crew.selector.register(listener, selectors.EVENT_READ, listener)

    def _listen_not(self) -> None:
        if self._pause == inf:
            for listener in self._listening.listeners:
                self._crew.selector.unregister(listener)

    def _accept(self, listener: socket.socket) -> None:
        try:
            arrival = self._listening.accept(listener)
        except (host.Overloaded, host.NotListening):
            self._listen_not()
            self._pause = time.monotonic() + host.PAUSE
            self._soonest = min(self._soonest, self._pause)
            return
        if arrival is not None:
            sock, session, flow = arrival
            link = Link(sock, self._listening.timeout, self._listening.handshake)
            link.about_to_wait = self._crew.give_away
            visit = _Visit(session, Steps(flow), link, sock.fileno())
            self._visits.add(visit)
            self._go_on(visit)

    # --- sessions -----------------------------------------------------------------------------

    def _look_at(self, visit: _Visit) -> None:
        """Go on with a session that waits, if what it waits for is there or will not come."""
        awaited, visit.awaited = visit.awaited, None
        if awaited is None:
            return
        link, steps = visit.link, visit.steps
        try:
            steps.result = link.read(awaited.most)
        except OSError as error:
            steps.error = error
        if steps.result is None and steps.error is None:
            if self._draining and not visit.drained:
                visit.drained = True
                steps.error = Draining()
            elif link.deadline <= time.monotonic():
                steps.error = link.late(awaited)
            else:
                visit.awaited = awaited
                return
        self._go_on(visit)

    def _go_on(self, visit: _Visit) -> None:
        """Go on with a session until it waits for octets or is over."""
        steps = visit.steps
        try:
            for request in steps:
                if isinstance(request, Receive):
                    self._await(visit, request)
                    return
                self._fulfil(visit, request)
        except BaseException:  # noqa: BLE001  # a defect: whatever it is, the server goes on
            host.LOG.exception("a session failed")
        self._leave(visit)

    def _fulfil(self, visit: _Visit, request: Request) -> None:
        link, steps = visit.link, visit.steps
        key = getattr(getattr(request, "function", request), "__qualname__", "")
        try:
            if isinstance(request, Send):
                if link.write(request):
                    return
                request = Send(b"", request.timeout)
            steps.result = self._crew.call(key, fulfil, request, link)
        except BaseException as raised:  # noqa: BLE001  # it knows what was under way, not this
            steps.error = raised

    def _await(self, visit: _Visit, request: Receive) -> None:
        link = visit.link
        link.expect(request)
        visit.awaited = request
        if not visit.registered:
            self._crew.selector.register(visit.number, selectors.EVENT_READ, visit)
            visit.registered = True
        # What TLS has decrypted already makes no socket readable.
        if link.secure or (self._draining and not visit.drained):
            self._ready.append(visit)
        if link.deadline < self._soonest:
            self._soonest = link.deadline
            self._crew.nudge()

    def _leave(self, visit: _Visit) -> None:
        self._unregister(visit)
        visit.link.close()
        self._listening.leave(visit.session)
        self._visits.remove(visit)
        if self._draining and not self._visits:
            self._crew.nudge()

    def _unregister(self, visit: _Visit) -> None:
        if visit.registered:
            self._crew.selector.unregister(visit.number)
            visit.registered = False
