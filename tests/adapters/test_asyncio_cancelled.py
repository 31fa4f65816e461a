"""Over asyncio: cancellation at each await."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import pytest

from smtpproto import LocalProtocolError
from smtpproto.asyncio import (
    Client,
    Pool,
    PoolLimits,
    ServerTLS,
    TLSMode,
)
from tests.adapters.event_loops import NAME, Run, connected, serving, until
from tests.adapters.test_tls_contexts import CLIENT, SERVER
from tests.adapters.worlds import ENVELOPE, Inbox, listens


class Cancelling:
    """Awaits a coroutine, and has it cancelled at one of its waits.

    Arguments:
        body: the coroutine.
        steps: how often it is woken before.
        late: whether the cancellation comes when the wait is already over.
    """

    def __init__(self, body: Coroutine[Any, Any, Any], steps: int, *, late: bool) -> None:
        self.body, self.steps, self.late = body, steps, late

    def __await__(self) -> Generator[Any, Any, Any]:
        error: BaseException | None = None
        while True:
            self.steps -= 1
            if self.steps == -1 and self.late:
                error = asyncio.CancelledError()
            elif self.steps == 0 and not self.late:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                awaited = self.body.send(None) if error is None else self.body.throw(error)
            except StopIteration as stop:
                return stop.value
            error = None
            try:
                yield awaited
            except BaseException as raised:  # noqa: BLE001
                error = raised


async def cancelled_after(
    steps: int, function: Callable[[], Coroutine[Any, Any, Any]], *, late: bool
) -> bool:
    """Run a function until it has been woken so often; whether it was cancelled."""

    async def cancelling() -> None:
        await Cancelling(function(), steps, late=late)

    task = asyncio.ensure_future(cancelling())
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
    return task.cancelled()


EACH_MOMENT = pytest.mark.parametrize("late", [False, True], ids=["waiting", "woken"])


@EACH_MOMENT
@pytest.mark.parametrize("used", [TLSMode.NONE, TLSMode.STARTTLS])
def test_a_client_is_cancelled_at_each_step(run: Run, used: TLSMode, *, late: bool) -> None:
    """Its connection is closed, nothing is left, and a message is delivered whole or not at all."""
    inbox = Inbox()
    options: Any = {"tls": used, "tls_context": CLIENT, "server_hostname": "localhost"}
    content = b"x" * 998 + b"\r\n"

    async def body() -> None:
        async with serving(inbox, tls=ServerTLS.STARTTLS, tls_context=SERVER) as server:
            seen: list[Client] = []

            async def submit() -> None:
                async with connected(server, **options) as client:
                    seen.append(client)
                    await client.send(ENVELOPE, [content * 100] * 3)
                    await client.noop()

            steps = 1
            while await cancelled_after(steps, submit, late=late):
                steps += 1
                if seen:
                    assert seen[-1].closed
                    with pytest.raises(LocalProtocolError):
                        await seen[-1].noop()
            assert steps > 8
            assert seen
            await server.stop()
            assert server.sessions == 0

    run(body)
    assert set(inbox.messages) == {content * 300}


@EACH_MOMENT
def test_a_client_that_sends_a_file_is_cancelled_at_each_step(
    run: Run, tmp_path: Path, *, late: bool
) -> None:
    """A file that a thread opens meanwhile is closed."""
    inbox = Inbox()
    path = tmp_path / "message"
    path.write_bytes(b"x" * 998 + b"\r\n")

    async def body() -> None:
        async with serving(inbox) as server:

            async def submit() -> None:
                async with connected(server) as client:
                    await client.send(ENVELOPE, path)

            steps = 1
            while await cancelled_after(steps, submit, late=late):
                steps += 1
            assert steps > 8

    run(body)
    assert set(inbox.messages) == {path.read_bytes()}


@EACH_MOMENT
def test_a_pool_is_cancelled_at_each_step(run: Run, *, late: bool) -> None:
    """No slot is lost, and no connection in doubt is lent again."""

    async def body() -> None:
        async with (
            serving(Inbox()) as server,
            Pool("127.0.0.1", server.port, name=NAME, bounds=PoolLimits(connections=1)) as pool,
        ):

            async def submit() -> None:
                async with pool.connection() as client:
                    assert client.ready
                    await client.send(ENVELOPE, b"Hello\r\n")
                    await client.send(ENVELOPE, b"Hello\r\n")

            steps = 1
            while await cancelled_after(steps, submit, late=late):
                steps += 1
            assert steps > 3
            await submit()

    run(body)


@EACH_MOMENT
def test_a_server_is_cancelled_at_each_step(run: Run, *, late: bool) -> None:
    """Whenever it is: no session and no listener is left."""

    async def body() -> None:
        inbox = Inbox()
        servers: list[Any] = []

        async def program() -> None:
            async with serving(inbox, grace=0) as server:
                servers.append(server)
                async with connected(server) as client:
                    await client.send(ENVELOPE, b"Hello\r\n")

        steps = 1
        while await cancelled_after(steps, program, late=late):
            steps += 1
        assert steps > 5
        for server in servers:
            await server.stop(0)
            assert server.sessions == 0
            assert not listens(("127.0.0.1", server.port))

    run(body)


def test_a_pool_leaves_no_connection_open_when_it_is_cancelled_while_it_closes(run: Run) -> None:
    """Though no server answers QUIT."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx.example.org\r\n")
        while line := await reader.readline():
            if line.startswith(b"QUIT"):
                quits.release()
            else:
                writer.write(b"250 OK\r\n")
        writer.close()

    async def body() -> None:
        listening = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        pool = Pool("127.0.0.1", port, name=NAME, tls=TLSMode.NONE)
        async with pool.connection() as one, pool.connection() as two:
            pass
        closing = asyncio.ensure_future(pool.close())
        await until(lambda: quits.acquire(blocking=False))
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert one.closed
        assert two.closed
        listening.close()
        await listening.wait_closed()

    quits = threading.Semaphore(0)
    run(body)


@pytest.mark.skipif(
    sys.version_info < (3, 11), reason="Python 3.10 does not say whether a task was cancelled"
)
def test_a_handler_that_awaits_what_is_cancelled(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """It ends its session; as its task was not cancelled, the log says why."""

    class Shared(Inbox):
        async def mail(self, session: Any, mail: Any) -> None:
            shared = asyncio.ensure_future(asyncio.sleep(60))
            shared.cancel()
            await shared

    async def body() -> None:
        async with serving(Shared()) as server, connected(server) as client:
            delivery = await client.send(ENVELOPE, b"Hello\r\n")
            assert delivery.failed == ENVELOPE.forward_paths

    run(body)
    assert "a session failed" in caplog.text
    assert "await shared" in caplog.text
