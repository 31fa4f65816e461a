"""Settings of the wrong type are told so, in every adapter, before a socket is made."""

from __future__ import annotations

import errno
import math
from collections.abc import AsyncIterator
from functools import partial
from io import BytesIO
from typing import Any

import pytest

from smtpproto import sync
from smtpproto.sync import ConnectionSettings, ListeningSettings
from tests.adapters.worlds import ENVELOPE, Inbox, World


@pytest.mark.parametrize("settings", ["mx.example", None, ListeningSettings()])
def test_clients_and_pools_take_settings_of_connections(world: World, settings: Any) -> None:
    for function in (world.adapter.connect_with, world.adapter.Pool.with_settings):
        with pytest.raises(TypeError, match=r"expected ConnectionSettings\(host, port\), found"):
            world.call(function, settings)


@pytest.mark.parametrize("settings", [8025, None, ConnectionSettings()])
def test_a_server_takes_settings_of_listening(world: World, settings: Any) -> None:
    with pytest.raises(TypeError, match=r"expected ListeningSettings\(port=...\), found"):
        world.call(world.adapter.serve_with, Inbox(), settings)


def test_a_number_is_no_bounds(world: World) -> None:
    for make in (
        partial(world.adapter.Pool, bounds=3),
        partial(world.adapter.Pool.with_settings, ConnectionSettings(), bounds=3),
    ):
        with pytest.raises(TypeError, match="bounds: expected PoolLimits, found int"):
            world.call(make)


@pytest.mark.parametrize("host", ["127.0.0.1:25", "[::1]", "[::1]:25", "smtp://mx.example"])
def test_a_host_is_no_more_than_that(world: World, host: str) -> None:
    for call in (world.adapter.connect, world.adapter.Pool, partial(world.adapter.serve, Inbox())):
        with pytest.raises(ValueError, match="the port is an argument of its own"):
            world.call(partial(call, host=host))


@pytest.mark.parametrize("port", [-1, 65536, 90000])
def test_a_port_is_a_number_of_16_bits(world: World, port: int) -> None:
    for call in (world.adapter.connect, world.adapter.Pool, partial(world.adapter.serve, Inbox())):
        with pytest.raises(
            ValueError, match=f"port: expected a number from 0 to 65535, found {port}"
        ):
            world.call(partial(call, port=port))


def test_an_address_that_is_taken_is_named(world: World) -> None:
    with world.serve(Inbox()) as server:
        _, port = server.addresses[0]
        where = f"cannot listen on 127.0.0.1 port {port}: Address already in use"
        with pytest.raises(OSError, match=where) as raised:
            world.call(partial(world.adapter.serve_with, Inbox(), ListeningSettings(port=port)))
        assert raised.value.errno == errno.EADDRINUSE


def test_an_observer_that_is_awaited_needs_an_adapter_that_awaits(world: World) -> None:
    async def observer(session: Any) -> Any:
        return None

    if world.name == "sync":
        with pytest.raises(TypeError, match=r"observer is async, and the blocking server cannot"):
            sync.serve(Inbox(), observer=observer)  # type: ignore[arg-type]
    else:
        with world.serve(Inbox(), observer=observer) as server, world.connect(server) as client:
            assert client.noop().positive


def test_content_that_is_awaited_needs_an_adapter_that_awaits(world: World) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"hello\r\n"

    with world.serve(Inbox()) as server, world.connect(server) as client:
        if world.name == "sync":
            with pytest.raises(TypeError, match="async_generator, which the blocking client"):
                client.send(ENVELOPE, content())
            assert client.noop().positive
        else:
            assert client.send(ENVELOPE, content()).complete


def test_a_file_that_can_also_be_awaited_is_read_as_a_file(world: World) -> None:
    class Both(BytesIO):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"line"

    with world.serve(Inbox()) as server, world.connect(server) as client:
        assert client.send(ENVELOPE, Both(b"hello\r\n")).complete


def test_a_server_goes_on_after_a_wrong_time_limit(world: World) -> None:
    with world.serve(Inbox()) as server:
        with pytest.raises(TypeError, match="timeout: expected float or None, found str"):
            server.stop("3")
        for wrong in (math.nan, math.inf, -1):
            with pytest.raises(ValueError, match=f"timeout: expected seconds .*, found {wrong}"):
                server.stop(wrong)
        with world.connect(server) as client:
            assert client.noop().positive


def test_waiting_for_a_server_takes_a_time() -> None:
    with sync.serve(Inbox()) as server:
        with pytest.raises(ValueError, match=r"timeout: expected seconds .*, found inf"):
            server.wait(math.inf)
        with pytest.raises(TypeError, match="timeout: expected float or None, found str"):
            server.wait("3")  # type: ignore[arg-type]
        assert not server.wait(0)
