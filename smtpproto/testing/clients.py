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

from collections.abc import Callable, Iterable
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any, TypeVar

from ..conversations import ClientSettings, Content, Delivery, Envelope, TLSMode
from ..conversations.client.base import ClientBase
from ..conversations.client.opening import begin
from ..conversations.io_requests import Flow
from ..engine.client import Client
from ..vocabulary.command_base import Command
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Session
from .fakes import FakeServer
from .link import Link
from .servers import serve

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
    report: Callable[[BaseException], object] | None = None,
    **options: Any,
) -> MemoryClient:
    """Return a client that has begun a session with a server in memory.

    Arguments:
        server: a handler, a `FakeServer`, or a `Link` with a server.
        name: what the client calls itself.
        settings: of the client; None: `name`, without TLS and credentials.
        client: a new connection; None for one with every extension of this package.
        report: called with each exception of the handler; None: the client's method raises it.
        options: with a handler, as for `serve`.

    Raises:
        SMTPError: the server refuses this client.
        RemoteProtocolError: the server breaks the protocol.
        AssertionError: the client sends something else than a `FakeServer` expects.
        Exception: any error of the handler.
    """
    if options and isinstance(server, (FakeServer, Link)):
        raise TypeError(f"options are for handlers: {', '.join(options)}")
    if isinstance(server, FakeServer):
        server = Link(server.conversation())
    link = server if isinstance(server, Link) else serve(server, **options)
    link.server.report = report
    engine = Client(session=Session(peer="192.0.2.2")) if client is None else client
    if settings is None:
        settings = ClientSettings(name=name, tls=TLSMode.NONE)
    connected = MemoryClient(engine, link, settings)
    connected.run(begin(engine, settings))
    return connected


class MemoryClient(ClientBase):
    """A session with a server in memory; made by `connect`, usable as a context manager.

    Its methods are those of `smtpproto.sync.Client`, so it can replace one.

    Attributes:
        engine: the connection.
        link: the way to the server.
    """

    def __init__(
        self, engine: Client, link: Link, settings: ClientSettings = ClientSettings()
    ) -> None:
        super().__init__(engine, link, settings)
        self.engine = engine
        self.link = link

    def run(self, flow: Flow[T]) -> T:
        """Run a conversation with the server, such as those of `smtpproto.conversations.client`.

        Raises:
            LocalProtocolError: the client is closed, or another conversation is running.
            ConnectionLost: the server has closed, or waits too.
            Exception: any error of the handler.
        """
        with self._conversation():
            try:
                return self.link.run(flow)
            finally:
                self.link.check()

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
        return self.run(self._message(message, sender, recipients))

    def send(self, envelope: Envelope, content: Content) -> Delivery:
        """Deliver content to the recipients of an envelope.

        Arguments:
            envelope: sender and recipients.
            content: bytes, a binary file or an iterable of chunks, with CRLF line endings.
        """
        return self.run(self._delivery(envelope, content))

    def command(self, command: Command) -> Reply:
        """Send any command and return its reply, positive or negative."""
        return self.run(self._answer(command))

    def verify(self, string: str) -> Reply:
        """Send VRFY to ask whether a user or mailbox exists (RFC 5321 section 3.5)."""
        return self.run(self._verify(string))

    def expand(self, string: str) -> Reply:
        """Send EXPN to ask for the members of a mailing list (RFC 5321 section 3.5)."""
        return self.run(self._expand(string))

    def noop(self) -> Reply:
        """Send NOOP to check that the server still replies (RFC 5321 section 4.1.1.9)."""
        return self.run(self._noop())

    def reset(self) -> Reply:
        """Send RSET to abort a mail transaction that `command` began."""
        return self.run(self._reset())

    def help(self, string: str = "") -> Reply:
        """Send HELP (RFC 5321 section 4.1.1.8)."""
        return self.run(self._help(string))

    def quit(self) -> None:
        """Send QUIT if the session allows it, and close."""
        try:
            if not self.closed:
                self.run(self._goodbye())
        finally:
            # If another conversation is running, this one was refused, and must not break it.
            if not self.busy:
                self.close()

    def close(self) -> None:
        """Close without QUIT."""
        self.closed = True
        self.link.end()
        self.link.check()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self.ready:
            self.quit()
        else:
            self.close()
