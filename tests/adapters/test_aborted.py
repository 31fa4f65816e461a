"""Clients that go away, or say nothing, at each step: all is freed, and nothing delivered."""

from __future__ import annotations

import errno
import gc
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import smtpproto.sync
from smtpproto import LocalProtocolError, Server
from smtpproto.conversations import ServerTLS, TLSMode, TLSPolicy
from smtpproto.extensions import Chunking
from smtpproto.extensions.known import standard
from tests.adapters.test_tls_contexts import SERVER
from tests.adapters.worlds import ENVELOPE, Inbox, Raw, World, sessions, wait_until

STEPS = {
    "connected": [],
    "half a command": ["EHLO client.exa"],
    "named": ["EHLO client.example.org\r\n"],
    "mail": ["EHLO client.example.org\r\n", "MAIL FROM:<sender@example.org>\r\n"],
    "rcpt": [
        "EHLO client.example.org\r\n",
        "MAIL FROM:<sender@example.org>\r\n",
        "RCPT TO:<one@example.net>\r\n",
    ],
    "content": [
        "EHLO client.example.org\r\n",
        "MAIL FROM:<sender@example.org>\r\n",
        "RCPT TO:<one@example.net>\r\n",
        "DATA\r\n",
        "Subject: half a mess",
    ],
    "end of content": [
        "EHLO client.example.org\r\n",
        "MAIL FROM:<sender@example.org>\r\n",
        "RCPT TO:<one@example.net>\r\n",
        "DATA\r\n",
        "Subject: nearly\r\n.\r",
    ],
}


def walk(raw: Raw, step: str) -> None:
    assert raw.reply().startswith("220")
    for text in STEPS[step]:
        raw.sock.sendall(text.encode())
        if text.endswith("\r\n"):
            assert raw.reply()[:1] in "23"


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("end", ["reset", "half-close", "close"])
def test_a_client_goes_away(world: World, step: str, end: str) -> None:
    inbox = Inbox()
    with world.serve(inbox) as server:
        with Raw(server) as raw:
            walk(raw, step)
            assert sessions(server) == 1
            if end == "reset":
                raw.reset()
            elif end == "half-close":
                raw.sock.shutdown(socket.SHUT_WR)
                raw.rest()
        wait_until(lambda: not sessions(server))
        # The next one is served.
        with world.connect(server) as client:
            assert client.send(ENVELOPE, b"whole\r\n").complete
    assert inbox.messages == [b"whole\r\n"]
    assert inbox.over == 2


@pytest.mark.parametrize("step", STEPS)
def test_a_client_says_nothing(world: World, step: str) -> None:
    inbox = Inbox()
    with world.serve(inbox, timeout=0.1) as server, Raw(server) as raw:
        try:
            walk(raw, step)
        except (AssertionError, IndexError):
            # So short a limit may end the session before.
            pass
        else:
            assert raw.rest().startswith(b"421 4.4.2")
        wait_until(lambda: not sessions(server))
    assert inbox.messages == []
    assert inbox.over == 1


def test_an_octet_now_and_then_gains_nothing(world: World) -> None:
    with world.serve(Inbox(), timeout=0.3) as server, Raw(server) as raw:
        raw.reply()
        raw.sock.settimeout(0.05)
        answer = b""
        for _ in range(200):
            try:
                raw.sock.sendall(b"N")
                answer += raw.sock.recv(1000)
            except TimeoutError:
                continue
            except OSError:
                break
            if answer:
                break
        assert answer.startswith(b"421 4.4.2")
        wait_until(lambda: not sessions(server))


def test_a_client_goes_away_while_the_handler_reads(world: World) -> None:
    """`chunks` says that the content is lost, and the handler's answer goes nowhere."""
    errors = []

    def content(session: Any, envelope: Any, chunks: Any) -> None:
        try:
            for _ in chunks:
                pass
        except Exception as error:
            errors.append(type(error).__name__)
            raise

    with world.serve(world.streaming(content)) as server:
        with Raw(server) as raw:
            walk(raw, "content")
        wait_until(lambda: not sessions(server))
    assert errors == ["ContentLost"]


def test_a_server_that_says_nothing(world: World) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(ConnectionError),
        world.connect(silent.getsockname(), timeout=0.1),
    ):
        raise AssertionError("there is no session")


def test_no_server(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = silent.getsockname()
    with pytest.raises(ConnectionRefusedError, match="refused"), world.connect(where):
        raise AssertionError("there is no session")
    with pytest.raises(FileNotFoundError), world.connect(where, path="/nowhere/at/all"):
        raise AssertionError("there is no session")


def test_an_option_that_does_not_exist(world: World) -> None:
    with world.serve(Inbox()) as server:
        with pytest.raises(TypeError, match="timeuot"), world.connect(server, timeuot=3):
            raise AssertionError("there is no session")
        with pytest.raises(TypeError, match="prot"), world.serve(Inbox(), prot=25):
            raise AssertionError("there is no server")
        assert not sessions(server)


@pytest.mark.parametrize(
    "options, error",
    [
        ({"timeuot": 3}, TypeError),
        ({"tls": "starttls"}, TypeError),
        ({"mechanisms": ["PLIAN"]}, ValueError),
        ({"mechanisms": "PLAIN"}, TypeError),
        ({"allow_plaintext": ["PLIAN"]}, ValueError),
        ({"name": "not a name"}, LocalProtocolError),
        ({"tls": TLSMode.NONE, "policy": TLSPolicy()}, ValueError),
    ],
)
def test_what_cannot_be_used_is_found_before_dialling(
    world: World, options: dict[str, Any], error: type[Exception]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        where = listener.getsockname()
        with pytest.raises(error), world.connect(where, **options):
            raise AssertionError("there is no session")
        # A pool of these tests has a name already.
        for pooled in [] if "name" in options else [options]:
            with pytest.raises(error), world.pool(where, **pooled):
                raise AssertionError("there is no pool")
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_connection_error_says_where(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
    with pytest.raises(ConnectionRefusedError) as refused, world.connect((host, port)):
        raise AssertionError("there is no session")
    assert refused.value.errno == errno.ECONNREFUSED
    assert f"no connection to 127.0.0.1 port {port}: Connection refused" in str(refused.value)
    with pytest.raises(socket.gaierror) as unknown, world.connect(("mx.invalid", 25)):
        raise AssertionError("there is no session")
    assert unknown.value.errno in (socket.EAI_NONAME, socket.EAI_AGAIN)
    assert "no connection to mx.invalid port 25: " in str(unknown.value)
    with (
        pytest.raises(FileNotFoundError, match="no connection to /nowhere/at/all: No such"),
        world.connect(("localhost", 25), path="/nowhere/at/all"),
    ):
        raise AssertionError("there is no session")


def test_a_connection_that_takes_too_long_says_where(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        host, port = listener.getsockname()
        # Nothing is accepted, and there is room for few.
        waiting = [socket.socket() for _ in range(9)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex((host, port))
        with (
            pytest.raises(TimeoutError, match=f"no connection to 127.0.0.1 port {port}: "),
            world.connect((host, port), connect_timeout=0.2),
        ):
            raise AssertionError("there is no session")
        for each in waiting:
            each.close()


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


def connections() -> list[Server]:
    return [each for each in gc.get_objects() if isinstance(each, Server)]


class Reading:
    def content(self, session: Any, envelope: Any, chunks: Iterator[bytes]) -> None:
        for _ in chunks:
            pass


class Awaiting:
    async def content(self, session: Any, envelope: Any, chunks: AsyncIterator[bytes]) -> None:
        async for _ in chunks:
            pass


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("streaming", [False, True])
def test_lost_content_leaves_nothing_to_the_garbage_collector(
    world: World, *, streaming: bool, reset: bool
) -> None:
    """An error that refers to a session that refers to the error keeps both, until it runs."""
    kind = Inbox if not streaming else Reading if world.adapter is smtpproto.sync else Awaiting
    with world.serve(kind(), extensions=[*standard(), Chunking()]) as server:
        gc.collect()
        before = connections()
        gc.disable()
        try:
            for line in ("DATA", "BDAT 100"):
                raw = Raw(server)
                raw.reply()
                for each in STEPS["rcpt"]:
                    raw.ask(each.strip())
                raw.say(line)
                if line == "DATA":
                    raw.reply()
                raw.sock.sendall(b"Subject: half a message\r\n")
                wait_until(lambda: sessions(server) == 1)
                (raw.reset if reset else raw.sock.close)()
                wait_until(lambda: sessions(server) == 0)
            if streaming and sys.version_info >= (3, 12):
                # There the frames of a traceback keep those that called them, up to the loop's.
                gc.collect()
            wait_until(lambda: len(connections()) == len(before), 5)
        finally:
            gc.enable()
