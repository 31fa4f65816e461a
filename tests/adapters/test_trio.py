"""What only trio has: cancellation at each await, async handlers, tasks."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from smtpproto import LocalProtocolError, Reply, Session, Vrfy
from smtpproto.conversations import ConnectionLost, ContentLost
from smtpproto.conversations.client.settings import TLSMode
from smtpproto.conversations.server.settings import ServerTLS
from smtpproto.trio import Client, Pool, Server, connect, serve
from tests.adapters.test_tls_contexts import CLIENT, SERVER
from tests.adapters.worlds import ENVELOPE, Inbox, Raw, listens, nothing_left_over, wait_until

NAME = "client.example.org"


def run(body: Callable[[trio.Nursery], Awaitable[None]]) -> None:
    """Run a test within a nursery that is to be empty in the end."""

    async def main() -> None:
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                await body(nursery)

    with nothing_left_over():
        trio.run(main)


async def start(nursery: trio.Nursery, handler: Any, **options: Any) -> Server:
    server: Server = await nursery.start(
        partial(serve, handler, hostname="mx.example.org", received=False, **options)
    )
    return server


def test_an_async_handler() -> None:
    class Async(Inbox):
        async def rcpt(self, session: Any, rcpt: Any) -> None:
            await trio.lowlevel.checkpoint()

        async def message(self, session: Any, envelope: Any, content: bytes) -> None:
            await trio.lowlevel.checkpoint()
            self.messages.append(content)

        async def closed(self, session: Any) -> None:  # type: ignore[override]  # it may be async
            await trio.lowlevel.checkpoint()
            self.over += 1

    inbox = Async()

    async def body(nursery: trio.Nursery) -> None:
        server = await start(nursery, inbox)
        async with connect("127.0.0.1", server.port, name=NAME) as client:
            assert (await client.send(ENVELOPE, b"Hello\r\n")).complete
        await server.stop()

    run(body)
    assert inbox.messages == [b"Hello\r\n"]
    assert inbox.over == 1


def test_async_content(tmp_path: Path) -> None:
    closed = []

    async def pieces() -> AsyncIterator[bytes]:
        try:
            for number in range(100):
                await trio.lowlevel.checkpoint()
                yield b"%d\r\n" % number
        finally:
            closed.append(True)

    async def endless() -> AsyncIterator[bytes]:
        try:
            yield b"Subject: half\r\n\r\n"
            yield b"half"
            raise ZeroDivisionError
        finally:
            closed.append(True)

    inbox = Inbox()

    async def body(nursery: trio.Nursery) -> None:
        server = await start(nursery, inbox)
        path = trio.Path(tmp_path / "message")
        await path.write_bytes(b"Hello\r\n")
        async with connect("127.0.0.1", server.port, name=NAME) as client:
            assert (await client.send(ENVELOPE, pieces())).complete
            assert (await client.send(ENVELOPE, path)).complete
            async with await path.open("rb") as file:
                assert (await client.send(ENVELOPE, file)).complete
            with pytest.raises(ZeroDivisionError):
                await client.send(ENVELOPE, endless())
            assert client.closed
        await server.stop()

    run(body)
    whole = b"".join(b"%d\r\n" % number for number in range(100))
    assert inbox.messages == [whole, b"Hello\r\n", b"Hello\r\n"]
    assert closed == [True, True]


async def begin_content(server: Server) -> trio.SocketStream:
    """Speak to a server without a client, until it waits for content."""
    stream = await trio.open_tcp_stream("127.0.0.1", server.port)
    await stream.send_all(
        b"EHLO client.example.org\r\nMAIL FROM:<>\r\nRCPT TO:<one@example.net>\r\nDATA\r\n"
    )
    received = b""
    while b"\r\n354" not in received:
        received += bytes(await stream.receive_some())
    return stream


def test_only_one_task_waits_for_a_chunk() -> None:
    class Twice:
        async def content(self, session: Any, envelope: Any, chunks: AsyncIterator[bytes]) -> None:
            async def read() -> None:
                seen.extend([chunk async for chunk in chunks])

            seen.append(await anext(chunks))
            async with trio.open_nursery() as tasks:
                tasks.start_soon(read)
                await trio.testing.wait_all_tasks_blocked()
                with pytest.raises(RuntimeError, match="another task waits for a chunk"):
                    await anext(chunks)
                refused.set()

    async def body(nursery: trio.Nursery) -> None:
        server = await start(nursery, Twice())
        async with await begin_content(server) as stream:
            await stream.send_all(b"half\r\n")
            await refused.wait()
            await stream.send_all(b"half\r\n.\r\n")
            assert (await stream.receive_some()).startswith(b"250 ")
        await server.stop(0)

    refused = trio.Event()
    seen: list[bytes] = []
    run(body)
    assert b"".join(seen) == b"half\r\nhalf\r\n"


def test_a_task_that_waits_for_a_chunk_after_its_handler_costs_the_session() -> None:
    class Leaving:
        async def content(self, session: Any, envelope: Any, chunks: AsyncIterator[bytes]) -> None:
            async def read() -> None:
                with pytest.raises(ContentLost):
                    await anext(chunks)
                lost.set()

            await anext(chunks)
            outer[0].start_soon(read)
            await trio.testing.wait_all_tasks_blocked()

    async def body(nursery: trio.Nursery) -> None:
        outer.append(nursery)
        server = await start(nursery, Leaving())
        async with await begin_content(server) as stream:
            await stream.send_all(b"half\r\n")
            assert await stream.receive_some() == b""
            await lost.wait()
        await server.stop(0)

    lost = trio.Event()
    outer: list[trio.Nursery] = []
    run(body)


def test_a_body_that_stops_reading() -> None:
    """No generator is left behind for trio to complain of."""

    class Lazy:
        async def content(self, session: Any, envelope: Any, chunks: AsyncIterator[bytes]) -> None:
            async for _ in chunks:
                break

    async def body(nursery: trio.Nursery) -> None:
        server = await start(nursery, Lazy())
        async with connect("127.0.0.1", server.port, name=NAME) as client:
            for _ in range(3):
                assert (await client.send(ENVELOPE, b"x" * 998 + b"\r\n" * 300)).complete
        await server.stop()

    run(body)


def test_one_conversation_at_a_time() -> None:
    class Slow:
        def __init__(self) -> None:
            self.asked, self.release = trio.Event(), trio.Event()

        def message(self, session: object, envelope: object, content: bytes) -> None:
            raise AssertionError

        async def vrfy(self, session: object, vrfy: object) -> None:
            self.asked.set()
            await self.release.wait()

    async def verify(client: Client) -> None:
        assert (await client.verify("one")).code == 252

    async def body(nursery: trio.Nursery) -> None:
        slow = Slow()
        server = await start(nursery, slow)
        async with (
            connect("127.0.0.1", server.port, name=NAME) as client,
            trio.open_nursery() as both,
        ):
            both.start_soon(verify, client)
            await slow.asked.wait()
            for refused in (client.noop, client.quit):
                with pytest.raises(LocalProtocolError, match="this client is in use"):
                    await refused()
            slow.release.set()
        await server.stop()

    run(body)


def test_to_cancel_serve_is_to_stop_it_gently() -> None:
    inbox = Inbox()

    async def body(nursery: trio.Nursery) -> None:
        async with trio.open_nursery() as serving:
            server = await start(serving, inbox)
            stream = await begin_content(server)
            serving.cancel_scope.cancel()
            with trio.CancelScope(shield=True), trio.fail_after(10):
                await stream.send_all(b"Hello\r\n.\r\n")
                received = b""
                while more := bytes(await stream.receive_some()):
                    received += more
                await stream.aclose()
            assert received.startswith(b"250 ")
            assert b"\r\n421 4.3.2" in received
            await server.wait()
        assert serving.cancel_scope.cancelled_caught

    run(body)
    assert inbox.messages == [b"Hello\r\n"]
    assert inbox.over == 1


class Waiting(Inbox):
    """A handler that waits at MAIL until its session is cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = trio.Event()

    async def mail(self, session: Any, mail: Any) -> None:
        self.waiting.set()
        await trio.sleep_forever()

    async def stopped(self, nursery: trio.Nursery) -> None:
        """Serve one client, and stop by force while its session waits."""
        server = await start(nursery, self, grace=0)
        stream = await trio.open_tcp_stream("127.0.0.1", server.port)
        await stream.send_all(b"EHLO client.example.org\r\nMAIL FROM:<>\r\n")
        await self.waiting.wait()
        await server.stop()
        await stream.aclose()


def test_closed_is_told_when_a_session_is_cancelled() -> None:
    """In the middle of a handler that waits."""
    inbox = Waiting()
    run(inbox.stopped)
    assert inbox.over == 1


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_closed_has_a_short_time_after_a_forced_stop(
    seconds: float, caplog: pytest.LogCaptureFixture
) -> None:
    """It may wait, such as for a file; if it takes long, the server does not wait for it."""

    class Slow(Waiting):
        async def closed(self, session: Any) -> None:  # type: ignore[override]  # it may be async
            await trio.sleep(seconds)
            self.over += 1

    inbox = Slow()
    run(inbox.stopped)
    assert inbox.over == (seconds == 0)
    assert ("the call took more than 0.3 seconds" in caplog.text) == (seconds > 0)
    assert "have not returned" not in caplog.text


# --- cancellation at each await ---------------------------------------------------------------


class CancelAfter(trio.abc.Instrument):
    """Cancels a scope once its task has run so many steps."""

    def __init__(self, task: trio.lowlevel.Task, scope: trio.CancelScope, steps: int) -> None:
        self.task, self.scope, self.left = task, scope, steps

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self.task:
            self.left -= 1
            if self.left < 0:
                self.scope.cancel()


async def cancelled_after(steps: int, function: Callable[[], Awaitable[None]]) -> bool:
    """Run a function until its task has been woken so often; whether it was cancelled."""
    with trio.CancelScope() as scope:
        instrument = CancelAfter(trio.lowlevel.current_task(), scope, steps)
        trio.lowlevel.add_instrument(instrument)
        try:
            await function()
        finally:
            trio.lowlevel.remove_instrument(instrument)
    return scope.cancelled_caught


@pytest.mark.parametrize("used", [TLSMode.NONE, TLSMode.STARTTLS])
def test_a_client_is_cancelled_at_each_step(used: TLSMode) -> None:
    """Its connection is closed, nothing is left, and a message is delivered whole or not at all."""
    inbox = Inbox()
    options: Any = {"name": NAME, "tls": used, "tls_context": CLIENT}
    content = b"x" * 998 + b"\r\n"

    async def body(nursery: trio.Nursery) -> None:
        server = await start(nursery, inbox, tls=ServerTLS.STARTTLS, tls_context=SERVER)
        seen: list[Client] = []

        async def submit() -> None:
            async with connect("127.0.0.1", server.port, **options) as client:
                seen.append(client)
                await client.send(ENVELOPE, [content * 100] * 3)
                await client.noop()

        steps = 0
        while await cancelled_after(steps, submit):
            steps += 1
            if seen:
                assert seen[-1].closed
                with pytest.raises(LocalProtocolError):
                    await seen[-1].noop()
        assert steps > 10
        await server.stop()
        assert server.sessions == 0

    run(body)
    assert set(inbox.messages) == {content * 300}


def test_a_pool_is_cancelled_at_each_step() -> None:
    """No slot is lost, and no connection in doubt is lent again."""
    inbox = Inbox()

    async def body(nursery: trio.Nursery) -> None:
        server = await start(nursery, inbox)
        async with Pool("127.0.0.1", server.port, name=NAME) as pool:

            async def submit() -> None:
                async with pool.connection() as client:
                    assert client.ready
                    await client.send(ENVELOPE, b"Hello\r\n")
                    await client.send(ENVELOPE, b"Hello\r\n")

            steps = 0
            while await cancelled_after(steps, submit):
                steps += 1
            assert steps > 3
            async with contextlib.AsyncExitStack() as stack:
                for _ in range(10):
                    with trio.fail_after(5):
                        await stack.enter_async_context(pool.connection())
        await server.stop()

    run(body)


def test_a_server_is_cancelled_at_each_step() -> None:
    """Whenever it is: no session and no listener is left."""

    async def body(nursery: trio.Nursery) -> None:
        for steps in range(40):
            inbox = Inbox()
            started: list[Server] = []

            async def serving() -> None:
                async with trio.open_nursery() as inner:
                    started.append(await start(inner, inbox, grace=0))  # noqa: B023
                    async with connect("127.0.0.1", started[-1].port, name=NAME) as client:  # noqa: B023
                        await client.send(ENVELOPE, b"Hello\r\n")
                    await started[-1].stop()  # noqa: B023

            await cancelled_after(steps, serving)
            for server in started:
                assert server.sessions == 0
                assert not listens(("127.0.0.1", server.port))

    run(body)


def test_a_link_that_is_closed_meanwhile() -> None:
    """By another task, while one waits."""

    async def body(nursery: trio.Nursery) -> None:
        async def close_it() -> None:
            await entered.wait()
            await client.close()

        class Waiting(Inbox):
            async def vrfy(  # type: ignore[override]  # it may be async
                self, session: Session, vrfy: Vrfy
            ) -> Reply:
                entered.set()
                await trio.sleep_forever()
                raise AssertionError

        entered = trio.Event()
        server = await start(nursery, Waiting())
        async with connect("127.0.0.1", server.port, name=NAME) as client:
            nursery.start_soon(close_it)
            with pytest.raises(ConnectionLost):
                await client.verify("bob")
            assert client.closed
        await server.stop(0.0)

    run(body)


@pytest.mark.parametrize("how", ["in a thread", "shielded"])
def test_stop_returns_in_time_though_a_handler_hangs(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And says so; `serve` itself cannot end before the handler has."""

    class Hanging(Inbox):
        async def vrfy(self, session: Any, vrfy: Any) -> None:  # type: ignore[override]  # it may be async
            entered.set()
            if how == "in a thread":
                await trio.to_thread.run_sync(go.wait)
            else:
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(go.wait, abandon_on_cancel=True)

    entered, go = threading.Event(), threading.Event()

    async def body(nursery: trio.Nursery) -> None:
        server = await start(nursery, Hanging())
        with Raw(server.addresses[0]) as raw:
            await trio.to_thread.run_sync(raw.reply)
            raw.say("VRFY one")
            await trio.to_thread.run_sync(entered.wait)
            with trio.fail_after(5):
                await server.stop(0.1)
                await server.wait()
            assert await trio.to_thread.run_sync(raw.rest) == b""
        assert nursery.child_tasks
        go.set()
        await trio.to_thread.run_sync(wait_until, lambda: not nursery.child_tasks)
        assert server.sessions == 0

    run(body)
    assert "handlers of 1 sessions have not returned" in caplog.text


def test_ctrl_c_within_a_handler_ends_the_program() -> None:
    """Trio raises it in the task that happens to run; the client hears why its session ends."""

    class Pressed(Inbox):
        def vrfy(self, session: Any, vrfy: Any) -> Any:
            raise KeyboardInterrupt

    links: list[Raw] = []

    async def body(nursery: trio.Nursery) -> None:
        server = await start(nursery, Pressed())
        links.append(Raw(server.addresses[0]))
        await trio.to_thread.run_sync(links[0].reply)
        links[0].say("VRFY one")
        await trio.sleep_forever()

    with pytest.raises(BaseException) as caught:  # a group of what was raised
        run(body)
    error: BaseException = caught.value
    while not isinstance(error, KeyboardInterrupt):
        (error,) = error.exceptions  # type: ignore[attr-defined]  # a group of one
    with links[0] as raw:
        assert raw.rest().startswith(b"421 ")
