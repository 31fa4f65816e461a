"""The client over trio."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from ..adapters.async_client import AsyncClient, begin_session
from ..adapters.connecting import ConnectionSettings
from ..adapters.settings_as_parameters import fields_as_parameters
from .link import RUNNER, Link

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
    """Do the same as `connect`, with a settings object and without a block."""
    return await begin_session(Client, Link, _dial, settings)


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
        # Trio's own error is a summary; the error of the last address says more.
        attempts = getattr(error.__cause__, "exceptions", ())
        raise (attempts[-1] if attempts else error) from None
    raise TimeoutError(f"none within {timeout:g} seconds")


class Client(AsyncClient):
    """A session with a server, made by `connect`; a context manager that sends QUIT at the end."""

    _runner = RUNNER

    @staticmethod
    async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
        return await trio.to_thread.run_sync(function, *arguments)
