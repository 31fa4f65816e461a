"""Receive mail: an inbox for development, or final delivery to files."""

# The options of this verb are in `serve_options`.

from __future__ import annotations

import contextlib
import logging
import socket
import sys
from typing import TYPE_CHECKING

from ..adapters import sockets
from .common import CannotRun, reason
from .serve_blocking import serve_until
from .serve_options import add_arguments, check, server_settings
from .terminal import complain, say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

__all__ = ["STATUS", "add_arguments", "run"]

STATUS = "0 once it was stopped, 1 if it was ended at once by a second signal, 2 if it cannot serve"
DEFAULT = ("127.0.0.1", 8025)


def run(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM, then let running transactions finish."""
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s: %(message)s")
    check(options)
    with contextlib.ExitStack() as stack:
        if options.self_signed:
            _make_certificate(options, stack)
        # Report faults in files before clients can connect.
        settings = server_settings(options)
        places = _listen(options, stack)
        for listeners in places:
            stack.callback(sockets.close_listeners, listeners)
        announce = _announcement(places[0])
        try:
            if options.workers is None:
                serve_until(options, settings, places[0], announce)
                return 0
            return _supervise(options, places, announce)
        except OSError as error:
            raise CannotRun(f"cannot serve: {reason(error)}") from None


def _make_certificate(options: argparse.Namespace, stack: contextlib.ExitStack) -> None:
    from .certificate import throw_away

    names = dict.fromkeys([options.hostname, "localhost", "127.0.0.1", "::1"])
    files = stack.enter_context(throw_away(*names))
    options.cert, options.key = str(files.certificate), str(files.key)
    complain(f"clients that are to trust the certificate: send --ca {files.authority}")


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
    try:
        if options.unix:
            listeners = sockets.listen(path=options.unix)
            stack.callback(sockets.close_listeners, [], options.unix)
            return [listeners] * count
        host, port = options.listen or DEFAULT
        places = []
        for _ in range(count):
            places.append(sockets.listen(host, port, reuse_port=options.workers is not None))
            port = sockets.address_of(places[0][0])[1]
        return places
    except OSError as error:
        where = options.unix or "{}:{}".format(*options.listen or DEFAULT)
        raise CannotRun(f"cannot serve on {where}: {reason(error)}") from None


def _announcement(listeners: list[socket.socket]) -> Callable[[], None]:
    """Return a function that prints where the server listens."""
    lines = []
    for address, port in map(sockets.address_of, listeners):
        place = f"[{address}]" if ":" in address else address
        lines.append(f"listening on {place}:{port}" if port else f"listening on {address}")
    return lambda: say("\n".join(lines))


def _supervise(
    options: argparse.Namespace,
    places: list[list[socket.socket]],
    announce: Callable[[], None],
) -> int:
    from .workers import Supervisor

    def work(listeners: list[socket.socket], started: Callable[[], None], lifeline: int) -> None:
        # Read anew: SIGHUP starts workers because the files have changed.
        serve_until(options, server_settings(options), listeners, started, lifeline)

    return Supervisor(places, work, announce, options.grace).run()
