"""The blocking client."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterable, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from ..adapters.connecting import ConnectionSettings, begin, check_settings
from ..adapters.host import naming_address
from ..adapters.nonblocking_channel import NO_HANDSHAKE
from ..adapters.settings_as_parameters import fields_as_parameters
from ..conversations import Content, Delivery, Envelope
from ..conversations.client.base import ClientBase
from ..conversations.io_requests import Flow
from ..vocabulary.command_base import Command
from ..vocabulary.replies import Reply
from .link import Link, T, run

if TYPE_CHECKING:
    from email.message import Message

__all__ = ["Client", "connect", "connect_with", "dial"]


@fields_as_parameters(ConnectionSettings)
def connect(settings: ConnectionSettings) -> Client:
    """Connect to a server and begin a session.

    Raises:
        OSError: the client cannot connect.
        SMTPError: the server refuses this client, or its certificate is not trusted.
        RemoteProtocolError: the server broke the protocol.
        LocalProtocolError, TypeError, ValueError: an argument cannot be used.
    """
    return connect_with(settings)


def connect_with(settings: ConnectionSettings) -> Client:
    """Do the same as `connect`, with a settings object."""
    check_settings(settings)
    sock = dial(settings)
    link = Link(sock, settings.timeout, NO_HANDSHAKE)
    try:
        engine, beginning, link.handshake = begin(sock, settings)
        run(beginning, link)
    except BaseException:
        link.close()
        raise
    return Client(engine, link, settings)


def dial(settings: ConnectionSettings) -> socket.socket:
    """Return a connected socket.

    Raises:
        OSError: the client cannot connect.
    """
    timeout, source = settings.connect_timeout, settings.source_address
    with naming_address(settings.host, settings.port, settings.path):
        if settings.path is None:
            where = (settings.host, settings.port)
            return socket.create_connection(where, timeout, (source, 0) if source else None)
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.settimeout(timeout)
            sock.connect(settings.path)
        except BaseException:
            sock.close()
            raise
        return sock


class Client(ClientBase, AbstractContextManager["Client"]):
    """A session with a server, made by `connect`; a context manager that sends QUIT at the end."""

    def send_message(
        self,
        message: Message,
        sender: str | None = None,
        recipients: Iterable[str] | None = None,
    ) -> Delivery:
        """Deliver a message, by default to the recipients in its header.

        Arguments:
            message: its Bcc field is left out of what is sent.
            sender: the reverse-path; None: taken from Sender or From.
            recipients: None: taken from To, Cc and Bcc.

        Raises:
            LocalProtocolError: an address cannot be used, or the server cannot accept this content.
            TypeError: the message is not an `email.message.Message`.
            ValueError: there is no sender or no recipient.
        """
        return self._run(self._message(message, sender, recipients))

    def send(self, envelope: Envelope, content: Content | os.PathLike[str]) -> Delivery:
        """Deliver content to the recipients of an envelope.

        The outcomes say what became of each recipient, also if the connection is lost.

        Arguments:
            envelope: sender and recipients, with any parameters.
            content: the message, with CRLF line endings, whole or in chunks; or the path of a file.

        Raises:
            LocalProtocolError: the server cannot accept the content or a command; nothing was
                delivered, and the session can go on.
            Exception: any error of reading the content; the connection is closed.
        """
        if isinstance(content, os.PathLike):
            with open(content, "rb") as file:  # noqa: PTH123  importing pathlib takes 3 ms
                return self._run(self._delivery(envelope, file))
        if isinstance(content, AsyncIterable) and not hasattr(content, "read"):
            raise TypeError(
                "content: expected bytes, a binary file or an iterable of bytes, found an "
                f"{type(content).__name__}, which the blocking client cannot await: use "
                "smtpproto.asyncio or smtpproto.trio"
            )
        return self._run(self._delivery(envelope, content))

    def verify(self, string: str) -> Reply:
        """Send VRFY to ask whether a user or mailbox exists (RFC 5321 section 3.5)."""
        return self._run(self._verify(string))

    def expand(self, string: str) -> Reply:
        """Send EXPN to ask for the members of a mailing list (RFC 5321 section 3.5)."""
        return self._run(self._expand(string))

    def noop(self) -> Reply:
        """Send NOOP to check that the server still replies (RFC 5321 section 4.1.1.9)."""
        return self._run(self._noop())

    def reset(self) -> Reply:
        """Send RSET to abort a mail transaction that `command` began."""
        return self._run(self._reset())

    def help(self, string: str = "") -> Reply:
        """Send HELP (RFC 5321 section 4.1.1.8)."""
        return self._run(self._help(string))

    def command(self, command: Command) -> Reply:
        """Send any command and return its reply, positive or negative."""
        return self._run(self._answer(command))

    def quit(self) -> None:
        """Send QUIT if the session still allows it, and close."""
        try:
            if not self.closed:
                self._run(self._goodbye())
        finally:
            # If another conversation is running, this one was refused, and must not break it.
            if not self.busy:
                self.close()

    def close(self) -> None:
        """Close without QUIT."""
        self.closed = True
        self._link.close()

    def _run(self, flow: Flow[T]) -> T:
        try:
            with self._conversation():
                return run(flow, self._link)
        finally:
            if self.closed:
                self._link.close()

    def __exit__(self, *_: object) -> None:
        leave = self.quit if self.ready else self.close
        leave()
