"""What only the blocking adapter has: threads, and nothing to await."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from smtpproto.sync import connect, serve
from tests.adapters.worlds import ENVELOPE, Inbox, Raw, nothing_left_over

NAME = "client.example.org"


@pytest.fixture(autouse=True)
def tidy() -> Any:
    with nothing_left_over():
        yield


def test_it_cannot_wait_for_what_is_asynchronous(caplog: pytest.LogCaptureFixture) -> None:
    class Async(Inbox):
        async def message(self, session: Any, envelope: Any, content: bytes) -> None:
            raise AssertionError("never run")

    async def pieces() -> AsyncIterator[bytes]:
        yield b"Hello\r\n"

    with (
        serve(Async(), hostname="mx.example.org") as server,
        connect("127.0.0.1", server.port, name=NAME) as client,
    ):
        (outcome,) = client.send(ENVELOPE, b"Hello\r\n").outcomes
        assert outcome.reply is not None
        assert outcome.reply.code == 451
        with pytest.raises(TypeError, match="cannot wait"):
            client.send(ENVELOPE, pieces())
        assert client.closed
    assert "cannot wait" in caplog.text


def test_wait_says_whether_it_has_stopped() -> None:
    with serve(Inbox(), hostname="mx.example.org") as server:
        assert not server.wait(0)
        threading.Thread(target=server.stop).start()
        assert server.wait(10)
    assert server.wait(0)


def test_without_a_thread_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is closed; the server goes on."""
    real = threading.Thread.start
    failed: list[threading.Thread] = []

    def start(self: threading.Thread) -> None:
        if not failed:
            failed.append(self)
            raise RuntimeError("can't start new thread")
        real(self)

    with serve(Inbox(), hostname="mx.example.org") as server:
        monkeypatch.setattr(threading.Thread, "start", start)
        with pytest.raises(ConnectionError):
            connect("127.0.0.1", server.port, name=NAME)
        with connect("127.0.0.1", server.port, name=NAME) as client:
            assert client.noop().positive
    assert len(failed) == 1


def test_who_waits_holds_nobody_up() -> None:
    """Neither a handler that takes its time nor a client that does not read."""
    go, entered = threading.Event(), threading.Event()

    class Slow(Inbox):
        def message(self, session: Any, envelope: Any, content: bytes) -> None:
            if content.startswith(b"slow"):
                entered.set()
                assert go.wait(10)
            super().message(session, envelope, content)

    inbox = Slow()
    with serve(inbox, hostname="mx.example.org") as server:
        where = ("127.0.0.1", server.port)
        with (
            Raw(where) as deaf,
            connect(*where, name=NAME) as one,
            connect(*where, name=NAME) as two,
        ):
            deaf.flood()
            slow = threading.Thread(target=one.send, args=(ENVELOPE, b"slow\r\n"))
            slow.start()
            assert entered.wait(10)
            assert two.send(ENVELOPE, b"fast\r\n").complete
            go.set()
            slow.join(10)
    assert inbox.messages == [b"fast\r\n", b"slow\r\n"]
