"""Where a server listens, and how many it lets in."""

from __future__ import annotations

import errno
import itertools
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from smtpproto import Limits
from smtpproto.adapters import nonblocking_channel, sockets
from smtpproto.conversations import Admission
from tests.adapters.test_host import HAS_IPV6
from tests.adapters.worlds import ENVELOPE, Inbox, Raw, World, sessions, wait_until

CONTENT = b"Hello\r\n"


def test_a_unix_socket(world: World, tmp_path: Path) -> None:
    path = str(tmp_path / "smtp")
    inbox = Inbox()
    with world.serve(inbox, path=path) as server:
        assert server.addresses == [(path, 0)]
        with world.connect(("localhost", 25), path=path) as client:
            assert client.session.secure
            assert client.session.peer == path
            assert client.send(ENVELOPE, CONTENT).complete
    assert inbox.messages == [CONTENT]
    assert inbox.peers == [""]
    assert not Path(path).exists()
    with (
        pytest.raises(FileNotFoundError),
        world.connect(("localhost", 25), path=path),
    ):
        raise AssertionError("there is no server")


def test_listeners_handed_in(world: World, tmp_path: Path) -> None:
    """As from a service manager: they are closed with the server, and a path is not removed."""
    path = tmp_path / "smtp"
    listeners = [*sockets.listen(), *sockets.listen(path=str(path))]
    inbox = Inbox()
    with world.serve(inbox, listeners=listeners) as server:
        assert len(server.addresses) == 2
        with world.connect(server) as client:
            assert client.send(ENVELOPE, CONTENT).complete
        with world.connect(("localhost", 25), path=str(path)) as client:
            assert client.send(ENVELOPE, CONTENT).complete
    assert len(inbox.messages) == 2
    assert [listener.fileno() for listener in listeners] == [-1, -1]
    assert path.exists()


def test_what_does_not_listen_is_refused(world: World) -> None:
    with (
        socket.socket() as sock,
        pytest.raises(ValueError, match="listening"),
        world.serve(Inbox(), listeners=[sock]),
    ):
        raise AssertionError("there is no server")


@pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6")
def test_ipv6(world: World) -> None:
    inbox = Inbox()
    with world.serve(inbox, host="::1") as server, world.connect(server) as client:
        assert client.session.peer == "::1"
        assert client.send(ENVELOPE, CONTENT).complete
    assert inbox.peers == ["::1"]


@pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6")
def test_all_addresses_have_one_port(world: World) -> None:
    with world.serve(Inbox(), host=None) as server:
        assert len(server.addresses) == 2
        for address in ("127.0.0.1", "::1"):
            with Raw((address, server.port)) as raw:
                assert raw.reply().startswith("220")


def test_several_servers_share_a_port(world: World) -> None:
    with (
        world.serve(Inbox(), reuse_port=True) as one,
        world.serve(Inbox(), port=one.port, reuse_port=True) as other,
    ):
        assert one.port == other.port
        with pytest.raises(OSError, match="in use"), world.serve(Inbox(), port=one.port):
            raise AssertionError("there is no third")


def test_a_source_address(world: World) -> None:
    inbox = Inbox()
    with world.serve(inbox) as server, world.connect(server, source_address="127.0.0.2") as client:
        client.send(ENVELOPE, CONTENT)
    assert inbox.peers == ["127.0.0.2"]


# --- how many ---------------------------------------------------------------------------------


def test_no_more_sessions_than_allowed(world: World) -> None:
    with world.serve(Inbox(), admission=Admission(most=2)) as server:
        with Raw(server) as one, Raw(server) as two, Raw(server) as three:
            assert one.reply().startswith("220")
            assert two.reply().startswith("220")
            assert three.rest().startswith(b"421")
            assert sessions(server) == 2
            assert one.ask("NOOP").startswith("250")
        wait_until(lambda: not sessions(server))
        with Raw(server) as four:
            assert four.reply().startswith("220")


def test_no_more_sessions_from_one_address_than_allowed(world: World) -> None:
    with world.serve(Inbox(), admission=Admission(each=1)) as server:
        with Raw(server) as one, Raw(server) as two:
            assert one.reply().startswith("220")
            assert two.rest().startswith(b"421")
            with world.connect(server, source_address="127.0.0.2") as client:
                assert client.noop().positive
        wait_until(lambda: not sessions(server))
        with Raw(server) as three:
            assert three.reply().startswith("220")


def test_overload_passes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file number to be had, the server waits and does not end."""
    real, left = sockets.accept, 2

    def accept(listener: socket.socket) -> Any:
        nonlocal left
        left -= 1
        if left >= 0:
            raise sockets.Overloaded
        return real(listener)

    monkeypatch.setattr(sockets, "accept", accept)
    with world.serve(Inbox()) as server, Raw(server) as raw:
        assert raw.reply().startswith("220")
    assert left < 0


def test_a_connection_that_is_gone_is_no_session(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sockets.accept
    gone: list[Any] = []

    def accept(listener: socket.socket) -> Any:
        accepted = real(listener)
        if accepted is not None and not gone:
            gone.append(accepted)
            accepted[0].close()
            return None
        return accepted

    monkeypatch.setattr(sockets, "accept", accept)
    with world.serve(Inbox()) as server, Raw(server) as first, Raw(server) as second:
        assert first.rest() == b""
        assert second.reply().startswith("220")
        assert sessions(server) == 1


def test_an_exception_while_accepting_costs_one_connection(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, failed = nonblocking_channel.prepare, threading.Event()

    def prepare(sock: socket.socket) -> None:
        if not failed.is_set():
            failed.set()
            raise OSError(errno.EINVAL, "Invalid argument")
        real(sock)

    monkeypatch.setattr(nonblocking_channel, "prepare", prepare)
    with world.serve(Inbox()) as server:
        with Raw(server) as first:
            assert first.rest() == b""
        with Raw(server) as second:
            assert second.reply().startswith("220")
            assert sessions(server) == 1
        wait_until(lambda: not sessions(server))
    assert "accepting a connection failed" in caplog.text


@pytest.mark.parametrize("how", ["shut down", "closed"])
def test_a_listener_that_listens_no_more(
    world: World, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else ended it: it is not looked at for ever, and the sessions go on."""
    real, looks = sockets.accept, itertools.count()

    def accept(listener: socket.socket) -> Any:
        next(looks)
        return real(listener)

    monkeypatch.setattr(sockets, "accept", accept)
    one, other = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    with world.serve(Inbox(), listeners=[one, other]) as server, Raw(server) as before:
        before.reply()
        one.shutdown(socket.SHUT_RDWR) if how == "shut down" else one.close()
        time.sleep(0.3)
        assert before.ask("NOOP").startswith("250")
        with Raw(other.getsockname()) as after:
            assert after.reply().startswith("220")
        assert next(looks) < 10


def test_a_connection_that_says_much_at_once_gives_way(world: World) -> None:
    """Another one that waits has its turn after a few of ten thousand commands."""
    log: list[int] = []
    sent = threading.Event()

    class Waiting(Inbox):
        def vrfy(self, session: Any, vrfy: Any) -> Any:
            assert sent.wait(10)
            return super().vrfy(session, vrfy)

    numbers = itertools.count()

    def observer(_: Any) -> Any:
        number = next(numbers)
        return lambda sender, octets, content: log.append(number) if sender == "C" else None

    limits = Limits(commands=20_000)
    with (
        world.serve(Waiting(), observer=observer, limits=limits) as server,
        Raw(server) as many,
        Raw(server) as one,
    ):
        many.reply()
        one.reply()
        many.sock.sendall(b"VRFY one\r\n" + b"NOOP\r\n" * 10_000)
        wait_until(lambda: log)
        one.say("NOOP")
        sent.set()
        assert one.reply().startswith("250")
        assert log.index(1) < 1000
