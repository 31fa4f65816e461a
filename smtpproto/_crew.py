"""Threads that share the work of a server's sessions."""

from __future__ import annotations

import os
import selectors
import threading
import time
from collections.abc import Callable, Hashable
from math import inf
from typing import TypeVar

from . import host

__all__ = ["Crew"]

T = TypeVar("T")

_PATIENCE = 0.001  # seconds after which a call is one that takes its time
_SPARE = 5.0  # seconds after which a thread without work ends


class Crew:
    """Threads of which one works at a time: the one that has the `turn`.

    The interpreter runs one thread at a time in any case; left to itself it changes threads at each
    call of the system, which under load costs more than all that a session does.  So one thread
    does everything that does not wait, and only what takes its time has a thread of its own, while
    another goes on.

    Arguments:
        work: called with the turn, again and again: does a piece of work, and says whether there
            was any; waits for some with `watch`, unless another thread does.

    Attributes:
        selector: what work may come from.
        turn: held by who works; for whoever else wants to see or change what the work is about.
        watched: whether a thread waits for work.
        ended: set when the last thread has ended.
    """

    def __init__(self, work: Callable[[], bool]) -> None:
        self.selector = selectors.DefaultSelector()
        self._wake, self._alarm = os.pipe()
        self.selector.register(self._wake, selectors.EVENT_READ)
        self.turn = threading.Lock()
        self.watched = False
        self.ended = threading.Event()
        self._work = work
        self._over = False
        self._threads: set[threading.Thread] = set()
        # Threads without work, and how many of them are called.
        self._resting = threading.Condition(self.turn)
        self._idle = 0
        self._called = 0
        # Who is in a `call` and has the turn nevertheless, since when, and in what: one at most.
        self._calls: dict[int, tuple[float, Hashable]] = {}
        # How often the last calls with a key took their time: once may be the machine's doing.
        self._late: dict[Hashable, int] = {}
        self._guard_sleeps = False
        self._guard_wanted = threading.Event()

    def start(self) -> None:
        """Begin.

        Raises:
            RuntimeError: there is no room for a thread.
        """
        with self.turn:
            try:
                self._hire(self._guard)
                self._hire(self._run)
            except RuntimeError:
                self.end()
                raise

    def watch(self, until: float) -> list[selectors.SelectorKey]:
        """Wait, without the turn, for what the selector has or a nudge; it may be neither."""
        seconds = None if until == inf else max(0.0, until - time.monotonic())
        self.watched = True
        self.turn.release()
        try:
            keys = [key for key, _ in self.selector.select(seconds)]
        finally:
            self.turn.acquire()
            self.watched = False
        for key in keys:
            if key.fd == self._wake:
                os.read(self._wake, 4096)
                keys.remove(key)
                break
        return keys

    def nudge(self) -> None:
        """Let whoever watches see what has changed; who begins to watch later sees it anyway."""
        if self.watched:
            os.write(self._alarm, b"!")

    def call(self, key: Hashable, function: Callable[..., T], *arguments: object) -> T:
        """Call what may take its time.

        Then another thread goes on: at once where the last calls with this key took their time,
        and otherwise when this one turns out to.  To give the turn away and to get it back costs
        more than most functions do.
        """
        caller = threading.get_ident()
        began = time.monotonic()
        # Whoever takes it out, this or the guard, decides who has the turn.
        self._calls[caller] = (began, key)
        slow = self._late.get(key, 0) > 1
        if slow:
            self.give_away()
        elif self._guard_sleeps:
            self._guard_wanted.set()
        try:
            return function(*arguments)
        finally:
            has_turn = self._calls.pop(caller, None) is not None
            if has_turn or time.monotonic() - began < _PATIENCE:
                self._late.pop(key, None)
            if not has_turn:
                self.turn.acquire()

    def give_away(self) -> None:
        """Let another thread have the turn until the call ends; for who is about to wait in one."""
        if self._calls.pop(threading.get_ident(), None) is not None:
            self._hand_over()
            self.turn.release()

    def end(self) -> None:
        """Let all threads come to their end; for who has the turn, and while nobody watches."""
        self._over = True
        self.selector.close()
        os.close(self._wake)
        os.close(self._alarm)
        self._resting.notify_all()
        self._guard_wanted.set()

    def __contains__(self, thread: object) -> bool:
        return thread in self._threads

    # --- threads ------------------------------------------------------------------------------

    def _hire(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._serve, args=(target,), name="smtpproto-server")
        self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:
            self._threads.remove(thread)
            raise

    def _serve(self, target: Callable[[], None]) -> None:
        target()
        with self.turn:
            self._threads.remove(threading.current_thread())
            if not self._threads:
                self.ended.set()

    def _run(self) -> None:
        with self.turn:
            while not self._over and (self._work() or self._rest()):
                pass

    def _rest(self) -> bool:
        """Wait to be called; whether that came to pass."""
        self._idle += 1
        self._resting.wait(_SPARE)
        self._idle -= 1
        # A call is for whoever wakes first.
        called = self._called > 0
        self._called -= called
        return called

    def _hand_over(self) -> None:
        """See to it that somebody goes on with the work."""
        if self.watched:
            return
        if self._idle > self._called:
            self._called += 1
            self._resting.notify()
            return
        try:
            self._hire(self._run)
        except RuntimeError as error:
            host.LOG.warning("the sessions have to wait for one: %s", error)

    def _guard(self) -> None:
        """Take the turn from calls that take their time."""
        while not self._over:
            self._guard_sleeps = True
            # Who begins a call now either is seen here or sees that this sleeps.
            if not self._calls:
                self._guard_wanted.wait()
            self._guard_wanted.clear()
            self._guard_sleeps = False
            time.sleep(_PATIENCE)
            for caller, (began, key) in list(self._calls.items()):
                late = time.monotonic() - began >= _PATIENCE
                if late and self._calls.pop(caller, None) is not None:
                    self._late[key] = self._late.get(key, 0) + 1
                    self._hand_over()
                    self.turn.release()
