"""Running a server in this process until a signal stops it, over any adapter."""

from __future__ import annotations

import signal
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

from .serve_faults import AsyncFaultyReceiver, FaultyReceiver
from .signals import STOPPING, Signals, held_back
from .sinks import AsyncReceiver, Receiver, WholeReceiver, sinks
from .terminal import OutputClosed

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from ..adapters.listening import ListeningSettings
    from .sinks import InThread, Sleep

__all__ = ["serve_until"]


def serve_until(
    options: argparse.Namespace,
    settings: ListeningSettings,
    listeners: list[socket.socket],
    started: Callable[[], None],
    *others: int,
) -> None:
    """Serve until SIGINT or SIGTERM, then let running transactions finish.

    Arguments:
        options: the options after `serve_options.check`.
        settings: of the server, but for the sockets; see `serve_options.server_settings`.
        listeners: listening sockets; they are closed here.
        started: called once clients are served.
        others: numbers of files that also stop the server when they become readable.

    Raises:
        CannotRun: a file cannot be used.
        OSError: a store cannot be used.
        OutputClosed: the server stopped because the reader of its output has closed it.
    """
    _serve_until(options, settings, listeners, lambda: options.output.written(started), *others)
    if options.output.closed:
        raise OutputClosed


def _serve_until(
    options: argparse.Namespace,
    settings: ListeningSettings,
    listeners: list[socket.socket],
    started: Callable[[], object],
    *others: int,
) -> None:
    settings = replace(settings, listeners=listeners, listeners_shared=options.shared)
    where, rules = sinks(options), options.faults

    def async_handler(in_thread: InThread, sleep: Sleep) -> AsyncReceiver | AsyncFaultyReceiver:
        if rules is None:
            return AsyncReceiver(where, in_thread)
        return AsyncFaultyReceiver(rules, where, in_thread, sleep)

    # SIGHUP must not end this process; each handshake checks the certificates anyway.
    with Signals(signal.SIGHUP), Signals(*STOPPING) as signals:
        if options.io == "trio":
            from .serve_trio import serve_over_trio

            with signals.waking_left_to_others():
                serve_over_trio(async_handler, settings, started, signals, others)
            return
        if options.io == "asyncio":
            from .serve_asyncio import serve_over_asyncio

            serve_over_asyncio(async_handler, settings, started, signals, others)
            return
        from .. import sync

        handler: FaultyReceiver | WholeReceiver | Receiver
        if rules is not None:
            handler = FaultyReceiver(rules, where)
        else:
            handler = WholeReceiver(where) if options.print else Receiver(where)
        with held_back(*STOPPING):
            server = sync.serve_with(handler, settings)
        with server:
            started()
            signals.wait(*others)
            signals.end_at_the_next()
