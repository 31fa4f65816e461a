r"""A client without sockets, connected to a handler or a `FakeServer` in memory.

It has the methods of the clients over sockets, so it can replace one.

    >>> class Inbox:
    ...     def message(self, session, envelope, content):
    ...         print(content)
    >>> with connect(Inbox()) as client:
    ...     delivery = client.send(Envelope.of("a@client.example", ["b@mx.example"]), b"hello\r\n")
    b'hello\r\n'
    >>> delivery.complete
    True
"""

from __future__ import annotations

from collections.abc import Iterable
from email.message import EmailMessage
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from ..conversations import ClientSettings, Content, Delivery, Envelope, TLSMode
from ..conversations.client.base import ClientBase
from ..conversations.client.opening import begin
from ..conversations.io_requests import Flow
from ..engine.client import Client
from ..vocabulary.command_base import Command
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Session
from .memory import MemoryLink, Peer, Served, run_flow

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["MemoryClient", "connect"]

T = TypeVar("T")


def connect(
    server: object,
    *,
    name: str = "client.example",
    settings: ClientSettings | None = None,
    client: Client | None = None,
    **options: Any,
) -> MemoryClient:
    """A client that has begun a session with a server in memory.

    Arguments:
        server: a handler, or any `Peer`, such as a `FakeServer`.
        name: what the client calls itself.
        settings: of the client; None: `name`, without TLS and credentials.
        client: a new connection; None for one with every extension of this package.
        options: with a handler, as for `Served`.

    Raises:
        SMTPError: the server refuses this client.
        RemoteProtocolError: the server breaks the protocol.
        AssertionError: the client sends something else than a `FakeServer` expects.
        Exception: any error of the handler.
    """
    peer: Any = server
    if not hasattr(server, "exchange"):
        peer = Served(server, **options)
    elif options:
        raise TypeError(f"options are for handlers: {', '.join(options)}")
    engine = Client(session=Session(peer="192.0.2.2")) if client is None else client
    if settings is None:
        settings = ClientSettings(name=name, tls=TLSMode.NONE)
    connected = MemoryClient(engine, peer, settings)
    connected.run(begin(engine, settings))
    return connected


class MemoryClient(ClientBase):
    """A session with a server in memory; made by `connect`, usable as a context manager.

    Its methods are those of `smtpproto.sync.Client`, so it can replace one.

    Attributes:
        engine: the connection.
        peer: the other end.
    """

    def __init__(
        self, engine: Client, peer: Peer, settings: ClientSettings = ClientSettings()
    ) -> None:
        super().__init__(engine, MemoryLink(), settings)
        self.engine = engine
        self.peer = peer

    def run(self, flow: Flow[T]) -> T:
        """Run a conversation with the server, such as those of `smtpproto.conversations.client`.

        Raises:
            ConnectionLost: the server has closed, or waits too.
        """
        running = run_flow(flow, self._link)
        while True:
            try:
                next(running)
            except StopIteration as stop:
                self._exchange()
                return stop.value  # type: ignore[no-any-return]  # a Flow[T] returns a T
            self._exchange()
            self._link.silent = not self._link.ready()

    def _exchange(self) -> None:
        """Pass the sent octets to the peer, and read its own."""
        octets = self._link.take()
        if self.peer.closed and not octets:
            self._link.closed = True
            return
        said = self.peer.exchange(octets)
        if said:
            self._link.incoming.append(said)
        self._link.closed = self.peer.closed

    def _talk(self, flow: Flow[T]) -> T:
        with self._conversation():
            return self.run(flow)

    def send_message(
        self,
        message: EmailMessage,
        sender: str | None = None,
        recipients: Iterable[str] | None = None,
    ) -> Delivery:
        """Deliver a message, by default as its header says.

        Arguments:
            message: the message; its Bcc field is not sent.
            sender: the reverse-path; None: taken from Sender or From.
            recipients: None: taken from To, Cc and Bcc.
        """
        return self._talk(self._message(message, sender, recipients))

    def send(self, envelope: Envelope, content: Content) -> Delivery:
        """Deliver content to the recipients of an envelope.

        Arguments:
            envelope: sender and recipients.
            content: bytes, a binary file or an iterable of chunks, with CRLF line endings.
        """
        return self._talk(self._delivery(envelope, content))

    def command(self, command: Command) -> Reply:
        """Send any command and return its reply, positive or negative."""
        return self._talk(self._answer(command))

    def verify(self, string: str) -> Reply:
        """Ask whether a user or mailbox is there (RFC 5321 section 3.5)."""
        return self._talk(self._verify(string))

    def expand(self, string: str) -> Reply:
        """Ask for the members of a mailing list (RFC 5321 section 3.5)."""
        return self._talk(self._expand(string))

    def noop(self) -> Reply:
        """Ask whether the server is still there."""
        return self._talk(self._noop())

    def reset(self) -> Reply:
        """Abort a mail transaction that `command` began."""
        return self._talk(self._reset())

    def help(self, string: str = "") -> Reply:
        """Ask for help."""
        return self._talk(self._help(string))

    def quit(self) -> None:
        """Say QUIT if the session allows it, and close."""
        try:
            if not self.closed:
                self.run(self._goodbye())
        finally:
            self.close()

    def close(self) -> None:
        """Close without QUIT."""
        self.closed = True
        if isinstance(self.peer, Served):
            self.peer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None and self.ready:
            self.quit()
        else:
            self.close()
