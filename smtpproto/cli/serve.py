"""Receive mail: an inbox for development, or final delivery to files."""

# The options of this verb are in `serve_options`.

from __future__ import annotations

import contextlib
import functools
import logging
import os
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from .. import sync
from ..adapters import host, sockets
from .certificate import self_signed
from .common import CannotRun, reason
from .listeners import announcement, listen
from .serve_faults import AsyncFaultyReceiver, FaultyReceiver, not_asked_for
from .serve_options import add_arguments, check, server_settings  # noqa: F401  # the verb's
from .signals import STOPPING, Signals, held_back
from .sinks import AsyncReceiver, Receiver, sinks
from .terminal import say

if TYPE_CHECKING:
    import argparse
    import socket
    from collections.abc import Callable

    from ..adapters.listening import ListeningSettings

STATUS = "0 once it was stopped, 1 if it was ended at once by a second signal, 2 if it cannot serve"
DEFAULT = ("127.0.0.1", 8025)


def run(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM, then let running transactions finish."""
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s: %(message)s")
    host.log().addFilter(not_asked_for)
    check(options)
    with contextlib.ExitStack() as stack:
        stack.enter_context(self_signed(options, options.hostname))
        # Report faults in files before clients can connect.
        settings = server_settings(options)
        places = _listen(options, stack)
        for listeners in places:
            stack.callback(sockets.close_listeners, listeners)

        def announce() -> None:
            say(announcement(places[0]))

        try:
            if options.workers is None:
                serve_until(options, settings, places[0], announce)
                return 0
            return _supervise(options, places, announce)
        except OSError as error:
            raise CannotRun(f"cannot serve: {reason(error)}") from None


def _listen(options: argparse.Namespace, stack: contextlib.ExitStack) -> list[list[socket.socket]]:
    """Return the listening sockets of each worker."""
    count = options.workers or 1
    try:
        passed = sockets.listeners_from_environment()
    except OSError as error:
        raise CannotRun(
            f"cannot use the sockets that were passed (LISTEN_FDS): {reason(error)}"
        ) from None
    # The service manager keeps these sockets for the next process.
    options.shared = bool(passed) or options.workers is not None
    if passed:
        if options.listen or options.unix:
            raise CannotRun("sockets were passed (LISTEN_FDS): leave out --listen and --unix")
        return [passed] * count
    if options.unix:
        listeners = listen("", 0, path=options.unix)
        stack.callback(sockets.close_listeners, [], options.unix)
        return [listeners] * count
    address, port = options.listen or DEFAULT
    places = []
    for _ in range(count):
        places.append(listen(address, port, reuse_port=options.workers is not None))
        port = sockets.address_of(places[0][0])[1]
    return places


def _supervise(
    options: argparse.Namespace, places: list[list[socket.socket]], announce: Callable[[], None]
) -> int:
    from .workers import Supervisor

    def work(listeners: list[socket.socket], started: Callable[[], None], lifeline: int) -> None:
        # Read anew: SIGHUP starts workers because the files have changed.
        serve_until(options, server_settings(options), listeners, started, lifeline)

    return Supervisor(places, work, announce, options.grace).run()


def serve_until(
    options: argparse.Namespace,
    settings: ListeningSettings,
    listeners: list[socket.socket],
    started: Callable[[], None],
    *others: int,
) -> None:
    """Serve until SIGINT or SIGTERM, then let running transactions finish.

    Arguments:
        options: the options after `check`.
        settings: of the server, but for the sockets.
        listeners: listening sockets; they are closed here.
        started: called once clients are served.
        others: numbers of files that also stop the server when they become readable.

    Raises:
        CannotRun: a file cannot be used.
        OSError: a store cannot be used.
        OutputFailed: the server stopped because its output cannot be written.
    """
    settings = replace(settings, listeners=listeners, listeners_shared=options.shared)
    where, rules = sinks(options), options.faults
    say_started = functools.partial(options.output.written, started)
    # A service manager may send SIGHUP for new certificates, which each handshake reads anyway.
    # For a user at a terminal it says that the terminal is closed.
    with Signals(signal.SIGHUP) as closed, Signals(*STOPPING) as signals:
        if os.isatty(0):
            others = (*others, closed.number)
        if options.io == "sync":
            handler = FaultyReceiver(rules, where) if rules else Receiver(where)
            with held_back(*STOPPING):
                server = sync.serve_with(handler, settings)
            with server:
                say_started()
                signals.wait(*others)
                signals.end_at_the_next()
        else:
            from . import serve_async

            make = (
                functools.partial(AsyncFaultyReceiver, rules, where)
                if rules
                else (functools.partial(AsyncReceiver, where))
            )
            over = {"asyncio": serve_async.serve_over_asyncio, "trio": serve_async.serve_over_trio}
            over[options.io](make, settings, say_started, signals, others)
    options.output.check()
