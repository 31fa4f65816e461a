from __future__ import annotations

import errno
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from smtpproto.adapters import host, sockets
from smtpproto.adapters.nonblocking_channel import prepare

HAS_IPV6 = socket.has_ipv6
if HAS_IPV6:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        HAS_IPV6 = False


def test_nonces_differ_and_fit_into_scram() -> None:
    one, other = host.nonce(), host.nonce()
    assert one != other
    assert re.fullmatch("[A-Za-z0-9_-]{24}", one)


def test_one_free_port_for_every_address() -> None:
    listeners = sockets.adopt(sockets.listen(None))
    try:
        assert len({sockets.address_of(listener)[1] for listener in listeners}) == 1
        assert not any(listener.getblocking() for listener in listeners)
        families = {listener.family for listener in listeners}
        assert socket.AF_INET in families
        assert (socket.AF_INET6 in families) is HAS_IPV6
    finally:
        sockets.close_listeners(listeners)


@pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6")
def test_ipv6() -> None:
    (listener,) = sockets.listen("::1")
    with listener:
        assert sockets.address_of(listener)[0] == "::1"


def test_a_port_that_is_taken() -> None:
    (listener,) = sockets.listen()
    with listener, pytest.raises(OSError, match="in use"):
        sockets.listen("127.0.0.1", sockets.address_of(listener)[1])


def test_several_processes_may_share_a_port() -> None:
    (one,) = sockets.listen(reuse_port=True)
    with one:
        (other,) = sockets.listen("127.0.0.1", sockets.address_of(one)[1], reuse_port=True)
        other.close()


def test_where_one_address_cannot_be_had_none_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second address fails: the first is given back."""
    (taken,) = sockets.listen()
    port = sockets.address_of(taken)[1]
    addresses = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
        for address in ("127.0.0.2", "127.0.0.1")
    ]
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
        with taken, pytest.raises(OSError, match="in use") as caught:
            sockets.listen("both", port)
    # The error still refers to what was local where it was raised.
    assert caught.value.__traceback__ is not None
    (first,) = sockets.listen("127.0.0.2", port)
    first.close()


def test_a_unix_socket_comes_and_goes(tmp_path: Path) -> None:
    path = str(tmp_path / "smtp")
    listeners = sockets.listen(path=path)
    assert sockets.address_of(listeners[0]) == (path, 0)
    assert listeners[0].family == socket.AF_UNIX
    with pytest.raises(OSError, match="in use"):
        sockets.listen(path=path)
    sockets.close_listeners(listeners, path)
    assert not Path(path).exists()
    # Somebody else may have removed it before.
    sockets.close_listeners([], path)


def test_a_path_that_cannot_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told, and ends nothing."""

    def refuse(path: Path, *, missing_ok: bool) -> None:
        raise PermissionError(f"not yours: {path}")

    monkeypatch.setattr(Path, "unlink", refuse)
    sockets.close_listeners([], str(tmp_path / "socket"))
    assert "not yours" in caplog.text


def test_a_unix_socket_that_nobody_listens_on_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "smtp")
    for listener in sockets.listen(path=path):
        listener.close()
    assert Path(path).exists()
    sockets.close_listeners(sockets.listen(path=path), path)


def test_a_file_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "smtp"
    path.write_text("precious")
    with pytest.raises(OSError, match="in use"):
        sockets.listen(path=str(path))
    assert path.read_text() == "precious"
    with pytest.raises(OSError, match="No such file"):
        sockets.listen(path=str(tmp_path / "nowhere" / "smtp"))


def test_only_what_listens_is_adopted() -> None:
    with socket.socket() as sock, pytest.raises(ValueError, match="expected a listening socket"):
        sockets.adopt([sock])


# --- accepting --------------------------------------------------------------------------------


def test_accepting() -> None:
    (listener,) = sockets.adopt(sockets.listen())
    with listener:
        assert sockets.accept(listener) is None
        with socket.create_connection(sockets.address_of(listener)) as client:
            accepted = sockets.accept(listener)
            assert accepted is not None
            sock, peer, port = accepted
            with sock:
                assert (peer, port) == client.getsockname()
                assert sock.getpeername() == client.getsockname()
                prepare(sock)
                assert not sock.getblocking()
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_accepting_on_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "smtp")
    (listener,) = sockets.adopt(sockets.listen(path=path))
    with listener, socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        accepted = sockets.accept(listener)
        assert accepted is not None
        sock, peer, port = accepted
        with sock:
            assert (peer, port) == ("", 0)
            prepare(sock)
            assert not sock.getblocking()


@pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6")
def test_an_ipv4_address_is_one_on_a_socket_for_both() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        for client, peer in (("127.0.0.1", "127.0.0.1"), ("::1", "::1")):
            with socket.create_connection((client, listener.getsockname()[1])):
                accepted = sockets.accept(listener)
                assert accepted is not None
                accepted[0].close()
                assert accepted[1] == peer


class Failing(socket.socket):
    number = 0

    def accept(self) -> tuple[socket.socket, object]:
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_overload_is_told(number: int, caplog: pytest.LogCaptureFixture) -> None:
    with Failing() as listener:
        listener.number = number
        with pytest.raises(sockets.Overloaded):
            sockets.accept(listener)
    assert "accepts no connection for now" in caplog.text


@pytest.mark.parametrize("number", [errno.ECONNABORTED, errno.EPROTO, errno.EPERM])
def test_one_broken_connection_is_no_overload(number: int) -> None:
    with Failing() as listener:
        listener.number = number
        assert sockets.accept(listener) is None


# --- socket activation ------------------------------------------------------------------------

ACTIVATED = """
import os, socket
from smtpproto.adapters import sockets
os.dup2(int(os.environ["TAKE"]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
listeners = sockets.listeners_from_environment()
print(*[sockets.address_of(listener) for listener in listeners], os.get_inheritable(3))
names = [name for name in os.environ if name.startswith("LISTEN")]
print(names, sockets.listeners_from_environment())
"""


def test_sockets_from_the_service_manager() -> None:
    """In a process of its own, as the numbers of the passed sockets are fixed."""
    (listener,) = sockets.listen()
    with listener:
        number = listener.fileno()
        done = subprocess.run(
            [sys.executable, "-c", ACTIVATED],
            env={**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "smtp", "TAKE": str(number)},
            pass_fds=[number],
            check=True,
            capture_output=True,
            text=True,
        )
        assert done.stdout == f"{sockets.address_of(listener)} False\n[] []\n"


@pytest.mark.parametrize(
    "process, number", [("1", "1"), ("", "1"), ("self", ""), ("self", "-1"), ("self", "0")]
)
def test_what_is_for_somebody_else_is_left(
    process: str, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()) if process == "self" else process)
    monkeypatch.setenv("LISTEN_FDS", number)
    assert sockets.listeners_from_environment() == []
    assert "LISTEN_FDS" not in os.environ


def test_a_report_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    host.report(ZeroDivisionError("by nought"))
    assert "a handler failed" in caplog.text
    assert "by nought" in caplog.text
