"""The client of the adapters that can await."""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable, Iterable
from io import BufferedReader
from typing import TYPE_CHECKING, Any, TypeVar

from ..conversations import Content, Delivery, Envelope
from ..conversations.client.base import ClientBase
from ..conversations.io_requests import Flow
from ..vocabulary.command_base import Command
from ..vocabulary.replies import Reply
from .async_runner import AsyncLink, AsyncRunner
from .connecting import ConnectionSettings, begin, check_settings
from .host import naming_address
from .nonblocking_channel import NO_HANDSHAKE, HandshakeSettings

if TYPE_CHECKING:
    from email.message import Message

    from typing_extensions import Self

__all__ = ["AsyncClient", "begin_session"]

T = TypeVar("T")
C = TypeVar("C", bound="AsyncClient")


class AsyncClient(ClientBase):
    """A session with a server; a context manager that sends QUIT at the end.

    An adapter adds how to run conversations, and how to call functions in threads.
    """

    _runner: AsyncRunner

    @staticmethod
    async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function in a thread; if this is cancelled, close what the function returns."""
        raise NotImplementedError

    async def send_message(
        self,
        message: Message,
        sender: str | None = None,
        recipients: Iterable[str] | None = None,
    ) -> Delivery:
        """Deliver a message, by default to the recipients in its header.

        Arguments are those of `send_message` of `smtpproto.sync.Client`.

        Raises:
            Exception: as `send_message` of `smtpproto.sync.Client`.
        """
        return await self._run(self._message(message, sender, recipients))

    async def send(self, envelope: Envelope, content: Content | os.PathLike[str]) -> Delivery:
        """Deliver content to the recipients of an envelope; chunks may come asynchronously.

        Arguments are those of `send` of `smtpproto.sync.Client`.

        Raises:
            Exception: as `send` of `smtpproto.sync.Client`.
        """
        if isinstance(content, os.PathLike):
            with await self._in_thread(open, content, "rb") as file:
                return await self.send(envelope, file)
        if isinstance(content, BufferedReader):
            content = _ReadInThread(content, self._in_thread)
        return await self._run(self._delivery(envelope, content))

    async def verify(self, string: str) -> Reply:
        """Send VRFY to ask whether a user or mailbox exists (RFC 5321 section 3.5)."""
        return await self._run(self._verify(string))

    async def expand(self, string: str) -> Reply:
        """Send EXPN to ask for the members of a mailing list (RFC 5321 section 3.5)."""
        return await self._run(self._expand(string))

    async def noop(self) -> Reply:
        """Send NOOP to check that the server still replies (RFC 5321 section 4.1.1.9)."""
        return await self._run(self._noop())

    async def reset(self) -> Reply:
        """Send RSET to abort a mail transaction that `command` began."""
        return await self._run(self._reset())

    async def help(self, string: str = "") -> Reply:
        """Send HELP (RFC 5321 section 4.1.1.8)."""
        return await self._run(self._help(string))

    async def command(self, command: Command) -> Reply:
        """Send any command and return its reply, positive or negative."""
        return await self._run(self._answer(command))

    async def quit(self) -> None:
        """Send QUIT if the session still allows it, and close."""
        try:
            if not self.closed:
                await self._run(self._goodbye())
        finally:
            # If another conversation is running, this one was refused, and must not break it.
            if not self.busy:
                await self.close()

    async def close(self) -> None:
        """Close without QUIT."""
        self.closed = True
        self._link.close()

    async def _run(self, flow: Flow[T]) -> T:
        try:
            with self._conversation():
                return await self._runner.run(flow, self._link)
        finally:
            if self.closed:
                self._link.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await (self.quit() if self.ready else self.close())


async def begin_session(
    client: type[C],
    make_link: Callable[[socket.socket, float | None, HandshakeSettings], AsyncLink],
    dial: Callable[[ConnectionSettings], Awaitable[socket.socket]],
    settings: ConnectionSettings,
) -> C:
    """Connect, begin a session, and return its client.

    Arguments:
        client: the adapter's client.
        make_link: makes the adapter's link.
        dial: returns a connected socket.
        settings: the settings of the session.

    Raises:
        Exception: as `connect` of `smtpproto.sync`.
    """
    check_settings(settings)
    with naming_address(settings.host, settings.port, settings.path):
        sock = await dial(settings)
    link = make_link(sock, settings.timeout, NO_HANDSHAKE)
    try:
        engine, beginning, link.handshake = begin(link.sock, settings)
        await client._runner.run(beginning, link)  # noqa: SLF001  # of the class above
    except BaseException:
        link.close()
        raise
    return client(engine, link, settings)


class _ReadInThread:
    """A file that is read in a thread, because a disk may be slow."""

    def __init__(self, file: BufferedReader, in_thread: Callable[..., Any]) -> None:
        self._file = file
        self._in_thread = in_thread

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    async def read(self, size: int) -> bytes:
        """Read at most so many octets."""
        return await self._in_thread(self._file.read, size)  # type: ignore[no-any-return]
