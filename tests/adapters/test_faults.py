"""Faults of the host at each seam of the blocking server: one connection is lost, and no more."""

from __future__ import annotations

import errno
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from smtpproto.adapters import nonblocking_channel, sockets
from smtpproto.conversations import ContentLost, Envelope, ServerTLS, SessionFactory, TLSMode
from smtpproto.sync import Server, connect, serve
from smtpproto.sync.accepted_connection import AcceptedConnection
from tests.adapters.test_tls_contexts import CLIENT, SERVER
from tests.adapters.worlds import ENVELOPE, Inbox, Raw, nothing_left_over, wait_until

NAME = "client.example.org"
BEGINNING = [
    "EHLO client.example.org",
    "MAIL FROM:<sender@example.org>",
    "RCPT TO:<one@example.net>",
]
FAULTS = [lambda: OSError(errno.EINVAL, "x"), MemoryError, RuntimeError, SystemExit]
Fault = Callable[[], BaseException]
EACH_FAULT = pytest.mark.parametrize(
    "fault", FAULTS, ids=["OSError", "MemoryError", "RuntimeError", "SystemExit"]
)


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    with nothing_left_over():
        yield


def failing(real: Callable[..., Any], fault: Fault, times: int = 1) -> Callable[..., Any]:
    """What fails so many times, and then does what it should."""
    left = [fault()] * times

    def function(*arguments: Any, **options: Any) -> Any:
        here = threading.current_thread().name.startswith("smtpproto")
        # To look whether there is something to read is no more than that.
        if left and here and socket.MSG_PEEK not in arguments[2:]:
            raise left.pop()
        return real(*arguments, **options)

    return function


def lives(server: Server, **options: Any) -> None:
    """The server goes on, and its counts are right."""
    with connect("127.0.0.1", server.port, name=NAME, **options) as client:
        assert client.send(ENVELOPE, b"Hello\r\n").complete
        assert server.sessions == 1
    wait_until(lambda: not server.sessions)


@EACH_FAULT
@pytest.mark.parametrize("place, seam", [(sockets, "accept"), (nonblocking_channel, "prepare")])
def test_accepting(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    place: ModuleType,
    seam: str,
    fault: Fault,
) -> None:
    inbox = Inbox()
    with serve(inbox, hostname="mx.example.org") as server:
        monkeypatch.setattr(place, seam, failing(getattr(place, seam), fault))
        with Raw(("127.0.0.1", server.port)) as raw:
            # What failed before the connection was taken is done once more.
            assert raw.reply()[:3] == ("220" if seam == "accept" else "")
        lives(server)
    assert "accepting a connection failed" in caplog.text


@EACH_FAULT
@pytest.mark.parametrize(
    "place, seam", [(SessionFactory, "open"), (AcceptedConnection, "__init__")]
)
def test_beginning_a_session(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    place: type,
    seam: str,
    fault: Fault,
) -> None:
    with serve(Inbox(), hostname="mx.example.org") as server:
        monkeypatch.setattr(place, seam, failing(getattr(place, seam), fault))
        with Raw(("127.0.0.1", server.port)) as raw:
            assert raw.reply() == ""
        lives(server)
    assert "accepting a connection failed" in caplog.text


@EACH_FAULT
@pytest.mark.parametrize("seam", ["do_handshake", "getpeercert"])
def test_the_handshake(monkeypatch: pytest.MonkeyPatch, seam: str, fault: Fault) -> None:
    options: dict[str, Any] = {"tls": ServerTLS.IMPLICIT, "tls_context": SERVER}
    with serve(Inbox(), hostname="mx.example.org", **options) as server:
        monkeypatch.setattr(ssl.SSLObject, seam, failing(getattr(ssl.SSLObject, seam), fault))
        with Raw(("127.0.0.1", server.port)) as raw, pytest.raises(OSError):
            begin_tls(raw)
        lives(server, tls=TLSMode.IMPLICIT, tls_context=CLIENT)


def begin_tls(raw: Raw) -> None:
    """Over TLS 1.3 a client learns only from what it reads whether the server is content."""
    raw.sock = CLIENT.wrap_socket(raw.sock, server_hostname="127.0.0.1")
    if not raw.sock.recv(1):
        raise ConnectionError("closed")


@EACH_FAULT
def test_a_context_that_cannot_be_had(fault: Fault) -> None:
    ask = failing(lambda: SERVER, fault)
    options: dict[str, Any] = {"tls": ServerTLS.IMPLICIT, "tls_context": ask}
    with serve(Inbox(), hostname="mx.example.org", **options) as server:
        with Raw(("127.0.0.1", server.port)) as raw:
            assert raw.rest() == b""
        lives(server, tls=TLSMode.IMPLICIT, tls_context=CLIENT)


@EACH_FAULT
@pytest.mark.parametrize("seam", ["recv", "send"])
def test_the_socket(monkeypatch: pytest.MonkeyPatch, seam: str, fault: Fault) -> None:
    """Neither in the connection that is lost nor in another one is anything delivered."""
    inbox = Inbox()

    class Failing(socket.socket):
        __slots__ = ()

    setattr(Failing, seam, failing(getattr(socket.socket, seam), fault))
    real = sockets.accept

    def accept(listener: socket.socket) -> Any:
        accepted = real(listener)
        return None if accepted is None else (Failing(fileno=accepted[0].detach()), *accepted[1:])

    with serve(inbox, hostname="mx.example.org") as server:
        monkeypatch.setattr(sockets, "accept", accept)
        with Raw(("127.0.0.1", server.port)) as raw:
            raw.say("EHLO client.example.org")
            raw.rest()
        wait_until(lambda: not server.sessions)
        lives(server)
    assert inbox.over == 2


def test_memory_runs_out_within_content(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is delivered, and the log does not blame the handler."""
    inbox = Inbox()

    class Failing(socket.socket):
        __slots__ = ()

        def recv(self, most: int, flags: int = 0) -> bytes:
            octets = super().recv(most, flags)
            if b"too much" in octets:
                raise MemoryError
            return octets

    real = sockets.accept

    def accept(listener: socket.socket) -> Any:
        accepted = real(listener)
        if accepted is None:
            return None
        return (Failing(fileno=accepted[0].detach()), *accepted[1:])

    monkeypatch.setattr(sockets, "accept", accept)
    with serve(inbox, hostname="mx.example.org") as server:
        with Raw(("127.0.0.1", server.port)) as raw:
            raw.reply()
            for command in [*BEGINNING, "DATA"]:
                raw.ask(command)
            raw.say("Subject: x")
            raw.say("too much\r\n.")
            assert raw.reply().startswith("421 4.3.1")
            assert raw.rest() == b""
        lives(server)
    assert len(inbox.messages) == 1
    assert "no memory" in caplog.text
    assert "handler failed" not in caplog.text


# --- threads ----------------------------------------------------------------------------------


def refuse_threads(monkeypatch: pytest.MonkeyPatch, started: int, fault: Fault) -> None:
    """There is room for so many more threads."""
    real, room = threading.Thread.start, [None] * started

    def start(self: threading.Thread) -> None:
        if self.name.startswith("smtpproto-"):
            if not room:
                raise fault()
            room.pop()
        real(self)

    monkeypatch.setattr(threading.Thread, "start", start)


@pytest.mark.parametrize("started", [0, 1])
@pytest.mark.parametrize("fault", [RuntimeError, MemoryError])
def test_without_room_for_its_threads(
    monkeypatch: pytest.MonkeyPatch, started: int, fault: Fault
) -> None:
    """It does not start, and leaves nothing open."""
    refuse_threads(monkeypatch, started, fault)
    with pytest.raises((RuntimeError, MemoryError)):
        serve(Inbox(), hostname="mx.example.org")


@pytest.mark.parametrize("fault", [RuntimeError, MemoryError])
def test_without_room_for_one_more(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    """Handlers wait for one another; what needs none goes on."""
    entered, go = threading.Event(), threading.Event()

    class Slow(Inbox):
        def message(self, session: Any, envelope: Any, content: bytes) -> None:
            entered.set()
            assert go.wait(10)
            super().message(session, envelope, content)

    refuse_threads(monkeypatch, 2, fault)
    inbox = Slow()
    with (
        serve(inbox, hostname="mx.example.org") as server,
        Raw(("127.0.0.1", server.port)) as one,
        Raw(("127.0.0.1", server.port)) as two,
        Raw(("127.0.0.1", server.port)) as three,
    ):
        for raw in (one, two):
            raw.reply()
            for command in [*BEGINNING, "DATA"]:
                raw.ask(command)
            raw.say("Hello\r\n.")
        assert entered.wait(10)
        wait_until(lambda: "cannot start another thread" in caplog.text)
        assert three.reply().startswith("220")
        assert three.ask("NOOP").startswith("250")
        go.set()
        assert one.reply().startswith("250")
        assert two.reply().startswith("250")
    assert len(inbox.messages) == 2


# --- listeners --------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["shutdown", "close"])
def test_a_listener_that_was_shut_down_elsewhere(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    """The server goes on with the other one, and does not spin."""
    calls: list[Any] = []
    real = sockets.accept

    def accept(listener: socket.socket) -> Any:
        calls.append(listener)
        return real(listener)

    monkeypatch.setattr(sockets, "accept", accept)
    gone, left = *sockets.listen(), *sockets.listen()
    with serve(Inbox(), hostname="mx.example.org", listeners=[gone, left]):
        gone.shutdown(socket.SHUT_RDWR) if how == "shutdown" else gone.close()
        where = left.getsockname()
        with Raw(where) as one, Raw(where) as two:
            assert one.reply().startswith("220")
            assert two.reply().startswith("220")
        if how == "shutdown":
            wait_until(lambda: "no longer listens" in caplog.text)
        time.sleep(0.05)
        assert calls.count(gone) <= 1


def test_a_listener_that_is_closed_while_the_server_is_overloaded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gone, left = *sockets.listen(), *sockets.listen()

    def accept(listener: socket.socket) -> Any:
        monkeypatch.undo()
        gone.close()
        raise sockets.Overloaded

    with serve(Inbox(), hostname="mx.example.org", listeners=[gone, left]):
        monkeypatch.setattr(sockets, "accept", accept)
        with Raw(left.getsockname()) as raw:
            assert raw.reply().startswith("220")
    assert "no longer listens" in caplog.text


# --- TLS closes a socket ----------------------------------------------------------------------


def test_a_socket_that_tls_closed() -> None:
    """A client resets the connection when TLS is to begin: its number is free for another one."""
    with serve(
        Inbox(), hostname="mx.example.org", tls=ServerTLS.STARTTLS, tls_context=SERVER
    ) as server:
        where = ("127.0.0.1", server.port)
        for _ in range(20):
            raw = Raw(where)
            raw.reply()
            raw.ask("EHLO client.example.org")
            raw.sock.sendall(b"STARTTLS\r\n")
            assert raw.reply().startswith("220")
            raw.sock.sendall(b"some octets")
            raw.reset()
            with Raw(where) as other:
                assert other.reply().startswith("220")
                assert other.ask("NOOP").startswith("250")


# --- the end ----------------------------------------------------------------------------------


def test_a_handler_that_hangs(caplog: pytest.LogCaptureFixture) -> None:
    """The server stops in time, and says so; what the handler does in the end has no effect."""
    entered, go, left = threading.Event(), threading.Event(), threading.Event()

    class Hanging(Inbox):
        def message(self, session: Any, envelope: Any, content: bytes) -> None:
            entered.set()
            go.wait(20)
            left.set()

    with (
        serve(Hanging(), hostname="mx.example.org", threads=1) as server,
        Raw(("127.0.0.1", server.port)) as raw,
        Raw(("127.0.0.1", server.port)) as queued,
        Raw(("127.0.0.1", server.port)) as idle,
    ):
        for one in (raw, queued):
            one.reply()
            for command in [*BEGINNING, "DATA"]:
                one.ask(command)
            one.say("Hello\r\n.")
        idle.reply()
        assert entered.wait(10)
        server.stop(0.2)
        assert not left.is_set()
        assert server.wait(0)
        assert server.sessions == 0
        assert idle.rest().startswith(b"421")
        assert raw.rest() == queued.rest() == b""
    assert "1 calls of handlers have not returned, 2 have not begun" in caplog.text
    go.set()
    assert left.wait(10)


def test_a_streaming_handler_that_hangs(caplog: pytest.LogCaptureFixture) -> None:
    """When it asks for more content after the end, it is told that there is none."""
    entered, go = threading.Event(), threading.Event()
    ends: list[str] = []

    class Hanging:
        def content(self, session: Any, envelope: Envelope, chunks: Iterator[bytes]) -> None:
            entered.set()
            assert go.wait(20)
            try:
                ends.append(f"complete: {b''.join(chunks)!r}")
            except ContentLost as error:
                ends.append(str(error))

    with (
        serve(Hanging(), hostname="mx.example.org") as server,
        Raw(("127.0.0.1", server.port)) as raw,
    ):
        raw.reply()
        for command in [*BEGINNING, "DATA"]:
            raw.ask(command)
        raw.say("Hello\r\n.")
        assert entered.wait(10)
        server.stop(0)
    go.set()
    wait_until(lambda: ends)
    assert ends == ["the server has stopped"]
    assert "1 calls of handlers have not returned" in caplog.text


def test_a_handler_that_returns_when_it_is_late(caplog: pytest.LogCaptureFixture) -> None:
    """After the connections were cut there is a moment for handlers, and `closed` is called."""
    entered = threading.Event()

    class Slow(Inbox):
        def message(self, session: Any, envelope: Any, content: bytes) -> None:
            entered.set()
            time.sleep(0.1)

    inbox = Slow()
    with (
        serve(inbox, hostname="mx.example.org") as server,
        Raw(("127.0.0.1", server.port)) as raw,
    ):
        raw.reply()
        for command in [*BEGINNING, "DATA"]:
            raw.ask(command)
        raw.say("Hello\r\n.")
        assert entered.wait(10)
        server.stop(0)
        assert raw.rest() == b""
    assert inbox.over == 1
    assert "not returned" not in caplog.text
