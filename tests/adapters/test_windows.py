"""Small windows and slow readers: neither locks a session up, and who makes progress has time.

RFC 2920 section 3.1, RFC 5321 section 4.5.3.2.5.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import smtpproto.adapters.nonblocking_channel
from smtpproto.conversations import Envelope, PermanentError
from smtpproto.conversations.client.outcome import Status
from smtpproto.conversations.client.settings import TLSMode
from smtpproto.conversations.server.settings import ServerTLS
from tests.adapters.test_tls_contexts import CLIENT, SERVER
from tests.adapters.worlds import TIMEOUT, Inbox, Raw, World, sessions, wait_until

SMALL = 2048
MODES = [TLSMode.NONE, TLSMode.IMPLICIT]
ONE = Envelope.of("sender@example.org", ["one@example.net"])
CROWD = Envelope.of("sender@example.org", [f"{'x' * 40}{n}@example.net" for n in range(500)])
LONG = b"250-2.1.5 %s\r\n" % (b"y" * 480) * 2 + b"250 2.1.5 %s\r\n" % (b"y" * 480)


def small(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection of the adapters has the least room that the system knows."""
    prepare = smtpproto.adapters.nonblocking_channel.prepare

    def prepare_small(sock: socket.socket) -> None:
        prepare(sock)
        small(sock)

    monkeypatch.setattr(smtpproto.adapters.nonblocking_channel, "prepare", prepare_small)


@contextlib.contextmanager
def peer(serve: Callable[[Any], None], mode: TLSMode) -> Iterator[tuple[str, int]]:
    """A server of one connection with small windows, that reads and writes as `serve` says."""

    def run() -> None:
        link: Any
        link, _ = listener.accept()
        link.settimeout(TIMEOUT)
        if mode is TLSMode.IMPLICIT:
            link = SERVER.wrap_socket(link, server_side=True)
        # A client that gave up is the test's to tell.
        with link, contextlib.suppress(OSError):
            serve(link)

    with socket.socket() as listener:
        small(listener)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            thread.join(TIMEOUT)
            assert not thread.is_alive()


def until_content(link: Any) -> Any:
    """Answer a client up to DATA; return what it sends as a file."""
    lines = link.makefile("rb")
    link.sendall(b"220 mx.example.org\r\n")
    for answer in (b"250 mx.example.org\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n"):
        lines.readline()
        link.sendall(answer)
    return lines


@contextlib.contextmanager
def client_of(
    world: World, serve: Callable[[Any], None], mode: TLSMode, **options: Any
) -> Iterator[Any]:
    """A client of such a server."""
    context = CLIENT if mode is TLSMode.IMPLICIT else None
    with (
        peer(serve, mode) as where,
        world.connect(where, tls=mode, tls_context=context, **options) as client,
    ):
        yield client


def obedient(link: Any) -> None:
    """Answer one command after the other, and read nothing while an answer does not leave."""
    lines = link.makefile("rb")
    link.sendall(b"220 mx.example.org\r\n")
    content = left = 0
    for line in lines:
        verb = line[:4].upper()
        if content:
            content = line != b".\r\n"
            answer = b"" if content else b"250 2.0.0 taken\r\n"
        elif verb == b"EHLO":
            answer = b"250-mx.example.org\r\n250-CHUNKING\r\n250 PIPELINING\r\n"
        elif verb == b"DATA":
            content, answer = 1, b"354 go on\r\n"
        elif verb == b"BDAT":
            left = int(line.split()[1])
            assert len(lines.read(left)) == left
            answer = LONG
        elif verb == b"QUIT":
            answer = b"221 2.0.0 bye\r\n"
        else:
            answer = LONG
        link.sendall(answer)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("chunking", [False, True])
def test_a_pipelined_group_does_not_lock_up(
    world: World, small_windows: None, mode: TLSMode, *, chunking: bool
) -> None:
    pieces = [b"Hello\r\n" * 300] * 30
    with client_of(world, obedient, mode, chunking=chunking, timeout=5.0) as client:
        delivery = client.send(CROWD, pieces)
    assert delivery.complete
    assert len(delivery.outcomes) == 500


@pytest.mark.parametrize("mode", MODES)
def test_a_refusal_is_heard_while_the_content_is_written(
    world: World, small_windows: None, mode: TLSMode
) -> None:
    """A server that says no within the content and reads no more has been understood."""

    def refuse(link: Any) -> None:
        lines = until_content(link)
        lines.readline()
        link.sendall(b"552 5.3.4 too much\r\n")
        understood.wait(TIMEOUT)

    understood = threading.Event()
    with client_of(world, refuse, mode, timeout=5.0) as client:
        outcome = client.send(ONE, b"0123456789abcde\r\n" * 100_000).outcomes[0]
        understood.set()
    assert outcome.reply is not None
    assert outcome.reply.code == 552


@pytest.mark.parametrize("mode", MODES)
def test_a_server_that_reads_slowly_has_time(
    world: World, small_windows: None, mode: TLSMode
) -> None:
    """All of a block takes longer than the limit, and each part of it does not."""

    def slow(link: Any) -> None:
        lines = until_content(link)
        content = b""
        while not content.endswith(b"\r\n.\r\n"):
            time.sleep(0.05)
            content += lines.read1(4000)
        link.sendall(b"250 2.0.0 taken\r\n")
        lines.readline()

    with client_of(world, slow, mode, timeout=0.6) as client:
        assert client.send(ONE, b"0123456789abcd\r\n" * 5000).complete


@pytest.mark.parametrize("tls", [ServerTLS.NONE, ServerTLS.IMPLICIT])
def test_a_client_that_reads_slowly_has_time(
    world: World, small_windows: None, tls: ServerTLS
) -> None:
    """The same for replies; their number says that none is missing."""
    inbox = Inbox()
    context = None if tls is ServerTLS.NONE else SERVER
    with (
        world.serve(inbox, tls=tls, tls_context=context, timeout=0.6) as server,
        Raw(server) as raw,
    ):
        small(raw.sock)
        if tls is ServerTLS.IMPLICIT:
            raw.sock = CLIENT.wrap_socket(raw.sock, server_hostname="localhost")
        raw.reply()
        raw.sock.sendall(b"VRFY one\r\n" * 100 + b"QUIT\r\n")
        replies = b""
        while octets := raw.sock.recv(1500):
            replies += octets
            time.sleep(0.02)
        assert replies.count(b"252 2.1.5 ") == 100
        assert b"\r\n221 " in replies
        wait_until(lambda: not sessions(server))


@pytest.mark.parametrize("mode", MODES)
def test_a_server_that_never_reads_is_given_up(
    world: World, small_windows: None, mode: TLSMode
) -> None:
    """Whatever it says meanwhile: octets of a reply are no progress of what is written."""
    over = threading.Event()

    def deaf(link: Any) -> None:
        until_content(link)
        link.sendall(b"250-")
        while not over.wait(0.05):
            link.sendall(b"x")

    with client_of(world, deaf, mode, timeout=1.0) as client:
        outcome = client.send(ONE, b"0123456789abcde\r\n" * 100_000).outcomes[0]
        over.set()
    assert outcome.status is Status.FAILED
    assert "accepted no octets" in outcome.reason


def test_a_client_that_is_turned_away_says_quit(world: World) -> None:
    """Before it closes, and though nothing answers (RFC 5321 section 4.1.1.10)."""
    heard: list[bytes] = []

    def unfriendly(link: Any) -> None:
        link.sendall(b"554 5.3.2 no mail here\r\n")
        heard.extend(link.makefile("rb"))

    with (
        peer(unfriendly, TLSMode.NONE) as where,
        pytest.raises(PermanentError, match="no mail here"),
        world.connect(where, timeout=0.2),
    ):
        raise AssertionError("there is no session")
    assert heard == [b"QUIT\r\n"]
