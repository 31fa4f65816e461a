"""What only the blocking adapter has: threads, and nothing to await."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from smtpproto.sync import connect, serve
from tests.adapters.worlds import ENVELOPE, Inbox, nothing_left_over


@pytest.fixture(autouse=True)
def tidy() -> Any:
    with nothing_left_over():
        yield


def test_it_cannot_wait_for_what_is_asynchronous(caplog: pytest.LogCaptureFixture) -> None:
    class Async(Inbox):
        async def message(self, session: Any, envelope: Any, content: bytes) -> None:  # type: ignore[override]  # on purpose
            raise AssertionError("never run")

    async def pieces() -> AsyncIterator[bytes]:
        yield b"Hello\r\n"

    with serve(Async(), hostname="mx.example.org") as server:
        with connect("127.0.0.1", server.port, name="client.example.org") as client:
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
    real, failed = threading.Thread.start, []

    def start(self: threading.Thread) -> None:
        if not failed:
            failed.append(self)
            raise RuntimeError("can't start new thread")
        real(self)

    with serve(Inbox(), hostname="mx.example.org") as server:
        monkeypatch.setattr(threading.Thread, "start", start)
        with pytest.raises(ConnectionError):
            connect("127.0.0.1", server.port, name="client.example.org")
        with connect("127.0.0.1", server.port, name="client.example.org") as client:
            assert client.noop().positive
    assert len(failed) == 1
