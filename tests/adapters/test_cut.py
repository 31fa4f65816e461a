"""A server that stops in the middle of a message: nothing incomplete is ever delivered."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from smtpproto.conversations import ContentLost, Envelope, ServerTLS
from smtpproto.extensions import Chunking
from smtpproto.extensions.known import standard
from smtpproto.wire import LineEndings
from tests.adapters.test_tls_contexts import CLIENT, SERVER
from tests.adapters.worlds import Inbox, Raw, World, stopping, wait_until
from tests.effort import effort

BEGINNING = [
    "EHLO client.example.org",
    "MAIL FROM:<sender@example.org>",
    "RCPT TO:<one@example.net>",
]
# What is said after the envelope, and then no more.  DATA and a chunk each wait for their reply.
STAGES = {
    "the envelope": [],
    "DATA": ["DATA\r\n"],
    "a line": ["DATA\r\n", "Subject: x\r\n"],
    "half a line": ["DATA\r\n", "Subject: x\r\n\r\nhalf a"],
    "much": ["DATA\r\n", "Subject: x\r\n" * 20_000],
    "nearly the end": ["DATA\r\n", "Subject: x\r\n."],
    "CR of the end": ["DATA\r\n", "Subject: x\r\n.\r"],
    "BDAT": ["BDAT 100\r\n"],
    "half a chunk": ["BDAT 100\r\nSubject: x\r\n"],
    "a chunk": ["BDAT 14\r\nSubject: x\r\n\r\n"],
    "the command for a chunk": ["BDAT 14\r\nSubject: x\r\n\r\n", "BDAT"],
    "the last chunk, begun": ["BDAT 100 LAST\r\n"],
    "half the last chunk": ["BDAT 100 LAST\r\nSubject: x\r\n"],
    "much of the last chunk": ["BDAT 500000 LAST\r\n" + "Subject: x\r\n" * 20_000],
    "half the last of two chunks": ["BDAT 14\r\nSubject: x\r\n\r\n", "BDAT 9 LAST\r\nhalf"],
}


# TLS from the beginning is TLS after STARTTLS without what comes before.
TLS = effort([ServerTLS.NONE, ServerTLS.STARTTLS], list(ServerTLS))


def begin(server: Any, tls: ServerTLS, stage: list[str]) -> Raw:
    """Say what belongs to a stage."""
    raw = Raw(server)
    if tls is ServerTLS.IMPLICIT:
        raw.sock = CLIENT.wrap_socket(raw.sock, server_hostname="127.0.0.1")
    assert raw.reply().startswith("220")
    if tls is ServerTLS.STARTTLS:
        raw.ask(BEGINNING[0])
        assert raw.ask("STARTTLS").startswith("220")
        raw.sock = CLIENT.wrap_socket(raw.sock, server_hostname="127.0.0.1")
    for command in BEGINNING:
        assert raw.ask(command).startswith("250")
    for text in stage:
        raw.sock.sendall(text.encode())
        if text == "DATA\r\n" or (text.startswith("BDAT 14\r\n") and text.endswith("\r\n\r\n")):
            assert raw.reply()[:3] in ("354", "250")
    return raw


def options(tls: ServerTLS) -> dict[str, Any]:
    context = {} if tls is ServerTLS.NONE else {"tls": tls, "tls_context": SERVER}
    # Where bare line endings are mended, ciphertext would pass for content.
    extensions = [*standard(), Chunking()]
    return {**context, "extensions": extensions, "line_endings": LineEndings.NORMALIZE}


def cut_off(server: Any, raw: Raw, said: list[str]) -> None:
    """Stop the server; what would complete the message then comes too late."""
    thread = stopping(server, 0.0)
    thread.join(10)
    assert not thread.is_alive()
    with contextlib.suppress(OSError):
        raw.sock.sendall(rest_of(said))
    assert not [line for line in raw_end(raw).splitlines() if line.startswith(b"250 2.0.0 OK")]


@pytest.mark.parametrize("tls", TLS)
@pytest.mark.parametrize("stage", STAGES)
def test_cut_off_at_once(world: World, tls: ServerTLS, stage: str) -> None:
    inbox = Inbox()
    with world.serve(inbox, **options(tls)) as server, begin(server, tls, STAGES[stage]) as raw:
        cut_off(server, raw, STAGES[stage])
        assert server.sessions == 0
    assert inbox.messages == []
    assert inbox.over == 1


@pytest.mark.parametrize("tls", TLS)
@pytest.mark.parametrize("stage", STAGES)
def test_cut_off_within_a_streaming_handler(world: World, tls: ServerTLS, stage: str) -> None:
    """What it has got may be a part of the message, and it is told so."""
    ends: list[str] = []
    asked = threading.Event()

    def content(session: Any, envelope: Envelope, chunks: Iterator[bytes]) -> None:
        try:
            asked.set()
            content = b"".join(chunks)
        except ContentLost:
            ends.append("lost")
        except BaseException as error:
            ends.append(type(error).__name__)
            raise
        else:
            ends.append(f"complete: {content!r:.100}")

    with (
        world.serve(world.streaming(content), **options(tls)) as server,
        begin(server, tls, STAGES[stage]) as raw,
    ):
        has_begun = stage not in ("the envelope", "DATA", "BDAT", "the last chunk, begun")
        if has_begun:
            assert asked.wait(10)
        cut_off(server, raw, STAGES[stage])
    wait_until(lambda: ends or not has_begun)
    assert set(ends) <= {"lost", "Cancelled"}


@pytest.mark.parametrize("tls", TLS)
@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "the envelope"])
def test_drained(world: World, tls: ServerTLS, stage: str) -> None:
    """A client that goes on is served to the end, and the message is whole."""
    inbox = Inbox()
    said = STAGES[stage]
    with world.serve(inbox, **options(tls)) as server, begin(server, tls, said) as raw:
        thread = stopping(server)
        raw.sock.sendall(rest_of(said))
        replies = raw_end(raw).splitlines()
        assert [reply[:3] for reply in replies[-2:]] == [b"250", b"421"]
        thread.join(10)
    (content,) = inbox.messages
    assert content.count(b"x") == "".join([*said, rest_of(said).decode()]).count("x")


def rest_of(said: list[str]) -> bytes:
    """What makes the message complete."""
    if not said:
        return b""
    if said[-1] == "BDAT":
        return b" 0 LAST\r\n"
    if said[0] == "DATA\r\n":
        text = "".join(said[1:])
        return (
            b"\n" if text.endswith(".\r") else b"\r\n" if text.endswith("\r\n.") else b"\r\n.\r\n"
        )
    head, _, content = said[-1].partition("\r\n")
    _, size, *last = head.split()
    missing = b"x" * (int(size) - len(content))
    return missing if last else missing + b"BDAT 0 LAST\r\n"


def raw_end(raw: Raw) -> bytes:
    """All that comes until the end, also where this comes without a word within TLS."""
    try:
        return raw.rest()
    except OSError:
        return b""
