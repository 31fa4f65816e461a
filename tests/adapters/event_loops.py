"""What the tests of asyncio share: event loops of two kinds, a server, clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from smtpproto.asyncio import connect, serve
from tests.adapters.worlds import nothing_left_over

NAME = "client.example.org"
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
Run = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]


def run_in(kind: str, body: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test in a kind of loop; no task, socket or unseen error may be left of it."""
    failures: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, each: failures.append(each))
        await asyncio.wait_for(body(), 20)
        for _ in range(3):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with nothing_left_over():
        loop = LOOPS[kind]()
        try:
            loop.run_until_complete(main())
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
    assert failures == []


async def until(condition: Callable[[], Any]) -> None:
    """Wait for what is sure to come, also in a thread."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def serving(handler: Any, **options: Any) -> Any:
    return serve(handler, hostname="mx.example.org", received=False, **options)


def connected(server: Any, **options: Any) -> Any:
    return connect("127.0.0.1", server.port, name=NAME, **options)


async def begin_content(server: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Speak to a server without a client, until it waits for content."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"EHLO client.example.org\r\nMAIL FROM:<>\r\n")
    writer.write(b"RCPT TO:<one@example.net>\r\nDATA\r\n")
    await reader.readuntil(b"\r\n354")
    return reader, writer
