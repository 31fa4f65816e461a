"""A session in which every line is sent as it was given, also what the protocol forbids."""

from __future__ import annotations

from collections import deque
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from ..adapters.connecting import begin, engine_for, name_for
from ..adapters.nonblocking_channel import NO_HANDSHAKE, READS
from ..conversations import ConnectionLost, TLSMode
from ..conversations.client.authentication import log_in
from ..conversations.client.certificate_errors import tls_error
from ..conversations.client.ehlo_or_helo import say_hello
from ..conversations.io_requests import BeginTLS, Receive, Send
from ..sync.client import dial
from ..sync.link import Link, run
from ..timeouts import COMMAND_TIMEOUT, HANDSHAKE_TIMEOUT
from ..vocabulary.session_facts import Protocol, TLSFacts
from .dialogue import Dialogue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..adapters.connecting import ConnectionSettings
    from ..conversations.io_requests import Flow
    from ..engine.client import Client
    from ..engine.connection import Observer
    from ..sasl import Credentials
    from .dialogue import Piece


CLOSED = "the server closed the connection"


class WireSession(AbstractContextManager["WireSession"]):
    """A connection to a server, used as a context manager.

    Arguments:
        settings: how to connect.
        observer: told what is said while the session begins, and while it logs in.
        bare: whether to send nothing by itself.  Otherwise the session begins as that of every
            client: with EHLO, TLS and a login as the settings say.

    Attributes:
        engine: the connection that has begun the session.
        facts: of the TLS handshake; None without TLS.
        dialogue: follows what is said.

    Raises:
        OSError, SMTPError, RemoteProtocolError, LocalProtocolError: see `smtpproto.sync.connect`.
    """

    def __init__(self, settings: ConnectionSettings, observer: Observer, *, bare: bool) -> None:
        self.settings = settings = replace(settings, observer=self._observe)
        self._told = observer
        self._tells = True
        self._said: deque[Piece] = deque()
        with ExitStack() as stack:
            sock = stack.enter_context(dial(settings))
            link = Link(sock, settings.timeout, NO_HANDSHAKE)
            self.engine: Client
            self.engine, beginning, link.handshake = begin(sock, settings)
            self._link = link
            self.facts: TLSFacts | None = None
            if not bare:
                run(beginning, link)
                self.facts = self.engine.session.tls
            elif settings.tls_mode is TLSMode.IMPLICIT:
                self.start_tls()
            beginning.close()
            stack.pop_all()
        self._tells = False
        lmtp = settings.protocol is Protocol.LMTP
        self.dialogue = Dialogue(lmtp=lmtp, greeted=not bare)

    def _observe(self, sender: str, octets: bytes, content: bool) -> None:  # noqa: FBT001  an Observer
        if self._tells:
            self._told(sender, octets, content)

    def send(self, octets: bytes) -> list[Piece]:
        """Send octets; return the pieces that are complete with them.

        Raises:
            ConnectionLost: the server closed the connection.
            OSError: the link broke.
        """
        pieces = self.dialogue.client(octets)
        with _closed():
            self._link.fulfil(Send(octets, COMMAND_TIMEOUT))
        return pieces

    def next_line(self) -> Piece:
        """Wait for the next line of the server.

        Raises:
            ConnectionLost: the server closed the connection, or the time ran out.
            OSError: the link broke.
        """
        while not self._said:
            try:
                with _closed():
                    data = self._link.fulfil(Receive(COMMAND_TIMEOUT, True))
            except TimeoutError as error:
                raise ConnectionLost(f"no reply: {error}") from None
            if not data:
                raise ConnectionLost(CLOSED)
            self._said.extend(self.dialogue.server(data))
        return self._said.popleft()

    def heard(self) -> Iterator[Piece]:
        """Return what the server says, until no reply is due and nothing is unread.

        Raises:
            ConnectionLost, OSError: see `next_line`.
        """
        while self.dialogue.due or self._said or self._has_more():
            yield self.next_line()

    def _has_more(self) -> bool:
        """Whether the server has said something unasked; does not wait."""
        with _closed():
            data = self._link.read(READS)
        self._said.extend(self.dialogue.server(data or b""))
        return bool(self._said)

    def start_tls(self) -> TLSFacts:
        """Do the TLS handshake.

        Raises:
            TLSError: it failed.
        """
        try:
            self.facts = self._link.fulfil(BeginTLS(HANDSHAKE_TIMEOUT))
        except OSError as error:
            raise tls_error(error, self.settings.host) from error
        return self.facts

    def log_in(self, credentials: Credentials) -> None:
        """Say EHLO and authenticate, as every client does.

        Raises:
            SMTPError, RemoteProtocolError: see `authentication.log_in`.
        """
        settings = replace(self.settings, credentials=credentials, tls=TLSMode.NONE)
        sock = self._link.sock
        engine, name = engine_for(sock, settings), name_for(sock, settings)
        # What this session has behind it; the person has seen that already.
        if self.facts is not None:
            engine.tls_established(self.facts)
        engine.receive_data(b"220 greeted\r\n")

        def login() -> Flow[None]:
            yield from say_hello(engine, name)
            yield from log_in(engine, settings)

        engine.next_event()
        self._tells = True
        try:
            run(login(), self._link)
        finally:
            self._tells = False

    def __exit__(self, *_: object) -> None:
        self._link.close()


@contextmanager
def _closed() -> Iterator[None]:
    """A server that closes while octets are on their way to it resets the connection."""
    try:
        yield
    except (BrokenPipeError, ConnectionResetError) as error:
        raise ConnectionLost(CLOSED) from error
