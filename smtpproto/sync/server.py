"""The blocking server: a thread that waits for all sockets, and threads that call handlers."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..adapters.listening import (
    Listening,
    ListeningSettings,
    Running,
    check_settings,
    start_listening,
)
from ..adapters.settings_as_parameters import fields_as_parameters
from .selector_loop import Loop

if TYPE_CHECKING:
    from ..conversations import ContentHandler, MessageHandler

__all__ = ["Server", "ThreadedSettings", "serve", "serve_with"]

THREADS = 64


@dataclass(frozen=True, kw_only=True)
class ThreadedSettings(ListeningSettings):
    """How many threads the server has.

    There are two bounds, because a method `content` holds a thread while the content of its message
    arrives, which takes as long as its client likes.  No other call waits for that.

    Arguments:
        threads: how many calls of handlers run at once at most, without those of `content`; the
            others wait in the order in which they came.
        content_threads: how many calls of a method `content` run at once at most.  None: as many as
            there may be sessions (`admission`), so that silent clients hold up no other message.
    """

    threads: int = THREADS
    content_threads: int | None = None


@fields_as_parameters(ThreadedSettings)
def serve(handler: MessageHandler | ContentHandler, settings: ThreadedSettings) -> Server:
    """Start a server; it runs in threads of its own until it is stopped.

    One thread does all that the protocol asks for, for all sessions.  The methods of the handler,
    and the credential store, are called in other threads, which are started as they are needed.
    The first keeps the interpreter from ending, so stop the server.

    The handler is an object with some of the methods of `Handler`, called for several sessions at
    once.  What is kept for each thread (`threading.local`) is not kept for a session.

    Raises:
        OSError: the server cannot listen there.
        TypeError: the handler is none, or there is no such argument.
        LocalProtocolError: the host name is no domain, so that no Received field can have it.
        ValueError: TLS without a context or a context without TLS, a listener that does not listen,
            or no thread.
    """
    return serve_with(handler, settings, settings.threads, settings.content_threads)


def serve_with(
    handler: MessageHandler | ContentHandler,
    settings: ListeningSettings,
    threads: int = THREADS,
    content_threads: int | None = None,
) -> Server:
    """Do the same as `serve`, with settings that are made already."""
    check_settings(settings)
    if content_threads is None:
        content_threads = max(settings.admission.most, 1)
    for name, number in (("threads", threads), ("content_threads", content_threads)):
        if number < 1:
            raise ValueError(f"{name}: expected 1 or more, found {number!r}")
    return Server(start_listening(handler, settings, waits=False), threads, content_threads)


class Server(Running, AbstractContextManager["Server"]):
    """A running server; made by `serve`, usable as a context manager that stops it."""

    def __init__(self, listening: Listening, threads: int, content_threads: int) -> None:
        super().__init__(listening)
        self._loop = Loop(listening, threads, content_threads)
        self._loop.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait, seconds at most, until the server has stopped; whether it has."""
        return self._loop.ended.wait(timeout)

    def stop(self, timeout: float | None = None) -> None:
        """Stop, and wait until that is done: see `Running`."""
        if self._loop.is_own(threading.current_thread()):
            raise RuntimeError("a handler cannot wait for its own end: call stop in another thread")
        self._loop.stop(self._listening.settings.grace if timeout is None else timeout)
        # A signal that comes just before a wait is handled only after it.
        while not self.wait(1.0):
            pass
        self._loop.join()

    def __exit__(self, *_: object) -> None:
        self.stop()
