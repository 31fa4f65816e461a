"""All adapters behind one face, so that a test is written once.

Test bodies are plain and blocking: `world.serve`, `world.connect`, `world.pool`.  The blocking
adapter is used as it is; trio and asyncio run in a thread of their own, and each call is handed
over to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio
import uvloop

import smtpproto.asyncio
import smtpproto.sync
import smtpproto.trio
from smtpproto import Reply
from smtpproto.conversations import Envelope

if TYPE_CHECKING:
    from typing_extensions import Self

TIMEOUT = 10.0
ENVELOPE = Envelope.of("sender@example.org", ["one@example.net"])


class Inbox:
    """A handler that keeps messages, and counts the sessions that are over."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.envelopes: list[Envelope] = []
        self.peers: list[str] = []
        self.over = 0

    def message(self, session: Any, envelope: Envelope, content: bytes) -> Any:
        self.messages.append(content)
        self.envelopes.append(envelope)
        self.peers.append(session.peer)

    def vrfy(self, session: Any, vrfy: Any) -> Reply:
        return Reply(252, "2.1.5", "try it, and you will know; " * 14)

    def closed(self, session: Any) -> None:
        self.over += 1


class Face:
    """An object whose methods block, whatever they are."""

    def __init__(self, world: Any, thing: Any) -> None:
        self.world = world
        self.thing = thing

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.thing, name)
        return partial(self.world.call, value) if callable(value) else value


class World:
    """What all adapters can do."""

    name: str
    adapter: Any

    def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        raise NotImplementedError

    @contextlib.contextmanager
    def entered(self, manager: Any) -> Iterator[Face]:
        raise NotImplementedError

    @contextlib.contextmanager
    def serve(self, handler: Any, **options: Any) -> Iterator[Face]:
        raise NotImplementedError

    @contextlib.contextmanager
    def connect(self, where: Any, **options: Any) -> Iterator[Face]:
        options = {"name": "client.example.org", "timeout": TIMEOUT, **options}
        with self.entered(self.adapter.connect(*address(where), **options)) as client:
            yield client

    @contextlib.contextmanager
    def pool(self, where: Any, **options: Any) -> Iterator[Face]:
        def make() -> Any:
            return self.adapter.Pool(*address(where), name="client.example.org", **options)

        with self.entered(self.call(make)) as pool:
            yield pool

    def streaming(self, content: Callable[[Any, Envelope, Iterator[bytes]], Any]) -> Any:
        """A handler whose `content` is this plain function, called in a thread."""
        raise NotImplementedError

    async def in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function that blocks, where others may await it."""
        raise NotImplementedError

    def close(self) -> None:
        """The world ends."""


def listens(where: Any) -> bool:
    """Whether a server listens at an address; it does not notice the question."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address(where))
        except OSError:
            return True
    return False


def stopping(server: Face, timeout: float | None = None) -> threading.Thread:
    """Stop a server and wait until it listens no more."""
    where = address(server)
    thread = threading.Thread(target=server.stop, args=(timeout,))
    thread.start()
    wait_until(lambda: not listens(where))
    return thread


def as_usual(options: dict[str, Any]) -> None:
    """Leave the Received field out, as tests compare; None leaves it to the adapter."""
    options.setdefault("hostname", "mx.example.org")
    if options.setdefault("received", False) is None:
        del options["received"]


def address(where: Any) -> tuple[str, int]:
    if isinstance(where, Face):
        host, port = where.addresses[0]
        return (host, port) if port else ("localhost", 25)
    return where  # type: ignore[no-any-return]


class Sync(World):
    name = "sync"
    adapter = smtpproto.sync

    def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        return function(*arguments, **options)

    @contextlib.contextmanager
    def entered(self, manager: Any) -> Iterator[Face]:
        with manager as thing:
            yield Face(self, thing)

    @contextlib.contextmanager
    def serve(self, handler: Any, **options: Any) -> Iterator[Face]:
        as_usual(options)
        server = smtpproto.sync.serve(handler, **options)
        try:
            yield Face(self, server)
        finally:
            server.stop(0.0)

    def streaming(self, content: Callable[[Any, Envelope, Iterator[bytes]], Any]) -> Any:
        class Streaming:
            def content(self, session: Any, envelope: Envelope, chunks: Iterator[bytes]) -> Any:
                return content(session, envelope, chunks)

        return Streaming()


class Awaiting(World):
    """What the adapters that can await can do, in a thread of their own."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._ready.wait(TIMEOUT)

    def _run(self) -> None:
        raise NotImplementedError

    @contextlib.contextmanager
    def entered(self, manager: Any) -> Iterator[Face]:
        thing = self.call(manager.__aenter__)
        try:
            yield Face(self, thing)
        except BaseException as error:
            if not self.call(manager.__aexit__, type(error), error, None):
                raise
        else:
            self.call(manager.__aexit__, None, None, None)


class Trio(Awaiting):
    name = "trio"
    adapter = smtpproto.trio

    def _run(self) -> None:
        trio.run(self._main)

    async def _main(self) -> None:
        self._finish = trio.Event()
        self.token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as self.nursery:
            self._ready.set()
            await self._finish.wait()
            assert not self.nursery.child_tasks

    def close(self) -> None:
        trio.from_thread.run_sync(self._finish.set, trio_token=self.token)
        self._thread.join(TIMEOUT)
        assert not self._thread.is_alive()

    def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        async def calling() -> Any:
            result = function(*arguments, **options)
            return await result if hasattr(type(result), "__await__") else result

        return trio.from_thread.run(calling, trio_token=self.token)

    async def in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await trio.to_thread.run_sync(function, *arguments)

    @contextlib.contextmanager
    def serve(self, handler: Any, **options: Any) -> Iterator[Face]:
        as_usual(options)
        serving = partial(smtpproto.trio.serve, handler, **options)
        before = set(self.nursery.child_tasks)
        server = self.call(lambda: self.nursery.start(serving))
        try:
            yield Face(self, server)
        finally:
            self.call(server.stop, 0.0)
            wait_until(lambda: self.nursery.child_tasks <= before)

    def streaming(self, content: Callable[[Any, Envelope, Iterator[bytes]], Any]) -> Any:
        class Streaming:
            async def content(self, session: Any, envelope: Envelope, chunks: Any) -> Any:
                def plain() -> Generator[bytes, None, None]:
                    while True:
                        try:
                            yield trio.from_thread.run(chunks.__anext__)
                        except StopAsyncIteration:
                            return

                return await trio.to_thread.run_sync(
                    lambda: content(session, envelope, plain()), abandon_on_cancel=True
                )

        return Streaming()


class Asyncio(Awaiting):
    name = "asyncio"
    adapter = smtpproto.asyncio
    new_loop = staticmethod(asyncio.new_event_loop)

    def _run(self) -> None:
        loop = self.new_loop()
        try:
            loop.run_until_complete(self._main())
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    async def _main(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(self._failed)
        self._failures: list[dict[str, Any]] = []
        self._finish = asyncio.Event()
        self._ready.set()
        await self._finish.wait()
        # The calls that the tests left behind, and what they led to.
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._failures.append(context)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self._finish.set)
        self._thread.join(TIMEOUT)
        assert not self._thread.is_alive()
        assert self.loop.is_closed()
        assert self._failures == []

    def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        async def calling() -> Any:
            result = function(*arguments, **options)
            return await result if hasattr(type(result), "__await__") else result

        return asyncio.run_coroutine_threadsafe(calling(), self.loop).result()

    async def in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.to_thread(function, *arguments)

    @contextlib.contextmanager
    def serve(self, handler: Any, **options: Any) -> Iterator[Face]:
        as_usual(options)
        manager = smtpproto.asyncio.serve(handler, **options)
        server = self.call(manager.__aenter__)
        try:
            yield Face(self, server)
        finally:
            self.call(server.stop, 0.0)
            self.call(manager.__aexit__, None, None, None)

    def streaming(self, content: Callable[[Any, Envelope, Iterator[bytes]], Any]) -> Any:
        loop = self.loop

        class Streaming:
            async def content(self, session: Any, envelope: Envelope, chunks: Any) -> Any:
                def plain() -> Generator[bytes, None, None]:
                    while True:
                        following = asyncio.run_coroutine_threadsafe(anext(chunks, None), loop)
                        chunk = following.result()
                        if chunk is None:
                            return
                        yield chunk

                return await asyncio.to_thread(lambda: content(session, envelope, plain()))

        return Streaming()


class Uvloop(Asyncio):
    """The adapter for asyncio in another event loop."""

    new_loop = staticmethod(uvloop.new_event_loop)


# The first loop of a process opens files that stay.
uvloop.new_event_loop().close()


def wait_until(condition: Callable[[], Any], seconds: float = TIMEOUT) -> None:
    """Wait for what is sure to come; the limit is only there to end a test that fails."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.005)


def sessions(server: Face) -> int:
    """How many sessions a server has."""
    return int(server.sessions)


# --- raw peers --------------------------------------------------------------------------------


class Raw:
    """A client of a few lines, that may do what no client should."""

    def __init__(self, where: Any) -> None:
        if isinstance(where, Face):
            where = where.addresses[0]
        if isinstance(where, str) or not where[1]:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(TIMEOUT)
            self.sock.connect(where if isinstance(where, str) else where[0])
        else:
            self.sock = socket.create_connection(where, TIMEOUT)

    def say(self, text: str) -> None:
        self.sock.sendall(text.encode() + b"\r\n")

    def reply(self) -> str:
        """One reply; empty at the end of the connection."""
        lines = b""
        while not lines.endswith(b"\r\n") or lines.splitlines()[-1][3:4] == b"-":
            octet = self.sock.recv(1)
            if not octet:
                return lines.decode()
            lines += octet
        return lines.decode()

    def ask(self, text: str) -> str:
        self.say(text)
        return self.reply()

    def rest(self) -> bytes:
        """All that comes until the server closes."""
        octets = b""
        with contextlib.suppress(ConnectionError):
            while more := self.sock.recv(65536):
                octets += more
        return octets

    def flood(self) -> None:
        """Say things and hear none of the answers, until nothing more goes in."""
        self.sock.settimeout(0.1)
        with contextlib.suppress(TimeoutError):
            while True:
                self.sock.sendall(b"VRFY one\r\n" * 1000)

    def reset(self) -> None:
        """Break the connection off with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()


# --- what is left over ------------------------------------------------------------------------


def file_numbers() -> dict[str, str]:
    gc.collect()
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found[entry.name] = str(entry.readlink())
    # The folder that was just read is closed by now.
    return {number: target for number, target in found.items() if "/proc/" not in target}


@contextlib.contextmanager
def nothing_left_over() -> Iterator[None]:
    """Fail if file numbers or threads are left at the end."""
    before, threads = file_numbers(), set(threading.enumerate())

    def ours() -> list[threading.Thread]:
        # Trio keeps a few idle threads of its own for a while.
        return [
            thread
            for thread in threading.enumerate()
            if thread not in threads and not thread.name.startswith("Trio thread")
        ]

    yield
    wait_until(lambda: not ours())
    wait_until(lambda: file_numbers() == before)
