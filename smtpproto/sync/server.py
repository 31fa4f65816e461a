"""The blocking server: a thread that waits for all sockets, and threads that call handlers."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING

from ..adapters.listening import (
    Listening,
    ListeningSettings,
    Running,
    check_settings,
    start_listening,
)
from ..adapters.settings_as_parameters import fields_as_parameters
from ..field_types import check_seconds, check_type
from .selector_loop import Loop

if TYPE_CHECKING:
    from ..conversations import ContentHandler, MessageHandler

__all__ = ["Server", "ThreadedSettings", "serve", "serve_with"]

THREADS = 64


@dataclass(frozen=True, kw_only=True)
class ThreadedSettings(ListeningSettings):
    """How many threads the server has.

    There are two bounds.  A method `content` holds a thread while its content arrives, and a slow
    client can make this long.  Calls of other methods do not wait for these threads.

    Arguments:
        threads: the most calls of handlers that run at once, without those of `content`.  Further
            calls wait in order.
        content_threads: the most calls of a method `content` that run at once.  None: as many as
            there may be sessions (`admission`), so a silent client delays no other message.
    """

    threads: int = THREADS
    content_threads: int | None = None


@fields_as_parameters(ThreadedSettings)
def serve(handler: MessageHandler | ContentHandler, settings: ThreadedSettings) -> Server:
    """Start a server; it runs in its own threads until `stop`.

    One thread does the protocol's work for all sessions.  Other threads, which the server starts as
    needed, call the handler and the credential store.  The first thread keeps the interpreter
    running after the last line of a program, also if that is an exception or Ctrl-C outside of
    `wait` and `with`: end with `stop` or `wait`, or use `with`.

    The handler is an object with some of the methods of `Handler`.  Several threads call it at
    once.  Each call of one session may run in another thread, so `threading.local` is of no use.

    Raises:
        OSError: the server cannot listen there.
        TypeError: the handler has a mistake, or there is no such argument.
        LocalProtocolError: the host name is no domain.
        ValueError: TLS without a context or a context without TLS; a listener that does not listen;
            or a number of threads below 1.
    """
    return serve_with(handler, settings, settings.threads, settings.content_threads)


def serve_with(
    handler: MessageHandler | ContentHandler,
    settings: ListeningSettings,
    threads: int = THREADS,
    content_threads: int | None = None,
) -> Server:
    """Do the same as `serve`, with a settings object."""
    check_settings(settings)
    if content_threads is None:
        content_threads = max(settings.admission.most, 1)
    for name, number in (("threads", threads), ("content_threads", content_threads)):
        check_type(name, number, int)
        if number < 1:
            raise ValueError(f"{name}: expected 1 or more, found {number!r}")
    return Server(start_listening(handler, settings, waits=False), threads, content_threads)


class Server(Running, AbstractContextManager["Server"]):
    """A running server, made by `serve`; a context manager that stops it at the end."""

    def __init__(self, listening: Listening, threads: int, content_threads: int) -> None:
        super().__init__(listening)
        self._loop = Loop(listening, threads, content_threads)
        self._loop.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the server has stopped, for `timeout` seconds at most; return whether it has.

        None: wait without a limit.  If Ctrl-C (`KeyboardInterrupt`) or `SystemExit` interrupts it,
        this stops the server before it raises the exception.

        Raises:
            ValueError: `timeout` is negative or not finite.
        """
        check_type("timeout", timeout, float, NoneType)
        check_seconds(timeout=timeout)
        try:
            return self._loop.ended.wait(timeout)
        except (KeyboardInterrupt, SystemExit):
            self.stop()
            raise

    def stop(self, timeout: float | None = None) -> None:
        """Stop the server, and wait until it has stopped: see `Running`.

        Raises:
            RuntimeError: one of the server's own threads calls this.
            ValueError: `timeout` is negative or not finite.
        """
        self._check_caller(own=self._loop.is_own(threading.current_thread()))
        self._loop.stop(self._grace(timeout))
        # Python handles a signal after a wait, so each wait is short.
        while not self._loop.ended.wait(1.0):
            pass
        self._loop.join()

    def __exit__(self, *_: object) -> None:
        self.stop()
