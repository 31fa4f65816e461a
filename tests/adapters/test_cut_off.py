"""A server that is stopped within content, with and without TLS: nothing of it is delivered."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from smtpproto import LineEndings
from smtpproto.conversations import ServerTLS
from smtpproto.extensions import Chunking
from smtpproto.extensions.known import standard
from tests.adapters.test_tls_contexts import CLIENT, SERVER
from tests.adapters.worlds import Inbox, Raw, World, wait_until

BEGINNING = ["EHLO client.example.org", "MAIL FROM:<>", "RCPT TO:<one@example.net>"]
HALF = b"Subject: half\r\n\r\nof a message\r\n"
# What is said before the server is stopped, and what would complete the message.
STAGES = {
    "after 354": ([b"DATA\r\n"], b".\r\n"),
    "within content": ([b"DATA\r\n", HALF], b".\r\n"),
    "within the last line": ([b"DATA\r\n", HALF + b"."], b"\r\n"),
    "within a chunk": ([b"BDAT 100 LAST\r\n" + HALF], b"x" * (98 - len(HALF)) + b"\r\n"),
    "between chunks": ([b"BDAT %d\r\n" % len(HALF) + HALF], b"BDAT 0 LAST\r\n"),
    "within the command for a chunk": (
        [b"BDAT %d\r\n" % len(HALF) + HALF + b"BDAT"],
        b" 0 LAST\r\n",
    ),
}


def reading(seen: list[str], began: threading.Event) -> Any:
    """A hook for content in chunks that notes how it ended."""

    def content(session: Any, envelope: Any, chunks: Iterator[bytes]) -> None:
        began.set()
        try:
            for _ in chunks:
                pass
        except BaseException as error:
            seen.append(type(error).__name__)
            raise
        seen.append("complete")

    return content


@pytest.mark.parametrize("tls", [ServerTLS.NONE, ServerTLS.STARTTLS, ServerTLS.IMPLICIT])
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("streaming", [False, True])
def test_nothing_is_delivered_from_a_session_that_is_cut_off(
    world: World, tls: ServerTLS, stage: str, *, streaming: bool
) -> None:
    seen: list[str] = []
    began = threading.Event()
    inbox = Inbox()
    with (
        world.serve(
            world.streaming(reading(seen, began)) if streaming else inbox,
            tls=tls,
            tls_context=None if tls is ServerTLS.NONE else SERVER,
            extensions=[*standard(), Chunking()],
            line_endings=LineEndings.NORMALIZE,
        ) as server,
        Raw(server) as raw,
    ):
        if tls is ServerTLS.IMPLICIT:
            raw.sock = CLIENT.wrap_socket(raw.sock, server_hostname="localhost")
        raw.reply()
        if tls is ServerTLS.STARTTLS:
            raw.ask("EHLO client.example.org")
            raw.ask("STARTTLS")
            raw.sock = CLIENT.wrap_socket(raw.sock, server_hostname="localhost")
        for command in BEGINNING:
            assert raw.ask(command).startswith("250")
        first, rest = STAGES[stage]
        for octets in first:
            raw.sock.sendall(octets)
            if octets == b"DATA\r\n":
                assert raw.reply().startswith("354")
        if streaming and stage != "after 354":
            assert began.wait(10)
        stopping = threading.Thread(target=server.stop, args=(0.1,))
        stopping.start()
        stopping.join(10)
        assert not stopping.is_alive()
        with contextlib.suppress(OSError):
            raw.sock.sendall(rest)
        heard = b""
        with contextlib.suppress(OSError):
            heard = raw.rest()
        # A chunk that is not the last one is acknowledged, and delivers nothing.
        assert b"250 " not in heard.replace(b"250 2.0.0 %d octets received" % len(HALF), b"")
        assert server.sessions == 0
        if began.is_set():
            wait_until(lambda: seen)
    assert inbox.messages == []
    assert "complete" not in seen


@pytest.mark.parametrize("octets", [b"", b"\x16\x03\x01", b"no handshake at all\r\n"])
def test_a_connection_that_is_reset_where_tls_is_to_begin(world: World, octets: bytes) -> None:
    """The next one may get its number: it is served, and nothing else is closed for it."""
    inbox = Inbox()
    with (
        world.serve(inbox, tls=ServerTLS.STARTTLS, tls_context=SERVER) as server,
        Raw(server) as witness,
    ):
        witness.reply()
        for _ in range(5):
            with Raw(server) as raw:
                raw.reply()
                raw.ask("EHLO client.example.org")
                assert raw.ask("STARTTLS").startswith("220")
                raw.sock.sendall(octets)
                raw.reset()
            with Raw(server) as following:
                assert following.reply().startswith("220")
                assert following.ask("NOOP").startswith("250")
        assert witness.ask("NOOP").startswith("250")
        wait_until(lambda: server.sessions == 1)
    assert inbox.over == 11
