"""The blocking client."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, TypeVar

from ..client import Client as Connection
from ..commands import Command, Expn, Help, Noop, Rset, Vrfy
from ..conversations import message as messages
from ..conversations import submit
from ..conversations.names import client_name
from ..conversations.outcome import Envelope
from ..extensions import KNOWN, Extension
from ..session import Protocol, Session
from ..wire import LineEndings
from ._run import Link, run

if TYPE_CHECKING:
    from collections.abc import Iterable
    from email.message import EmailMessage
    from types import TracebackType

    from typing_extensions import Self

    from .._connection import Observer
    from ..addresses import ForwardPath, ReversePath
    from ..conversations.content import Content
    from ..conversations.outcome import Delivery
    from ..conversations.requests import Flow
    from ..limits import Limits
    from ..replies import Reply
    from ..session import Offered

__all__ = ["Client", "connect"]

T = TypeVar("T")


def connect(
    host: str = "localhost",
    port: int = 25,
    *,
    path: str | None = None,
    name: str | None = None,
    timeout: float | None = None,
    connect_timeout: float = 30.0,
    source_address: tuple[str, int] | None = None,
    protocol: Protocol = Protocol.SMTP,
    extensions: Iterable[type[Extension]] = KNOWN,
    limits: Limits | None = None,
    line_endings: LineEndings = LineEndings.REFUSE,
    observer: Observer | None = None,
) -> Client:
    """Connect to a server and begin a session.

    Arguments:
        host: name or IP address of the server.
        port: 25 for relaying, 587 for submission (RFC 6409), 24 is usual for LMTP.
        path: a Unix socket to use instead of host and port.
        name: what to call oneself; None: the host's own name if it has a domain, otherwise the
            address literal of the connection (RFC 5321 section 4.1.4).
        timeout: seconds that no wait may pass; None: what RFC 5321 section 4.5.3.2 allows, which is
            minutes.
        connect_timeout: seconds to wait for the connection.
        source_address: address and port to connect from.
        protocol: SMTP or LMTP.
        extensions: the service extensions to make use of.
        limits: bounds on what the server can make this side hold or do.
        line_endings: what happens to a bare CR or LF in content.
        observer: called with each line and chunk, such as a `Transcript`.

    Raises:
        OSError: no connection.
        SMTPError: the server does not want this client.
        RemoteProtocolError: what answers does not speak SMTP.
    """
    if path is not None:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(connect_timeout)
        sock.connect(path)
    else:
        sock = socket.create_connection((host, port), connect_timeout, source_address)
    connection = Connection(
        extensions,
        limits=limits,
        protocol=protocol,
        line_endings=line_endings,
        session=Session(peer=path or sock.getpeername()[0], secure=path is not None),
        observer=observer,
    )
    local = None if path is not None else sock.getsockname()[0]
    client = Client(connection, Link(sock, most=timeout))
    client._begin(client_name(name, socket.gethostname(), local))  # noqa: SLF001
    return client


class Client:
    """A session with a server; made by `connect`, usable as a context manager.

    After an error that leaves the session in doubt, or a broken link, it is closed, and every method
    raises `LocalProtocolError`.
    """

    def __init__(self, connection: Connection, link: Link) -> None:
        self._connection = connection
        self._link = link

    @property
    def session(self) -> Session:
        """The facts of the session."""
        return self._connection.session

    @property
    def offered(self) -> Offered[object]:
        """The service extensions that the server offers."""
        return self._connection.offered

    def send_message(
        self,
        message: EmailMessage,
        sender: str | None = None,
        recipients: Iterable[str] | None = None,
    ) -> Delivery:
        """Deliver a message to the recipients in its header.

        Arguments:
            message: its Bcc field is left out of what is sent.
            sender: the reverse-path; None: taken from Sender or From.
            recipients: None: taken from To, Cc and Bcc.

        Returns:
            One outcome for each recipient.

        Raises:
            LocalProtocolError: an address cannot be used, or the server cannot take this content.
        """
        envelope = messages.envelope_of(message, sender, recipients)
        return self.send(envelope, messages.content_of(message, self.offered))

    def send(self, envelope: Envelope, content: Content) -> Delivery:
        """Deliver content to the recipients of an envelope; see `conversations.submit.deliver`.

        Arguments:
            envelope: such as `Envelope.of("me@example.org", ["you@example.net"])`.
            content: bytes, a binary file or an iterable of chunks, with CRLF line endings.

        Returns:
            One outcome for each recipient.
        """
        return self._run(submit.deliver(self._connection, envelope, content))

    def verify(self, string: str) -> Reply:
        """Ask whether a user or mailbox is there: VRFY (RFC 5321 section 3.5)."""
        return self.command(Vrfy(string))

    def expand(self, string: str) -> Reply:
        """Ask for the members of a mailing list: EXPN (RFC 5321 section 3.5)."""
        return self.command(Expn(string))

    def noop(self) -> Reply:
        """Say NOOP."""
        return self.command(Noop())

    def reset(self) -> Reply:
        """Say RSET."""
        return self.command(Rset())

    def help(self, string: str = "") -> Reply:
        """Ask for help: HELP."""
        return self.command(Help(string))

    def command(self, command: Command) -> Reply:
        """Send any command and get its reply, whatever it says."""
        return self._run(submit.ask(self._connection, command))

    def quit(self) -> None:
        """Say QUIT if that is still possible, and close."""
        try:
            run(submit.end(self._connection), self._link)
        finally:
            self.close()

    def close(self) -> None:
        """Close without QUIT."""
        self._link.close()

    def _begin(self, name: Any) -> None:
        self._run(submit.begin(self._connection, name))

    def _run(self, flow: Flow[T]) -> T:
        try:
            return run(flow, self._link)
        finally:
            if not submit.is_ready(self._connection):
                self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None and submit.is_ready(self._connection):
            self.quit()
        else:
            self.close()
