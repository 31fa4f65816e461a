"""How a server over asyncio ends, gently or not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Generator
from typing import Any

import pytest

from tests.adapters.event_loops import Run, begin_content, connected, serving, until
from tests.adapters.worlds import ENVELOPE, Inbox, Raw, nothing_left_over
from tests.programs import signals_as_usual


def test_to_cancel_the_block_of_serve_is_to_stop_it_gently(run: Run) -> None:
    inbox = Inbox()

    async def body() -> None:
        listening: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        async def program() -> None:
            async with serving(inbox) as server:
                listening.set_result(server)
                await server.wait()

        running = asyncio.ensure_future(program())
        reader, writer = await begin_content(await listening)
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


def test_an_idle_client_is_told_even_if_there_is_no_time_to_wait(run: Run) -> None:
    async def body() -> None:
        async with serving(Inbox()) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            await reader.readline()
            await server.stop(0)
            assert (await reader.read()).startswith(b"421 4.3.2")
            writer.close()

    run(body)


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


def test_a_handler_that_is_cancelled_by_itself_ends_its_session_only(run: Run) -> None:
    """Such as one that awaits a task that other code has cancelled."""

    class Confused(Inbox):
        async def vrfy(self, session: Any, vrfy: Any) -> Any:  # type: ignore[override]  # it may be async
            task = asyncio.ensure_future(asyncio.sleep(3600))
            task.cancel()
            await task

    inbox = Confused()

    async def body() -> None:
        async with serving(inbox) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"VRFY one\r\n")
            assert (await reader.read()).startswith(b"220 ")
            writer.close()
            async with connected(server) as client:
                assert (await client.send(ENVELOPE, b"Hello\r\n")).complete

    run(body)
    assert inbox.over == 2


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
    # What a test run in the background ignores, the program here must not.
    with nothing_left_over(), signals_as_usual():
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(main())
        pressing[0].join(10)
    assert len(said) == 1
    if sys.version_info >= (3, 11):
        assert said[0].startswith(b"421 4.3.2")
