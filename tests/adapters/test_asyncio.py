"""What only asyncio has: its cancellation, tasks, and more than one kind of event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from smtpproto import LocalProtocolError
from smtpproto.asyncio import (
    Client,
    ContentLost,
    Pool,
    PoolLimits,
    ServerTLS,
    TLSMode,
    connect,
    serve,
)
from tests.adapters.test_tls_contexts import CLIENT, SERVER
from tests.adapters.worlds import ENVELOPE, Inbox, Raw, listens, nothing_left_over, wait_until

NAME = "client.example.org"
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
Run = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a test in each kind of loop; no task, socket or unseen error may be left of it."""

    def run_it(body: Callable[[], Coroutine[Any, Any, None]]) -> None:
        failures: list[dict[str, Any]] = []

        async def main() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, each: failures.append(each))
            await asyncio.wait_for(body(), 20)
            for _ in range(3):
                await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}

        with nothing_left_over():
            loop = LOOPS[request.param]()
            try:
                loop.run_until_complete(main())
            finally:
                loop.run_until_complete(loop.shutdown_asyncgens())
                loop.run_until_complete(loop.shutdown_default_executor())
                loop.close()
        assert failures == []

    return run_it


async def until(condition: Callable[[], Any]) -> None:
    """Wait for what is sure to come, also in a thread."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def serving(handler: Any, **options: Any) -> Any:
    return serve(handler, hostname="mx.example.org", received=False, **options)


def connected(server: Any, **options: Any) -> Any:
    return connect("127.0.0.1", server.port, name=NAME, **options)


def test_an_async_handler(run: Run) -> None:
    class Async(Inbox):
        async def rcpt(self, session: Any, rcpt: Any) -> None:
            await asyncio.sleep(0)

        async def message(self, session: Any, envelope: Any, content: bytes) -> None:
            await asyncio.sleep(0)
            self.messages.append(content)

        async def closed(self, session: Any) -> None:  # type: ignore[override]  # it may be async
            await asyncio.sleep(0)
            self.over += 1

    inbox = Async()

    async def body() -> None:
        async with serving(inbox) as server, connected(server) as client:
            assert (await client.send(ENVELOPE, b"Hello\r\n")).complete

    run(body)
    assert inbox.messages == [b"Hello\r\n"]
    assert inbox.over == 1


def test_async_content_and_files(run: Run, tmp_path: Path) -> None:
    closed = []

    async def pieces() -> AsyncIterator[bytes]:
        try:
            for number in range(100):
                await asyncio.sleep(0)
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
    path = tmp_path / "message"
    path.write_bytes(b"Hello\r\n")

    async def body() -> None:
        async with serving(inbox) as server, connected(server) as client:
            assert (await client.send(ENVELOPE, pieces())).complete
            assert (await client.send(ENVELOPE, path)).complete
            with path.open("rb") as file:
                assert (await client.send(ENVELOPE, file)).complete
            with pytest.raises(ZeroDivisionError):
                await client.send(ENVELOPE, endless())
            assert client.closed

    run(body)
    whole = b"".join(b"%d\r\n" % number for number in range(100))
    assert inbox.messages == [whole, b"Hello\r\n", b"Hello\r\n"]
    assert closed == [True, True]


def test_one_conversation_at_a_time(run: Run) -> None:
    asked, release = asyncio.Event(), asyncio.Event()

    class Slow(Inbox):
        async def vrfy(self, session: Any, vrfy: Any) -> Any:  # type: ignore[override]  # it may be async
            asked.set()
            await release.wait()

    async def body() -> None:
        async with serving(Slow()) as server, connected(server) as client:
            asking = asyncio.ensure_future(client.verify("one"))
            await asked.wait()
            with pytest.raises(LocalProtocolError, match="one at a time"):
                await client.noop()
            release.set()
            assert (await asking).code == 252

    run(body)


# --- the end of a server ------------------------------------------------------------------------


def test_to_cancel_the_block_of_serve_is_to_stop_it_gently(run: Run) -> None:
    inbox = Inbox()

    async def body() -> None:
        listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def program() -> None:
            async with serving(inbox) as server:
                listening.set_result(server.port)
                await server.wait()

        running = asyncio.ensure_future(program())
        reader, writer = await asyncio.open_connection("127.0.0.1", await listening)
        writer.write(b"EHLO client.example.org\r\nMAIL FROM:<>\r\nRCPT TO:<one@example.net>\r\n")
        writer.write(b"DATA\r\n")
        await reader.readuntil(b"\r\n354")
        running.cancel()
        await asyncio.sleep(0.01)
        writer.write(b"Hello\r\n.\r\n")
        received = await reader.read()
        assert b"\r\n250 " in received
        assert b"\r\n421 4.3.2" in received
        with pytest.raises(asyncio.CancelledError):
            await running
        writer.close()

    run(body)
    assert inbox.messages == [b"Hello\r\n"]
    assert inbox.over == 1


class Waiting(Inbox):
    """A handler that waits for ever, and notes how that ends."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = asyncio.Event()
        self.ended: list[str] = []

    async def mail(self, session: Any, mail: Any) -> None:
        self.entered.set()
        try:
            await asyncio.sleep(3600)
        except BaseException as error:
            self.ended.append(type(error).__name__)
            raise

    async def closed(self, session: Any) -> None:  # type: ignore[override]  # it may be async
        await asyncio.sleep(0.01)
        self.over += 1


@contextlib.contextmanager
def within_mail(server: Any) -> Generator[Raw, None, None]:
    with Raw(("127.0.0.1", server.port)) as raw:
        raw.sock.sendall(b"EHLO client.example.org\r\nMAIL FROM:<>\r\n")
        yield raw


def test_a_handler_is_cancelled_when_its_session_is_cut_off(run: Run) -> None:
    async def body() -> None:
        waiting = Waiting()
        async with serving(waiting) as server:
            with within_mail(server):
                await waiting.entered.wait()
                await server.stop(0)
        assert waiting.ended == ["CancelledError"]
        assert waiting.over == 1

    run(body)


def test_a_second_cancellation_cuts_sessions_off(run: Run) -> None:
    async def body() -> None:
        waiting = Waiting()

        async def program() -> None:
            async with serving(waiting, grace=3600) as server:
                with within_mail(server):
                    await server.wait()

        running = asyncio.ensure_future(program())
        await waiting.entered.wait()
        running.cancel()
        await asyncio.sleep(0.01)
        assert not waiting.ended
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await until(lambda: waiting.over)
        assert waiting.ended == ["CancelledError"]

    run(body)


def test_a_hook_closed_that_hangs_after_the_cut(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """It has a short time, and the server is not held up."""

    class Hanging(Waiting):
        async def closed(self, session: Any) -> None:  # type: ignore[override]  # it may be async
            await asyncio.sleep(3600)

    async def body() -> None:
        hanging = Hanging()
        async with serving(hanging) as server:
            with within_mail(server):
                await hanging.entered.wait()
                await server.stop(0)

    run(body)
    assert "the call took more than 0.3 seconds" in caplog.text


def test_stop_returns_in_time_though_a_handler_hangs(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """And says so; the task of the session ends when the handler does."""

    class Stubborn(Inbox):
        async def vrfy(self, session: Any, vrfy: Any) -> None:  # type: ignore[override]  # it may be async
            entered.set()
            while not go.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(0.01)

    entered, go = threading.Event(), threading.Event()

    async def body() -> None:
        async with serving(Stubborn()) as server:
            with Raw(("127.0.0.1", server.port)) as raw:
                raw.say("VRFY one")
                await until(entered.is_set)
                await asyncio.wait_for(server.stop(0.1), 5)
                assert raw.rest().startswith(b"220 ")
            assert server.sessions == 1
            go.set()
            await until(lambda: not server.sessions)

    run(body)
    assert "handlers of 1 sessions have not returned" in caplog.text


def test_the_end_of_asyncio_run_ends_sessions() -> None:
    """It cancels their tasks: no message is delivered, and `closed` is called."""
    waiting: list[Waiting] = []

    async def main() -> None:
        waiting.append(Waiting())
        manager = serving(waiting[0])
        server = await manager.__aenter__()
        raw.append(Raw(("127.0.0.1", server.port)))
        raw[0].sock.sendall(b"EHLO client.example.org\r\nMAIL FROM:<>\r\n")
        await waiting[0].entered.wait()
        left.append(server)

    raw: list[Raw] = []
    left: list[Any] = []
    asyncio.run(main())
    with raw[0]:
        assert raw[0].rest().startswith(b"220 ")
    assert waiting[0].ended == ["CancelledError"]
    assert waiting[0].over == 1
    left[0]._listening.close()


def test_ctrl_c_ends_the_program_gently() -> None:
    """SIGINT cancels the main task since Python 3.11.

    Before, it is raised in any task, and `asyncio.run` cancels all others, those of sessions too.
    """
    inbox = Inbox()
    said: list[bytes] = []

    def press(port: int) -> None:
        with Raw(("127.0.0.1", port)) as raw:
            raw.reply()
            raw.ask("EHLO client.example.org")
            os.kill(os.getpid(), signal.SIGINT)
            said.append(raw.rest())

    async def main() -> None:
        async with serving(inbox) as server:
            pressing.append(threading.Thread(target=press, args=(server.port,)))
            pressing[0].start()
            await server.wait()

    pressing: list[threading.Thread] = []
    with nothing_left_over():
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(main())
        pressing[0].join(10)
    assert len(said) == 1
    if sys.version_info >= (3, 11):
        assert said[0].startswith(b"421 4.3.2")


# --- cancellation at each await -----------------------------------------------------------------


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


# --- content in chunks --------------------------------------------------------------------------


def test_a_read_of_content_that_was_interrupted_is_no_end(run: Run) -> None:
    """Octets may be missing, so a handler that goes on after it learns that."""

    class Impatient:
        async def content(self, session: Any, envelope: Any, chunks: AsyncIterator[bytes]) -> None:
            seen.append(await anext(chunks))
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(anext(chunks), 0.05)
            try:
                await anext(chunks)
            except ContentLost as error:
                lost.append(str(error))
                raise
            lost.append("no error")

    async def body() -> None:
        async with serving(Impatient()) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"EHLO client.example.org\r\nMAIL FROM:<>\r\n")
            writer.write(b"RCPT TO:<one@example.net>\r\nDATA\r\n")
            await reader.readuntil(b"\r\n354")
            writer.write(b"half\r\n")
            await until(lambda: lost)
            writer.write(b"half\r\n.\r\n")
            await reader.readuntil(b"\r\n451 ")
            writer.close()

    seen: list[bytes] = []
    lost: list[str] = []
    run(body)
    assert lost == ["reading the content was interrupted before"]


def test_a_cut_off_handler_that_suppresses_its_cancellation_sees_no_end(run: Run) -> None:
    class Suppressing:
        async def content(self, session: Any, envelope: Any, chunks: AsyncIterator[bytes]) -> None:
            for _ in range(3):
                try:
                    while True:
                        await anext(chunks)
                        began.append(True)
                except BaseException as error:  # noqa: BLE001
                    ended.append(type(error).__name__)

    async def body() -> None:
        async with serving(Suppressing()) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"EHLO client.example.org\r\nMAIL FROM:<>\r\n")
            writer.write(b"RCPT TO:<one@example.net>\r\nDATA\r\nhalf\r\n")
            await until(lambda: began)
            await server.stop(0)
            # What would complete the message comes too late.
            writer.write(b"half\r\n.\r\n")
            with contextlib.suppress(ConnectionError):
                assert b"\r\n250 2.0.0" not in await reader.read()
            writer.close()

    began: list[bool] = []
    ended: list[str] = []
    run(body)
    assert ended == ["CancelledError", "ContentLost", "ContentLost"]


# --- links --------------------------------------------------------------------------------------


def test_a_link_that_another_task_closes_meanwhile(run: Run) -> None:
    class Slow(Inbox):
        async def vrfy(self, session: Any, vrfy: Any) -> Any:  # type: ignore[override]  # it may be async
            await asyncio.sleep(3600)

    async def body() -> None:
        async with serving(Slow(), grace=0) as server, connected(server) as client:
            asking = asyncio.ensure_future(client.verify("one"))
            await asyncio.sleep(0.05)
            await client.close()
            with pytest.raises(Exception, match="closed meanwhile"):
                await asking

    run(body)


@pytest.mark.parametrize("octets", [b"", b"NO", b"NOOP\r\n", b"EHLO x.example\r\nMAIL FROM:<>\r\n"])
def test_a_connection_that_is_reset_behind_its_last_octets(run: Run, octets: bytes) -> None:
    """Both are there when the loop looks."""
    inbox = Inbox()

    async def body() -> None:
        async with serving(inbox) as server:
            for _ in range(3):
                raw = Raw(("127.0.0.1", server.port))
                await until(lambda: server.sessions)
                await asyncio.sleep(0.01)
                assert raw.reply().startswith("220 ")
                raw.sock.sendall(octets)
                raw.reset()
                await until(lambda: not server.sessions)

    run(body)
    assert inbox.over == 3


def test_a_host_without_an_answer(run: Run) -> None:
    """The time limit of connecting; nothing of the attempt is left."""

    async def body() -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            _, port = full.getsockname()
            fillers = [socket.socket() for _ in range(4)]
            for each in fillers:
                each.setblocking(False)
                each.connect_ex(("127.0.0.1", port))
            await asyncio.sleep(0.05)
            with pytest.raises(TimeoutError, match=f"no connection to 127.0.0.1 port {port}"):
                async with connect("127.0.0.1", port, connect_timeout=0.1):
                    raise AssertionError
            for each in fillers:
                each.close()

    run(body)


def test_a_flood_within_tls_lets_others_go_on(run: Run) -> None:
    async def body() -> None:
        async with (
            serving(Inbox(), tls=ServerTLS.IMPLICIT, tls_context=SERVER) as server,
            connected(
                server, tls=TLSMode.IMPLICIT, tls_context=CLIENT, server_hostname="localhost"
            ) as client,
        ):
            raw = Raw(("127.0.0.1", server.port))
            flooding = asyncio.ensure_future(asyncio.to_thread(flood, raw))
            while not flooding.done():
                await asyncio.wait_for(client.noop(), 5)
            await flooding

    def flood(raw: Raw) -> None:
        with raw:
            raw.sock = CLIENT.wrap_socket(raw.sock, server_hostname="localhost")
            for _ in range(20):
                raw.sock.sendall(b"NOOP\r\n" * 50)
                wait_until(lambda: raw.sock.recv(65536))

    run(body)
