"""What only asyncio has: async handlers in tasks, more than one kind of event loop."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from smtpproto import LocalProtocolError
from smtpproto.asyncio import (
    ContentLost,
    ServerTLS,
    TLSMode,
    connect,
)
from tests.adapters.event_loops import Run, begin_content, connected, serving, until
from tests.adapters.test_tls_contexts import CLIENT, SERVER
from tests.adapters.worlds import ENVELOPE, Inbox, Raw, wait_until


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
            for refused in (client.noop, client.quit):
                with pytest.raises(LocalProtocolError, match="this client is in use"):
                    await refused()
            release.set()
            assert (await asking).code == 252

    run(body)


# --- content in chunks --------------------------------------------------------------------------


async def send_in_halves(handler: Any, between: list[Any], reply: bytes) -> None:
    """Send content; its second half is sent when the handler has noted something."""
    async with serving(handler) as server:
        reader, writer = await begin_content(server)
        writer.write(b"half\r\n")
        await until(lambda: between)
        writer.write(b"half\r\n.\r\n")
        await reader.readuntil(b"\r\n" + reply)
        writer.close()


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

    seen: list[bytes] = []
    lost: list[str] = []
    run(lambda: send_in_halves(Impatient(), lost, b"451 "))
    assert lost == ["reading the content was interrupted before"]


def test_only_one_task_waits_for_a_chunk(run: Run) -> None:
    class Twice:
        async def content(self, session: Any, envelope: Any, chunks: AsyncIterator[bytes]) -> None:
            seen.append(await anext(chunks))
            first = asyncio.ensure_future(anext(chunks))
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="another task waits for a chunk"):
                await anext(chunks)
            refused.append(True)
            seen.append(await first + b"".join([chunk async for chunk in chunks]))

    refused: list[bool] = []
    seen: list[bytes] = []
    run(lambda: send_in_halves(Twice(), refused, b"250 "))
    assert b"".join(seen).endswith(b"half\r\nhalf\r\n")


def test_a_task_that_waits_for_a_chunk_after_its_handler_costs_the_session(run: Run) -> None:
    class Leaving:
        async def content(self, session: Any, envelope: Any, chunks: AsyncIterator[bytes]) -> None:
            await anext(chunks)
            waiting.append(asyncio.ensure_future(anext(chunks)))
            await asyncio.sleep(0)

    async def body() -> None:
        async with serving(Leaving()) as server:
            reader, writer = await begin_content(server)
            writer.write(b"half\r\n")
            assert b"\r\n250" not in await reader.read()
            writer.close()
            with pytest.raises(ContentLost):
                await waiting[0]

    waiting: list[asyncio.Future[bytes]] = []
    run(body)


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
            reader, writer = await begin_content(server)
            writer.write(b"half\r\n")
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
            with pytest.raises(Exception, match="closed during the wait"):
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


def test_an_observer_that_cancels_its_task(run: Run) -> None:
    async def body() -> None:
        async with serving(Inbox()) as server:
            asking: list[asyncio.Future[Any]] = []

            def observer(sender: str, octets: bytes, content: bool) -> None:
                if sender == "S" and asking:
                    asking[0].cancel()

            async with connected(server, observer=observer) as client:
                asking.append(asyncio.ensure_future(client.noop()))
                with pytest.raises(asyncio.CancelledError):
                    await asking[0]
                assert client.closed

    run(body)


def test_an_observer_sees_the_context_of_its_task(run: Run) -> None:
    """So its records can say on behalf of what the client speaks."""
    request = contextvars.ContextVar("request", default=0)
    seen: list[tuple[str, int]] = []

    async def body() -> None:
        async with serving(Inbox()) as server:

            def observer(sender: str, octets: bytes, content: bool) -> None:
                seen.append((sender, request.get()))

            async with connected(server, observer=observer) as client:
                for number in (1, 2):
                    request.set(number)
                    seen.clear()
                    await client.noop()
                    assert seen == [("C", number), ("S", number)]

    run(body)


def test_conversations_leave_nothing_to_the_garbage_collector(run: Run) -> None:
    async def body() -> None:
        async with serving(Inbox()) as server, connected(server) as client:

            async def converse() -> None:
                await client.send(ENVELOPE, b"Hello\r\n")
                raw = Raw(("127.0.0.1", server.port))
                await until(lambda: server.sessions == 2)
                raw.reset()
                await until(lambda: server.sessions == 1)

            await converse()
            gc.collect()
            gc.disable()
            try:
                for _ in range(5):
                    await converse()
                assert gc.collect() == 0
            finally:
                gc.enable()

    run(body)


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
