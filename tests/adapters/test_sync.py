"""What only the blocking adapter has: threads, and nothing to await."""

from __future__ import annotations

import gc
import itertools
import socket
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from smtpproto import LocalProtocolError, Reply
from smtpproto.adapters import sockets
from smtpproto.conversations import Envelope
from smtpproto.sync import connect, serve
from tests.adapters.worlds import ENVELOPE, Inbox, Raw, nothing_left_over

NAME = "client.example.org"


@pytest.fixture(autouse=True)
def tidy() -> Any:
    with nothing_left_over():
        yield


def test_it_cannot_wait_for_what_is_asynchronous(caplog: pytest.LogCaptureFixture) -> None:
    async def later() -> None:
        raise AssertionError("never run")

    class Later(Inbox):
        def message(self, session: Any, envelope: Any, content: bytes) -> Any:
            # Only once it is called it can be seen what it gives.
            return later()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"Hello\r\n"

    with (
        serve(Later(), hostname="mx.example.org", received=False) as server,
        connect("127.0.0.1", server.port, name=NAME) as client,
    ):
        (outcome,) = client.send(ENVELOPE, b"Hello\r\n").outcomes
        assert outcome.reply is not None
        assert outcome.reply.code == 451
        with pytest.raises(TypeError, match="cannot await"):
            client.send(ENVELOPE, pieces())
        assert client.noop().positive
    assert "cannot await" in caplog.text


def test_a_conversation_that_fails_leaves_nothing_to_the_garbage_collector() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:

        def fail() -> str:
            try:
                connect(*silent.getsockname(), name=NAME, timeout=0.01)
            except Exception as error:  # noqa: BLE001
                return str(error)
            return ""

        assert "0.01 seconds" in fail()
        gc.collect()
        gc.disable()
        try:
            assert all(fail() for _ in range(5))
            assert gc.collect() == 0
        finally:
            gc.enable()


def test_wait_says_whether_it_has_stopped() -> None:
    with serve(Inbox(), hostname="mx.example.org", received=False) as server:
        assert not server.wait(0)
        threading.Thread(target=server.stop).start()
        assert server.wait(10)
    assert server.wait(0)


def test_quick_and_slow_by_turns() -> None:
    """However long a handler takes, each session gets its own answers."""
    delays = itertools.cycle([0, 0, 0.003, 0, 0.01])

    class Unsteady(Inbox):
        def rcpt(self, session: Any, rcpt: Any) -> None:
            time.sleep(next(delays))

        def message(self, session: Any, envelope: Any, content: bytes) -> None:
            time.sleep(next(delays))
            super().message(session, envelope, content)

    inbox = Unsteady()

    def deliver(port: int, number: int) -> None:
        with connect("127.0.0.1", port, name=NAME) as client:
            for message in range(10):
                assert client.send(ENVELOPE, b"%d of %d\r\n" % (message, number)).complete

    with (
        serve(inbox, hostname="mx.example.org", received=False) as server,
        ThreadPoolExecutor(8) as pool,
    ):
        list(pool.map(deliver, [server.port] * 8, range(8)))
    expected = [b"%d of %d\r\n" % (message, number) for message in range(10) for number in range(8)]
    assert sorted(inbox.messages) == sorted(expected)


def test_who_falls_silent_after_a_slow_handler() -> None:
    """Its time limit counts from when the handler has returned."""

    class Slow(Inbox):
        def vrfy(self, session: Any, vrfy: Any) -> Reply:
            time.sleep(0.1)
            return super().vrfy(session, vrfy)

    with (
        serve(Slow(), hostname="mx.example.org", received=False, timeout=0.5) as server,
        Raw(("127.0.0.1", server.port)) as raw,
    ):
        raw.reply()
        for _ in range(3):
            raw.ask("VRFY somebody")
        assert raw.reply().startswith("421")


def test_a_server_that_stops_while_it_is_overloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not begin to listen again."""
    with serve(Inbox(), hostname="mx.example.org", received=False) as server:
        where = ("127.0.0.1", server.port)
        refused = threading.Event()

        def no_room(listener: Any) -> None:
            refused.set()
            raise sockets.Overloaded

        with Raw(where) as raw:
            raw.reply()
            for command in ("HELO x", "MAIL FROM:<>", "RCPT TO:<a@mx.example.org>", "DATA"):
                raw.ask(command)
            monkeypatch.setattr(sockets, "accept", no_room)
            with Raw(where):
                assert refused.wait(10)
                stopping = threading.Thread(target=server.stop)
                stopping.start()
                time.sleep(3 * sockets.PAUSE)
                assert not server.wait(0)
                assert raw.ask("Subject: x\r\n\r\n.").startswith("250")
                stopping.join(10)
                assert server.wait(0)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_wait_stops_the_server(
    interruption: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the server's thread keeps the program running after Ctrl-C."""
    server = serve(Inbox(), hostname="mx.example.org")
    wait = threading.Event.wait

    def interrupted(event: threading.Event, timeout: float | None = None) -> bool:
        monkeypatch.setattr(threading.Event, "wait", wait)
        raise interruption

    with Raw(("127.0.0.1", server.port)) as idle:
        assert idle.reply().startswith("220")
        monkeypatch.setattr(threading.Event, "wait", interrupted)
        with pytest.raises(interruption):
            server.wait()
        assert idle.rest().startswith(b"421 4.3.2")


def test_quit_during_a_conversation_does_not_break_it() -> None:
    asked, release = threading.Event(), threading.Event()

    class Slow(Inbox):
        def message(self, session: Any, envelope: Envelope, content: bytes) -> None:
            asked.set()
            assert release.wait(10)

    with (
        serve(Slow(), hostname="mx.example.org", received=False) as server,
        connect("127.0.0.1", server.port, name=NAME) as client,
        ThreadPoolExecutor() as threads,
    ):
        sending = threads.submit(client.send, ENVELOPE, b"Hello\r\n")
        assert asked.wait(10)
        with pytest.raises(LocalProtocolError, match="this client is in use"):
            client.quit()
        release.set()
        assert sending.result().complete
