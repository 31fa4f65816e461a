"""A server that stops: who is idle is told so, running transactions finish, and then it is over."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from smtpproto.conversations import ServerTLS
from tests.adapters.test_tls_contexts import server_context
from tests.adapters.worlds import Inbox, Raw, World, sessions, stopping, wait_until

ENVELOPE = [
    "EHLO client.example.org",
    "MAIL FROM:<sender@example.org>",
    "RCPT TO:<one@example.net>",
]


@pytest.mark.parametrize("timeout", [None, 0.0])
def test_the_idle_are_told(world: World, timeout: float | None) -> None:
    """Also if the server waits for no transaction."""
    inbox = Inbox()
    with world.serve(inbox) as server, Raw(server) as new, Raw(server) as named:
        new.reply()
        named.reply()
        named.ask(ENVELOPE[0])
        thread = stopping(server, timeout)
        assert new.rest().startswith(b"421 4.3.2")
        assert named.rest().startswith(b"421 4.3.2")
        thread.join(10)
        with pytest.raises(OSError, match="refused"):
            Raw(server)
        server.wait()
    assert inbox.over == 2


@pytest.mark.parametrize("tls", [ServerTLS.STARTTLS, ServerTLS.IMPLICIT])
def test_a_client_that_does_not_begin_the_handshake_is_not_waited_for(
    world: World, tls: ServerTLS
) -> None:
    context = server_context()
    with world.serve(Inbox(), tls=tls, tls_context=context) as server, Raw(server) as raw:
        if tls is ServerTLS.STARTTLS:
            raw.reply()
            raw.ask(ENVELOPE[0])
            assert raw.ask("STARTTLS").startswith("220")
        thread = stopping(server, 60)
        thread.join(10)
        assert not thread.is_alive()
        server.wait()


def test_a_running_transaction_finishes(world: World) -> None:
    inbox = Inbox()
    with world.serve(inbox) as server, Raw(server) as raw, Raw(server) as late:
        raw.reply()
        late.reply()
        for command in ENVELOPE:
            raw.ask(command)
            late.ask(command)
        assert raw.ask("DATA").startswith("354")
        raw.say("Subject: it began before")
        thread = stopping(server)
        assert late.ask("DATA").startswith("354")
        assert raw.ask(".").startswith("250")
        assert late.ask(".").startswith("250")
        assert raw.rest().startswith(b"421 4.3.2")
        assert late.rest().startswith(b"421 4.3.2")
        thread.join(10)
        assert not thread.is_alive()
    assert len(inbox.messages) == 2
    assert inbox.over == 2


def test_who_takes_too_long_is_cut_off(world: World) -> None:
    inbox = Inbox()
    with world.serve(inbox) as server, Raw(server) as raw:
        raw.reply()
        for command in [*ENVELOPE, "DATA"]:
            raw.ask(command)
        raw.say("Subject: it never ends")
        thread = stopping(server, 0.1)
        raw.rest()
        thread.join(10)
        assert not thread.is_alive()
        assert not sessions(server)
    assert inbox.messages == []
    assert inbox.over == 1


def test_a_handler_that_reads_is_cut_off(world: World) -> None:
    started = threading.Event()
    ended: list[str] = []

    def content(session: Any, envelope: Any, chunks: Iterator[bytes]) -> None:
        try:
            for _ in chunks:
                started.set()
        except BaseException as error:
            ended.append(type(error).__name__)
            raise

    with world.serve(world.streaming(content)) as server, Raw(server) as raw:
        raw.reply()
        for command in [*ENVELOPE, "DATA"]:
            raw.ask(command)
        raw.sock.sendall(b"Subject: it never ends\r\n" * 10_000)
        assert started.wait(10)
        stopping(server, 0.1).join(10)
        raw.rest()
        wait_until(lambda: ended)
    assert ended in (["ContentLost"], ["Cancelled"])


def test_to_stop_twice_is_to_stop(world: World) -> None:
    with world.serve(Inbox()) as server, Raw(server) as raw:
        raw.reply()
        threads = [threading.Thread(target=server.stop) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()
        server.stop()
        assert raw.rest().startswith(b"421")


def test_grace_says_how_long(world: World) -> None:
    with world.serve(Inbox(), grace=0.1) as server, Raw(server) as raw:
        raw.reply()
        for command in ENVELOPE:
            raw.ask(command)
        stopping(server).join(10)
        raw.rest()
        assert not sessions(server)


def test_a_handler_cannot_wait_for_its_own_end(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    class Stopping(Inbox):
        def vrfy(self, session: Any, vrfy: Any) -> Any:
            return server.thing.stop()

    with world.serve(Stopping()) as server, world.connect(server) as client:
        assert client.verify("somebody").code == 451
        assert client.noop().positive
    assert "stop would wait for the handler" in caplog.text
