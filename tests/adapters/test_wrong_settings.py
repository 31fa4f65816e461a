"""Settings of the wrong type are told so, in every adapter, before a socket is made."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from smtpproto.sync import ConnectionSettings, ListeningSettings
from tests.adapters.worlds import Inbox, World


@pytest.mark.parametrize("settings", ["mx.example", None, ListeningSettings()])
def test_clients_and_pools_take_settings_of_connections(world: World, settings: Any) -> None:
    for function in (world.adapter.connect_with, world.adapter.Pool.with_settings):
        with pytest.raises(TypeError, match=r"expected ConnectionSettings\(host, port\), found"):
            world.call(function, settings)


@pytest.mark.parametrize("settings", [8025, None, ConnectionSettings()])
def test_a_server_takes_settings_of_listening(world: World, settings: Any) -> None:
    with pytest.raises(TypeError, match=r"expected ListeningSettings\(port=...\), found"):
        world.call(world.adapter.serve_with, Inbox(), settings)


def test_settings_are_no_host(world: World) -> None:
    with pytest.raises(TypeError, match=r"host: expected text, found ConnectionSettings"):
        world.call(partial(world.adapter.Pool, ConnectionSettings()))


def test_a_number_is_no_bounds(world: World) -> None:
    for make in (
        partial(world.adapter.Pool, bounds=3),
        partial(world.adapter.Pool.with_settings, ConnectionSettings(), bounds=3),
    ):
        with pytest.raises(TypeError, match=r"bounds: expected PoolLimits\(connections=...\)"):
            world.call(make)
