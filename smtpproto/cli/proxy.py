"""Sit between a client and a server, and show what they say.

A saved conversation is a script: `talk --script FILE --match class` says the same to another server
and compares the replies.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ..adapters import sockets
from ..adapters.tls_contexts import NO_HANDSHAKE, HandshakeSettings, client_context, server_context
from .common import CannotRun, host_and_port, in_file, listen_address, need, number_of, reason
from .proxy_session import ProxySession, Recorder
from .session_options import trusting
from .signals import STOPPING, ServerOutput, Signals, held_back
from .terminal import OutputClosed, complain, say

if TYPE_CHECKING:
    import argparse
    import ssl

__all__ = ["STATUS", "add_arguments", "run"]

STATUS = "0 once it was stopped, 2 if it cannot listen"
# Seconds to wait for the server.
DIAL = 30.0


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
        help="where it connects for each of them",
    )
    parser.add_argument("--lmtp", action="store_true", help="LMTP (RFC 2033) instead of SMTP")
    tls = parser.add_argument_group(
        "TLS", "Without a certificate, what is said within TLS passes, but cannot be shown."
    )
    tls.add_argument("--cert", metavar="FILE", help="certificate for the clients, PEM")
    tls.add_argument("--key", metavar="FILE", help="its private key, PEM; default: also in --cert")
    tls.add_argument(
        "--self-signed", action="store_true", help="a throw-away certificate (package trustme)"
    )
    tls.add_argument("--implicit", action="store_true", help="both sides begin with TLS")
    tls.add_argument(
        "--ca", metavar="FILE", help="verify the server's certificate; more authorities, PEM"
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
        help="show so many lines of each message; default: 20; files have all",
    )
    output.add_argument("--json", action="store_true", help="one JSON object for each line")
    parser.add_argument(
        "--count", type=number_of, metavar="N", help="end after so many connections"
    )


def run(options: argparse.Namespace) -> int:
    """Pass on until SIGINT or SIGTERM; see `STATUS`."""
    with contextlib.ExitStack() as stack:
        to_client, to_server = _handshakes(options, stack)
        if options.save:
            try:
                Path(options.save).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise CannotRun(f"--save {in_file(options.save, error)}") from None
        try:
            listeners = sockets.listen(*options.listen)
        except OSError as error:
            where = "{}:{}".format(*options.listen)
            raise CannotRun(f"cannot listen on {where}: {reason(error)}") from None
        stack.callback(sockets.close_listeners, listeners)
        proxy = _Proxy(options, to_client, to_server)
        proxy.run(listeners[0])
        if proxy.output.closed:
            raise OutputClosed
    return 0


def _handshakes(
    options: argparse.Namespace, stack: contextlib.ExitStack
) -> tuple[HandshakeSettings, HandshakeSettings]:
    """Return how TLS begins with clients, and with the server."""
    if options.key and not options.cert:
        raise CannotRun("--key needs --cert")
    if options.cert and options.self_signed:
        raise CannotRun("--cert and --self-signed exclude each other")
    context: ssl.SSLContext | None = None
    if options.self_signed:
        from .certificate import throw_away

        need("trustme", "--self-signed")
        files = stack.enter_context(throw_away("localhost", "127.0.0.1", "::1"))
        context = server_context(files.certificate, files.key)
        complain(f"clients that are to trust the certificate: send --ca {files.authority}")
    elif options.cert:
        try:
            context = server_context(options.cert, options.key)
        except OSError as error:
            what = in_file(options.cert, error, "a certificate and its private key in PEM")
            raise CannotRun(f"--cert {what}") from None
    elif options.implicit:
        raise CannotRun("--implicit needs --cert FILE or --self-signed")
    if context is None:
        return NO_HANDSHAKE, NO_HANDSHAKE
    upstream = trusting(options.ca) if options.ca else client_context(verify=False)
    return HandshakeSettings(context), HandshakeSettings(upstream, options.server[0])


class _Proxy:
    """The connections of one run."""

    def __init__(
        self,
        options: argparse.Namespace,
        to_client: HandshakeSettings,
        to_server: HandshakeSettings,
    ) -> None:
        self._options = options
        self._to_client = to_client
        self._to_server = to_server
        self._threads: list[threading.Thread] = []
        self._sessions: list[ProxySession] = []
        self.output = ServerOutput()

    def run(self, listener: socket.socket) -> None:
        """Accept connections until a signal comes, or there were enough."""
        most = self._options.count
        with Signals(*STOPPING) as signals:
            address, port = sockets.address_of(listener)
            self.output.written(lambda: say(f"listening on {address}:{port}"))
            number = 0
            while most is None or number < most:
                ready = select.select([listener.fileno(), signals.number], [], [])[0]
                if signals.number in ready:
                    break
                accepted = sockets.accept(listener)
                if accepted is not None:
                    number += 1
                    self._begin(number, accepted[0])
            if most is not None and number >= most:
                self._wait(signals)
        for session in self._sessions:
            session.cut()
        for thread in self._threads:
            thread.join()

    def _wait(self, signals: Signals) -> None:
        """Wait for the end of all connections, or for a signal."""
        while any(thread.is_alive() for thread in self._threads):
            if select.select([signals.number], [], [], 0.05)[0]:
                return

    def _begin(self, number: int, client: socket.socket) -> None:
        """Connect to the server for a client, and pass on in a thread."""
        options = self._options
        try:
            server = socket.create_connection(options.server, DIAL)
        except OSError as error:
            host, port = options.server
            complain(f"# {number} no connection to {host}:{port}: {reason(error)}", "bad")
            client.close()
            return
        recorder = Recorder(
            number, self.output, content=options.content, save=options.save, as_json=options.json
        )
        session = ProxySession(
            (client, self._to_client), (server, self._to_server), recorder, lmtp=options.lmtp
        )
        self._sessions.append(session)
        with held_back(*STOPPING):
            thread = threading.Thread(target=session.run, kwargs={"implicit": options.implicit})
            thread.start()
        self._threads.append(thread)
