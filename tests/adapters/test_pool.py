"""A pool: connections are used again as long as they are good, and no longer."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from smtpproto import LocalProtocolError
from smtpproto.adapters.connecting import ConnectionSettings
from smtpproto.conversations import TLSMode
from smtpproto.conversations.client.pool import PoolLimits
from smtpproto.extensions import ServerLimits
from smtpproto.extensions.known import standard
from smtpproto.trio import Pool
from smtpproto.vocabulary.addresses import AddressLiteral, Domain
from tests.adapters.worlds import ENVELOPE, Face, Inbox, World, sessions, wait_until

CONTENT = b"Hello\r\n"


class Counting(Inbox):
    """Counts sessions as well."""

    def __init__(self) -> None:
        super().__init__()
        self.connected = 0
        self.names: set[str] = set()

    def connect(self, session: Any) -> None:
        self.connected += 1

    def closed(self, session: Any) -> None:
        super().closed(session)
        self.names.add(str(session.name))


@contextlib.contextmanager
def lent(world: World, pool: Face) -> Any:
    with world.entered(pool.thing.connection()) as client:
        yield client


def deliver(world: World, pool: Face) -> None:
    with lent(world, pool) as client:
        assert client.send(ENVELOPE, CONTENT).complete


def test_a_connection_is_used_again(world: World) -> None:
    inbox = Counting()
    with world.serve(inbox) as server:
        with world.pool(server) as pool:
            for _ in range(3):
                deliver(world, pool)
            assert sessions(server) == 1
        wait_until(lambda: not sessions(server))
    assert len(inbox.messages) == 3
    assert inbox.connected == inbox.over == 1


class NamedByMethod(ConnectionSettings):
    def ehlo_name(self, hostname: str, address: str | None) -> Domain | AddressLiteral:
        return Domain("pool.example.org")


def test_settings_that_are_made_already(world: World) -> None:
    inbox = Counting()
    with world.serve(inbox) as server:
        settings = NamedByMethod(server.host, server.port)
        bounds = PoolLimits(messages=2)
        pool = partial(world.adapter.Pool.with_settings, settings, bounds=bounds)
        with world.entered(world.call(pool)) as entered:
            for _ in range(3):
                deliver(world, entered)
    assert inbox.connected == 2
    assert inbox.names == {"pool.example.org"}


def test_a_pool_of_an_own_class_with_settings_that_are_made_already(world: World) -> None:
    class OwnPool(world.adapter.Pool):  # type: ignore[name-defined,misc]  # of each adapter
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.own = True

    inbox = Counting()
    with world.serve(inbox) as server:
        settings = NamedByMethod(server.host, server.port)
        with world.entered(world.call(partial(OwnPool.with_settings, settings))) as pool:
            assert pool.thing.own
            deliver(world, pool)
    assert inbox.names == {"pool.example.org"}


def test_only_for_so_many_messages(world: World) -> None:
    inbox = Counting()
    with (
        world.serve(inbox) as server,
        world.pool(server, bounds=PoolLimits(messages=2)) as pool,
    ):
        for _ in range(5):
            deliver(world, pool)
    assert inbox.connected == 3


def test_only_for_as_many_messages_as_the_server_takes(world: World) -> None:
    inbox = Counting()
    extensions = [*standard(), ServerLimits(mailmax=2)]
    with world.serve(inbox, extensions=extensions) as server, world.pool(server) as pool:
        for _ in range(4):
            deliver(world, pool)
    assert inbox.connected == 2


def test_only_so_many_connections_at_once(world: World) -> None:
    inbox = Counting()
    with (
        world.serve(inbox) as server,
        world.pool(server, bounds=PoolLimits(connections=2)) as pool,
    ):
        threads = [threading.Thread(target=deliver, args=(world, pool)) for _ in range(8)]
        with lent(world, pool):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(10)
    assert len(inbox.messages) == 8
    assert inbox.connected == 2


def test_what_broke_is_not_used_again(world: World) -> None:
    inbox = Counting()

    def failing() -> Any:
        yield b"Subject: half\r\n\r\n"
        raise ZeroDivisionError

    with world.serve(inbox) as server, world.pool(server) as pool:
        with pytest.raises(ZeroDivisionError), lent(world, pool) as client:
            client.send(ENVELOPE, failing())
        deliver(world, pool)
        # An error of the user's own says nothing about the connection.
        with pytest.raises(ZeroDivisionError), lent(world, pool) as client:
            raise ZeroDivisionError
        deliver(world, pool)
    assert inbox.connected == 2
    assert inbox.messages == [CONTENT] * 2


def test_a_server_that_went_away_is_noticed(world: World) -> None:
    inbox = Counting()
    listener = socket.create_server(("127.0.0.1", 0))
    where = listener.getsockname()
    with world.pool(where, bounds=PoolLimits(trusted=0.0)) as pool:
        for each in (listener, None):
            with world.serve(inbox, listeners=[each or socket.create_server(where)]):
                deliver(world, pool)
    assert inbox.connected == 2
    assert len(inbox.messages) == 2


def test_what_is_idle_for_too_long_is_given_up(world: World) -> None:
    inbox = Counting()
    with (
        world.serve(inbox) as server,
        world.pool(server, bounds=PoolLimits(idle=0.0)) as pool,
    ):
        deliver(world, pool)
        deliver(world, pool)
        assert inbox.connected == 2


def test_no_server_no_slot_lost(world: World) -> None:
    with world.serve(Inbox()) as server:
        where = server.addresses[0]
    with world.pool(where, bounds=PoolLimits(connections=1)) as pool:
        for _ in range(2):
            with pytest.raises(OSError, match=r"refused|connect"), lent(world, pool):
                raise AssertionError("there is no session")


def test_a_pool_that_is_closed_lends_nothing(world: World) -> None:
    inbox = Counting()
    with world.serve(inbox) as server:
        with world.pool(server) as pool:
            deliver(world, pool)
        with pytest.raises(LocalProtocolError, match="this pool is closed"):
            deliver(world, pool)
    assert inbox.connected == 1


def test_what_comes_back_after_the_end_is_closed(world: World) -> None:
    with world.serve(Inbox()) as server, world.pool(server) as pool:
        with lent(world, pool) as client:
            pool.close()
            assert client.noop().positive
        wait_until(lambda: not sessions(server))


class SilentAtQuit:
    """A server over trio that leaves the first QUIT, or all of them, without a reply."""

    def __init__(self, *, always: bool) -> None:
        self.always = always
        self.connected = 0
        self.quits = trio.Event()

    async def serve(self, stream: trio.SocketStream) -> None:
        self.connected += 1
        await stream.send_all(b"220 mx.example\r\n")
        async for octets in stream:
            if octets == b"QUIT\r\n" and (self.always or not self.quits.is_set()):
                self.quits.set()
                continue
            await stream.send_all(b"250 mx.example\r\n")

    @contextlib.asynccontextmanager
    async def pool(self, bounds: PoolLimits) -> AsyncGenerator[Pool, None]:
        async with trio.open_nursery() as nursery:
            serving = partial(trio.serve_tcp, self.serve, 0, host="127.0.0.1")
            (listener,) = await nursery.start(serving)
            port = listener.socket.getsockname()[1]
            async with Pool(
                "127.0.0.1", port, bounds=bounds, name="client.example", tls=TLSMode.NONE
            ) as pool:
                yield pool
            nursery.cancel_scope.cancel()

    async def cancel(self, scope: trio.CancelScope) -> None:
        await self.quits.wait()
        scope.cancel()


def test_trio_keeps_a_good_connection_when_it_is_cancelled_within_quit() -> None:
    """To an expired connection, whose server does not answer QUIT, while a good one is idle."""
    server = SilentAtQuit(always=False)
    clock = trio.testing.MockClock()

    async def main() -> None:
        async with server.pool(PoolLimits(idle=60.0)) as pool, trio.open_nursery() as nursery:
            async with pool.connection() as good:
                async with pool.connection() as expired:
                    pass
                clock.jump(61)
            with trio.CancelScope() as scope:
                nursery.start_soon(server.cancel, scope)
                async with pool.connection():
                    raise AssertionError("it waits for the reply to QUIT")
            assert scope.cancelled_caught
            assert expired.closed
            async with pool.connection() as again:
                assert again is good
                assert (await again.noop()).positive

    trio.run(main, clock=clock)
    assert server.connected == 2


def test_trio_leaves_no_connection_open_when_it_is_cancelled_while_it_closes() -> None:
    server = SilentAtQuit(always=True)

    async def main() -> None:
        async with server.pool(PoolLimits()) as pool, trio.open_nursery() as nursery:
            async with pool.connection() as one, pool.connection() as two:
                pass
            with trio.CancelScope() as scope:
                nursery.start_soon(server.cancel, scope)
                await pool.close()
            assert scope.cancelled_caught
            assert one.closed
            assert two.closed

    trio.run(main)
