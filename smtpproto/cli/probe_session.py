"""One session of `probe`: what the server says, how long it takes, and its certificates."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .. import sync
from ..adapters.tls_contexts import client_context
from ..conversations import TLSMode
from ..extensions import Extension
from ..vocabulary.session_facts import Protocol
from .certificate_facts import Certificate, read_chain
from .common import both

if TYPE_CHECKING:
    import argparse

    from ..engine.connection import Observer
    from ..vocabulary.session_facts import TLSFacts


@dataclass(frozen=True)
class Seen:
    """What one session found.

    Arguments:
        greeting: the lines of the greeting.
        offered: the service extensions.
        tls: the facts of the handshake; None without TLS.
        chain: the certificates that the server sent; () if they cannot be read here.
        times: what took how many seconds, in order.
    """

    greeting: str
    offered: tuple[Extension, ...]
    tls: TLSFacts | None
    chain: tuple[Certificate, ...]
    times: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Probed:
    """What was found out about a server.

    Arguments:
        host, port: the server.
        outside: the session without TLS; None if TLS begins before anything else.
        inside: the session within TLS; None if there was none.
        problem: why TLS failed, or why the certificate is not trusted; "" if it is.
        lmtp: whether LMTP was spoken.
    """

    host: str
    port: int
    outside: Seen | None
    inside: Seen | None
    problem: str
    lmtp: bool = field(kw_only=True, default=False)

    @property
    def first(self) -> Seen:
        """The first session."""
        first = self.outside or self.inside
        assert first is not None
        return first

    @property
    def times(self) -> tuple[tuple[str, float], ...]:
        """What took how long: those of the session within TLS, which has more steps."""
        return (self.inside or self.first).times


class _Clock:
    """An observer that notes when each line was said."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._what = "connection and greeting"
        self._secured = False
        self.lines: list[str] = []
        self.times: dict[str, float] = {}

    def __call__(self, sender: str, octets: bytes, content: bool) -> None:  # noqa: FBT001  an Observer
        now = time.monotonic()
        line = octets.decode("utf-8", "backslashreplace")
        if sender == "S":
            if not self.times:
                self.lines.append(line)
            if line[3:4] != "-":
                self.times[self._what] = now - self._last
                self._last = now
            return
        verb = line.split(" ", 1)[0]
        if self._what == "STARTTLS":
            self.times["TLS handshake"] = now - self._last
            self._secured = True
        self._what = f"{verb} within TLS" if self._secured and verb != "QUIT" else verb
        self._last = now


def look(
    options: argparse.Namespace, tls: TLSMode, observer: Observer, *, verify: bool = True
) -> Seen:
    """Begin a session and end it.

    Raises:
        OSError, SMTPError, RemoteProtocolError, LocalProtocolError: see `smtpproto.sync.connect`.
    """
    handshakes: list[Any] = []
    context = None
    # Made only for a handshake: reading the system's certificates is slow.
    if tls is not TLSMode.NONE:
        context = (options.context if verify else None) or client_context(verify=verify)
        context.sslobject_class = _noting(handshakes)
    clock = _Clock()
    with sync.connect(
        *options.server,
        name=options.name,
        timeout=options.timeout,
        connect_timeout=options.timeout,
        protocol=Protocol.LMTP if options.lmtp else Protocol.SMTP,
        tls=tls,
        tls_context=context,
        server_hostname=options.tls_name,
        observer=both(clock, observer),
    ) as client:
        offered = tuple(each for each in client.offered if isinstance(each, Extension))
        facts = client.session.tls
    return Seen(
        ascii(" / ".join(clock.lines))[1:-1],
        offered,
        facts,
        read_chain(handshakes[-1]) if handshakes else (),
        tuple(clock.times.items()),
    )


def _noting(handshakes: list[Any]) -> type[ssl.SSLObject]:
    """Return a class of TLS connections that notes those whose handshake succeeded."""

    class Noting(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            handshakes.append(self)

    return Noting
