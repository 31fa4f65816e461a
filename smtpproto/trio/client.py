"""The client over trio."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncGenerator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from email.message import Message
from io import BufferedReader

import trio

from ..adapters.connecting import ConnectionSettings, begin
from ..adapters.host import connecting
from ..adapters.settings_as_parameters import fields_as_parameters
from ..adapters.tls_contexts import NO_HANDSHAKE
from ..conversations import Content, Delivery, Envelope
from ..conversations.client.base import ClientBase
from ..conversations.io_requests import Flow
from ..vocabulary.command_base import Command
from ..vocabulary.replies import Reply
from .link import Link, T, run

__all__ = ["Client", "connect", "connect_with"]


@fields_as_parameters(ConnectionSettings)
@asynccontextmanager
async def connect(settings: ConnectionSettings) -> AsyncGenerator[Client, None]:
    """Connect to a server and begin a session; it ends with the block.

    Raises:
        Exception: as `connect` of `smtpproto.sync`.
    """
    async with await connect_with(settings) as client:
        yield client


async def connect_with(settings: ConnectionSettings) -> Client:
    """Do the same as `connect`, with settings that are made already, and without a block."""
    with connecting(settings.host, settings.port, settings.path):
        sock = await _dial(settings)
    link = Link(sock, settings.timeout, NO_HANDSHAKE)
    try:
        engine, beginning, link.handshake = begin(sock, settings)
        await run(beginning, link)
    except BaseException:
        link.close()
        raise
    return Client(engine, link, settings)


async def _dial(settings: ConnectionSettings) -> socket.socket:
    timeout = settings.connect_timeout
    try:
        with trio.move_on_after(timeout):
            if settings.path is None:
                stream = await trio.open_tcp_stream(
                    settings.host, settings.port, local_address=settings.source_address
                )
            else:
                stream = await trio.open_unix_socket(settings.path)
            return socket.socket(fileno=stream.socket.detach())
    except OSError as error:
        # Trio sums up what became of each address; what became of the last one says more.
        attempts = getattr(error.__cause__, "exceptions", ())
        raise (attempts[-1] if attempts else error) from None
    raise TimeoutError(f"none within {timeout:g} seconds")


class Client(ClientBase, AbstractAsyncContextManager["Client"]):
    """A session with a server; made by `connect`, usable as a context manager that says goodbye."""

    async def send_message(
        self,
        message: Message,
        sender: str | None = None,
        recipients: Iterable[str] | None = None,
    ) -> Delivery:
        """Deliver a message, by default as its header says: see `ClientBase._message`."""
        return await self._run(self._message(message, sender, recipients))

    async def send(self, envelope: Envelope, content: Content | os.PathLike[str]) -> Delivery:
        """Deliver content, or that of the file at a path: see `ClientBase._delivery`."""
        if isinstance(content, os.PathLike):
            async with await trio.open_file(content, "rb") as file:
                return await self._run(self._delivery(envelope, file))
        if isinstance(content, BufferedReader):
            content = trio.wrap_file(content)  # read in a thread, as a disk may be slow
        return await self._run(self._delivery(envelope, content))

    async def verify(self, string: str) -> Reply:
        """Ask whether a user or mailbox is there (RFC 5321 section 3.5)."""
        return await self._run(self._verify(string))

    async def expand(self, string: str) -> Reply:
        """Ask for the members of a mailing list (RFC 5321 section 3.5)."""
        return await self._run(self._expand(string))

    async def noop(self) -> Reply:
        """Ask whether the server is still there."""
        return await self._run(self._noop())

    async def reset(self) -> Reply:
        """Give up a mail transaction that `command` began."""
        return await self._run(self._reset())

    async def help(self, string: str = "") -> Reply:
        """Ask for help."""
        return await self._run(self._help(string))

    async def command(self, command: Command) -> Reply:
        """Send any command and return its reply, positive or negative."""
        return await self._run(self._answer(command))

    async def quit(self) -> None:
        """Say goodbye if that is still possible, and close."""
        try:
            if not self.closed:
                await self._run(self._goodbye())
        finally:
            await self.close()

    async def close(self) -> None:
        """Close without a word."""
        self.closed = True
        self._link.close()

    async def _run(self, flow: Flow[T]) -> T:
        try:
            with self._conversation():
                return await run(flow, self._link)
        finally:
            if self.closed:
                self._link.close()

    async def __aexit__(self, *_: object) -> None:
        await (self.quit() if self.ready else self.close())
