"""What examples/scale promises: proxies before four servers, restarted and killed under load."""

from __future__ import annotations

import contextlib
import re
import signal
import smtplib
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from smtpproto.conversations import Status
from tests.interop.peers import folder, free_port, greets, needs, program, running
from tests.process.load import Load, found, message
from tests.programs import HOST, ROOT, Serve, serve, until

SCALE = ROOT / "examples" / "scale"
SERVERS = {"one": 2501, "two": 2502, "three": 2503, "four": 2504}


class Servers:
    """The four servers, which can be started again where they were."""

    def __init__(self, stack: contextlib.ExitStack, maildir: Path) -> None:
        self._stack = stack
        self._maildir = maildir
        self.ports = {name: free_port() for name in SERVERS}
        self.running: dict[str, Serve] = {}
        for name in SERVERS:
            self.start(name)

    def start(self, name: str) -> None:
        listen = ["--listen", f"{HOST}:{self.ports[name]}"]
        options = ["--maildir", str(self._maildir), "--proxy-protocol", HOST]
        self.running[name] = self._stack.enter_context(serve(*options, listen=listen))

    def configuration(self, file: str, home: Path, listen: int, **others: str) -> Path:
        """One of the files, with ports and paths that are free."""
        text = (SCALE / file).read_text(encoding="utf-8")
        for name, port in SERVERS.items():
            text = text.replace(f"127.0.0.1:{port}", f"{HOST}:{self.ports[name]}")
        text, bound = re.subn("127[.]0[.]0[.]1:252[56]", f"{HOST}:{listen}", text)
        text, paths = re.subn("/(?:run|var/log)/", f"{home}/", text)
        assert bound == 1
        assert paths >= 1
        for old, new in others.items():
            assert old in text
            text = text.replace(old, new)
        path = home / file
        path.write_text(text, encoding="utf-8")
        return path


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    with contextlib.ExitStack() as stack:
        yield Servers(stack, tmp_path)


class Proxy:
    """A running HAProxy."""

    def __init__(self, port: int, control: Path) -> None:
        self.port = port
        self._control = control

    def tell(self, command: str) -> str:
        """Say something to its admin socket; the answer."""
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(self._control))
            link.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: link.recv(4096), b"")).decode()

    def row(self, name: str) -> list[str]:
        """What it says of a server, or of all (`BACKEND`)."""
        rows = (line.split(",") for line in self.tell("show stat").splitlines())
        return next(row for row in rows if row[:2] == ["servers", name])

    def is_up(self, name: str) -> bool:
        return self.row(name)[17] == "UP"

    def sessions(self, name: str) -> int:
        return int(self.row(name)[4])


@pytest.fixture
def haproxy(servers: Servers) -> Iterator[Proxy]:
    binary = program("haproxy")
    with folder() as home:
        port = free_port()
        # More than a process may have open files on some machines.
        fewer = {"maxconn 4000": "maxconn 400"}
        path = servers.configuration("haproxy.cfg", home, port, **fewer)
        with running([binary, "-db", "-f", str(path)], home / "log"):
            proxy = Proxy(port, home / "haproxy-mail.sock")
            until(proxy._control.exists, 20, "HAProxy")
            for name in SERVERS:
                until(lambda name=name: proxy.is_up(name), 20, f"{name} is well")  # type: ignore[misc]  # no type for it
            yield proxy


def answers(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection((HOST, port), 1).close()
        return True
    return False


@pytest.fixture
def nginx(servers: Servers) -> Iterator[int]:
    binary = program("nginx")
    with folder() as home:
        port, directory = free_port(), free_port()
        path = servers.configuration("nginx.conf", home, port, **{":8090": f":{directory}"})
        ports = [str(each) for each in servers.ports.values()]
        service = [sys.executable, str(SCALE / "directory.py"), str(directory), *ports]
        command = [binary, "-c", str(path), "-e", str(home / "log")]
        with running(service, home / "directory"), running(command, home / "log"):
            try:
                until(lambda: answers(directory), 20, "the directory")
                until(lambda: greets(port), 20, "nginx")
                yield port
            finally:
                # Shown if the test fails.
                print(*(path.read_text() for path in sorted(home.iterdir()) if path.is_file()))


def received(maildir: Path) -> list[str]:
    """The addresses that the Received fields name."""
    files = [path.read_text(encoding="ascii") for path in (maildir / "new").iterdir()]
    return [
        match
        for text in files
        for match in re.findall(r"^Received: .*\[(.*)\]", text, re.MULTILINE)
    ]


def check(load: Load, maildir: Path, *, lost: bool = False) -> None:
    there = found(maildir)
    print(f"{len(load.accepted)} accepted, refusals: {dict(load.refusals)}, {load.troubles}")
    assert set(there.values()) == {1}
    assert load.accepted <= set(there)
    assert set(load.refusals) <= {421}
    if not lost:
        assert set(there) == load.accepted
        assert load.troubles == []
    assert not load.of(Status.FAILED) & set(there)
    assert len(there) > 20


@needs("haproxy")
def test_haproxy_spreads_sessions_and_tells_who_the_client_is(
    haproxy: Proxy, servers: Servers, tmp_path: Path
) -> None:
    links = [smtplib.SMTP(HOST, haproxy.port, timeout=20) for _ in SERVERS]
    assert [haproxy.sessions(name) for name in (*SERVERS, "BACKEND")] == [1, 1, 1, 1, 4]
    for link in links:
        link.quit()
    with smtplib.SMTP(HOST, haproxy.port, timeout=20, source_address=("127.0.0.9", 0)) as link:
        link.sendmail("eve@example.org", ["alice@example.com"], message(1, "00"))
    assert received(tmp_path) == ["127.0.0.9"]


@needs("haproxy")
def test_haproxy_lets_servers_be_restarted(
    haproxy: Proxy, servers: Servers, tmp_path: Path
) -> None:
    load = Load(haproxy.port, 1)
    with load.running():
        for name in SERVERS:
            load.wait_until_accepted(len(load.accepted) + 6)
            haproxy.tell(f"set server servers/{name} state drain")
            until(lambda name=name: haproxy.sessions(name) == 0, 60, f"{name} is drained")  # type: ignore[misc]  # no type for it
            assert servers.running[name].stop() == 0
            servers.start(name)
            haproxy.tell(f"set server servers/{name} state ready")
            until(lambda name=name: haproxy.is_up(name), 20, f"{name} is well")  # type: ignore[misc]  # no type for it
        load.stop()
    check(load, tmp_path)


@needs("haproxy")
def test_haproxy_goes_around_a_dead_server(
    haproxy: Proxy, servers: Servers, tmp_path: Path
) -> None:
    load = Load(haproxy.port, 1)
    with load.running():
        load.wait_until_accepted(10)
        servers.running["two"].stop(signal.SIGKILL)
        until(lambda: not haproxy.is_up("two"), 20, "two is found to be dead")
        load.wait_until_accepted(len(load.accepted) + 20)
        load.stop()
    check(load, tmp_path, lost=True)


@needs("nginx")
def test_nginx_spreads_sessions_and_tells_who_the_client_is(
    nginx: int, servers: Servers, tmp_path: Path
) -> None:
    for number in range(8):
        source = (f"127.0.0.{number + 1}", 0)
        with smtplib.SMTP(HOST, nginx, timeout=20, source_address=source) as link:
            content = message(number, "00")
            link.sendmail("eve@example.org", ["alice@example.com"], content)
    assert set(found(tmp_path)) == set(range(8))
    assert sorted(received(tmp_path)) == [f"127.0.0.{number + 1}" for number in range(8)]
    # One that has ended is left out.
    assert servers.running["three"].stop() == 0
    load = Load(nginx, 1, 100)
    with load.running():
        load.wait_until_accepted(20)
        load.stop()
    assert load.troubles == []
    assert load.accepted <= set(found(tmp_path))
