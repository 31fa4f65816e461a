"""The client over asyncio."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

from ..adapters.async_client import AsyncClient, begin_session
from ..adapters.connecting import ConnectionSettings
from ..adapters.settings_as_parameters import fields_as_parameters
from .link import RUNNER, Link, made_in_thread

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
    loop, source = asyncio.get_running_loop(), settings.source_address
    if settings.path is not None:
        return await _connected(socket.AF_UNIX, settings.path, None)
    found = await loop.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    last: OSError | None = None
    for family, *_, address in found:
        try:
            return await _connected(family, address, source)
        except OSError as error:
            last = error
    raise last or OSError("the host has no address")


async def _connected(family: int, address: Any, source: str | None) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if source is not None:
            sock.bind((source, 0))
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


class Client(AsyncClient):
    """A session with a server, made by `connect`; a context manager that sends QUIT at the end."""

    _runner = RUNNER

    @staticmethod
    async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.to_thread(function, *arguments)

    @staticmethod
    async def _open(path: os.PathLike[str]) -> BufferedReader:
        return await made_in_thread(lambda: Path(path).open("rb"), BufferedReader.close)
