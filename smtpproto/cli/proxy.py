"""Sit between a client and a server, and show what they say.

A saved conversation is a script: `talk --script FILE --match class` says the same to another server
and compares its replies.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..adapters import sockets
from ..adapters.nonblocking_channel import NO_HANDSHAKE, HandshakeSettings
from ..adapters.tls_contexts import client_context
from .certificate import add_certificate, certificate, check_certificate, self_signed
from .common import CannotRun, file_of, host_and_port, listen_address, number_of, reason
from .listeners import announcement, listen
from .proxy_session import ProxySession, Recorder
from .session_options import trusting
from .signals import STOPPING, ServerOutput, Signals, held_back
from .terminal import complain, say

if TYPE_CHECKING:
    import argparse

STATUS = "0 once it was stopped, 2 if it cannot listen"
# Seconds to wait for a connection to the server.
DIAL = 30.0
# Seconds that all connections have to close, once the proxy was stopped.
CLOSING = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--listen",
        type=listen_address,
        default=("127.0.0.1", 8026),
        metavar="[HOST:]PORT",
        help="where clients connect; default: 127.0.0.1:8026",
    )
    parser.add_argument(
        "--server",
        type=host_and_port,
        required=True,
        metavar="HOST:PORT",
        help="the server; the proxy connects to it for each client",
    )
    parser.add_argument("--lmtp", action="store_true", help="LMTP (RFC 2033) instead of SMTP")
    tls = parser.add_argument_group(
        "TLS", "Without a certificate the proxy passes TLS on, but cannot show what is inside."
    )
    add_certificate(tls)
    tls.add_argument("--implicit", action="store_true", help="client and server begin with TLS")
    tls.add_argument(
        "--ca",
        metavar="FILE",
        help="verify the server's certificate, with these authorities too, PEM",
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "--save", metavar="DIR", help="write each conversation to a file there: 1.txt, 2.txt, ..."
    )
    output.add_argument(
        "--content",
        type=number_of,
        default=20,
        metavar="N",
        help="how many lines of each message to show; default: 20; files have all lines",
    )
    output.add_argument("--json", action="store_true", help="one JSON object for each line")
    parser.add_argument("--count", type=number_of, metavar="N", help="end after N connections")


def run(options: argparse.Namespace) -> int:
    """Pass on until SIGINT or SIGTERM; see `STATUS`."""
    certified = check_certificate(options)
    if not certified and (options.implicit or options.ca):
        option = "--implicit" if options.implicit else "--ca"
        raise CannotRun(f"{option} needs --cert FILE or --self-signed")
    with contextlib.ExitStack() as stack:
        stack.enter_context(self_signed(options))
        to_client = to_server = NO_HANDSHAKE
        if certified:
            context = trusting(options.ca) if options.ca else client_context(verify=False)
            to_client = HandshakeSettings(certificate(options))
            to_server = HandshakeSettings(context, options.server[0])
        if options.save:
            with file_of("--save", options.save):
                Path(options.save).mkdir(parents=True, exist_ok=True)
        listeners = listen(*options.listen)
        stack.callback(sockets.close_listeners, listeners)
        proxy = _Proxy(options, to_client, to_server)
        with Signals(*STOPPING) as signals:
            proxy.run(listeners, signals)
        proxy.output.check()
    return 0


class _Proxy:
    """The connections of one run; each has its thread."""

    def __init__(
        self,
        options: argparse.Namespace,
        to_client: HandshakeSettings,
        to_server: HandshakeSettings,
    ) -> None:
        self._options = options
        self._to_client = to_client
        self._to_server = to_server
        # The session of each thread; None while it connects to the server.
        self._running: dict[threading.Thread, ProxySession | None] = {}
        self._over = False
        self.output = ServerOutput()

    def run(self, listeners: list[socket.socket], signals: Signals) -> None:
        """Accept connections until a signal comes, or all that were to come have ended."""
        self.output.written(lambda: say(announcement(listeners)))
        try:
            if self._accept_all(listeners, signals):
                while self._running and not _readable([signals.number], 0.05):
                    pass
        finally:
            self._over = True
            for session in list(self._running.values()):
                if session is not None:
                    session.cut()
            # A thread that still connects has nothing to finish, and may take long.
            until = time.monotonic() + CLOSING
            for thread in list(self._running):
                thread.join(max(0.0, until - time.monotonic()))

    def _accept_all(self, listeners: list[socket.socket], signals: Signals) -> bool:
        """Accept connections; return whether there were enough, False after a signal."""
        most = self._options.count
        files = {each.fileno(): each for each in listeners}
        number = 0
        while most is None or number < most:
            ready = _readable([signals.number, *files])
            if signals.number in ready:
                return False
            try:
                accepted = sockets.accept(files[ready[0]])
            except sockets.Overloaded:
                _readable([signals.number], sockets.PAUSE)
                continue
            if accepted is not None:
                number += 1
                self._begin(number, accepted[0])
        return True

    def _begin(self, number: int, client: socket.socket) -> None:
        thread = threading.Thread(target=self._serve, args=(number, client), daemon=True)
        with held_back(*STOPPING):
            self._running[thread] = None
            try:
                thread.start()
            except RuntimeError as error:
                # The system has no more threads.
                del self._running[thread]
                client.close()
                what = f"{number} # {error}"
                self.output.written(lambda: complain(what, "bad"))

    def _serve(self, number: int, client: socket.socket) -> None:
        """Connect to the server for a client, and pass on until one of them closes."""
        options = self._options
        thread = threading.current_thread()
        host, port = options.server
        try:
            with client, socket.create_connection((host, port), DIAL) as server:
                recorder = Recorder(
                    number,
                    self.output,
                    content=options.content,
                    save=options.save,
                    as_json=options.json,
                )
                sides = (client, self._to_client), (server, self._to_server)
                self._running[thread] = session = ProxySession(*sides, recorder, lmtp=options.lmtp)
                if self._over:
                    session.cut()
                session.run(implicit=options.implicit)
        except OSError as error:
            # An error with a file name is about `--save`.
            where = "" if error.filename else f"no connection to {host}:{port}: "
            what = f"{number} # {where}{reason(error)}"
            self.output.written(lambda: complain(what, "bad"))
        finally:
            del self._running[thread]


def _readable(files: list[int], seconds: float | None = None) -> list[int]:
    """Wait until files can be read, or for some seconds; return those that can."""
    return select.select(files, [], [], seconds)[0]
