"""The client over asyncio."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from ..adapters.async_client import AsyncClient, begin_session
from ..adapters.connecting import ConnectionSettings
from ..adapters.settings_as_parameters import fields_as_parameters
from .link import RUNNER, Link, in_thread

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
    dialling = asyncio.ensure_future(_dial_each(settings))
    try:
        await asyncio.wait([dialling], timeout=timeout)
        if dialling.done():
            return dialling.result()
        raise TimeoutError(f"none within {timeout:g} seconds")
    except BaseException:
        if not dialling.cancel() and dialling.exception() is None:
            dialling.result().close()
        raise


async def _dial_each(settings: ConnectionSettings) -> socket.socket:
    """Connect to the first address that accepts; raise the error of the last one."""
    loop, last = asyncio.get_running_loop(), OSError("the host has no address")
    found: list[Any] = [(socket.AF_UNIX, 0, 0, "", settings.path)]
    if settings.path is None:
        found = await loop.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    for family, *_, address in found:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            if settings.source_address is not None:
                sock.bind((settings.source_address, 0))
            await loop.sock_connect(sock, address)
        except BaseException as error:
            sock.close()
            if not isinstance(error, OSError):
                raise
            last = error
        else:
            return sock
    raise last


class Client(AsyncClient):
    """A session with a server, made by `connect`; a context manager that sends QUIT at the end."""

    _runner = RUNNER
    _in_thread = staticmethod(in_thread)
