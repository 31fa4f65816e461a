"""How long a server waits for a client that sends little, or too much, or too early."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from smtpproto import Limits
from smtpproto.extensions import Chunking
from smtpproto.extensions.known import standard
from smtpproto.vocabulary.session_facts import EarlyTalk
from tests.adapters.worlds import Inbox, Raw, World, stopping, wait_until

ENVELOPE = [
    "EHLO client.example.org",
    "MAIL FROM:<sender@example.org>",
    "RCPT TO:<one@example.net>",
]


def drip(raw: Raw, octets: bytes, pause: float) -> Iterator[float]:
    """Send octets one by one until the server closes; the seconds that it took so far."""
    began = time.monotonic()
    raw.sock.settimeout(pause)
    for octet in octets:
        yield time.monotonic() - began
        try:
            raw.sock.sendall(bytes([octet]))
            if raw.sock.recv(1, socket.MSG_PEEK):
                break
        except TimeoutError:
            continue
        except ConnectionError:
            break
    raw.sock.settimeout(10)


@pytest.mark.parametrize("begin", ["DATA", "BDAT 100000", ""], ids=["DATA", "BDAT", "commands"])
def test_a_transaction_that_drips_comes_to_its_end(world: World, begin: str) -> None:
    """Each octet is well within the limit for a wait, all of them together are not."""
    inbox = Inbox()
    extensions = [*standard(), Chunking()]
    limits = Limits(transaction_time=1, transaction_rate=1000)
    with world.serve(inbox, extensions=extensions, limits=limits) as server, Raw(server) as raw:
        raw.reply()
        for command in ENVELOPE:
            raw.ask(command)
        if begin == "DATA":
            raw.ask(begin)
        elif begin:
            raw.say(begin)
        octets = b"x" * 1000 if begin else b"\r\n".join([b"RCPT TO:<two@example.net>"] * 40)
        *_, took = drip(raw, octets, 0.05)
        assert 0.5 < took < 30
        assert b"421 4.4.2 timeout exceeded\r\n" in raw.rest()
    wait_until(lambda: inbox.over == 1)
    assert not inbox.messages


def test_a_client_that_is_fast_enough_has_the_time_it_takes(world: World) -> None:
    """More octets than the budget was made for, each of which adds to it."""
    inbox = Inbox()
    limits = Limits(transaction_time=1, transaction_rate=1)
    with world.serve(inbox, limits=limits) as server, Raw(server) as raw:
        raw.reply()
        for command in [*ENVELOPE, "DATA"]:
            raw.ask(command)
        *_, took = drip(raw, b"x" * 30, 0.05)
        assert took > 1.2
        assert raw.ask("\r\n.").startswith("250")


def test_content_beyond_the_size_is_refused_at_its_end(world: World) -> None:
    """Octets that flow renew the time limit there, too."""
    inbox = Inbox()
    with world.serve(inbox, extensions=standard(100), timeout=0.4) as server, Raw(server) as raw:
        raw.reply()
        for command in [*ENVELOPE, "DATA"]:
            raw.ask(command)
        raw.sock.sendall(b"x" * 200)
        *_, took = drip(raw, b"x" * 10, 0.1)
        assert took > 0.8
        assert raw.ask("\r\n.").startswith("552 5.3.4")
        assert raw.ask("NOOP").startswith("250")
    assert not inbox.messages


def test_no_transaction_begins_behind_content_once_the_server_stops(world: World) -> None:
    """RFC 5321 section 3.8: also of what was pipelined while the handler was at work."""
    entered, go = threading.Event(), threading.Event()

    def content(session: Any, envelope: Any, chunks: Iterator[bytes]) -> None:
        contents.append(b"".join(chunks))
        entered.set()
        go.wait(10)

    contents: list[bytes] = []
    with world.serve(world.streaming(content)) as server, Raw(server) as raw:
        raw.reply()
        raw.ask(ENVELOPE[0])
        message = "\r\n".join([*ENVELOPE[1:], "DATA", "x", ".", ""])
        raw.sock.sendall(message.encode() * 5)
        assert entered.wait(10)
        thread = stopping(server)
        go.set()
        replies = [line[:3] for line in raw.rest().split(b"\r\n")]
        assert replies == [b"250", b"250", b"354", b"250", b"421", b""]
        thread.join(10)
        assert not thread.is_alive()
    assert contents == [b"x\r\n"]


class Sleepy(Inbox):
    """Takes its time before the greeting."""

    def __init__(self) -> None:
        super().__init__()
        self.early: list[bool] = []

    def ehlo(self, session: Any, hello: Any) -> None:
        self.early.append(session.get(EarlyTalk) is not None)


@pytest.mark.parametrize("refuse", [False, True])
def test_a_client_that_speaks_before_the_greeting(world: World, refuse: bool) -> None:
    """It connects and speaks before the server runs at all, so what it says is there first."""
    inbox = Sleepy()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        where = listener.getsockname()
        with Raw(where) as early, Raw(where) as patient:
            early.say(ENVELOPE[0])
            with world.serve(inbox, listeners=[listener], refuse_early_talkers=refuse):
                assert early.reply().startswith("554 the client" if refuse else "220")
                if not refuse:
                    assert early.reply().startswith("250")
                assert patient.reply().startswith("220")
                assert patient.ask(ENVELOPE[0]).startswith("250")
    assert inbox.early == ([False] if refuse else [True, False])
