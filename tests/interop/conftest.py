"""Fixtures over the peers; a failed test shows the logs of all that it used."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import TypeVar

import pytest

from tests.adapters.worlds import Asyncio, Sync, Trio, World
from tests.interop.certificates import Files, certificate_files
from tests.interop.dovecot import Dovecot, dovecot
from tests.interop.exim import Exim, exim
from tests.interop.haproxy import HAProxy, haproxy
from tests.interop.nginx import Nginx, nginx
from tests.interop.opensmtpd import OpenSMTPD
from tests.interop.peers import require
from tests.interop.postfix import Postfix, postfix

T = TypeVar("T", Postfix, Exim, Dovecot, HAProxy, Nginx, OpenSMTPD)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before its fixtures: what has not been started need not be ended."""
    require(peer for mark in item.iter_markers("needs") for peer in mark.args)


LOGS = pytest.StashKey[list[Callable[[], str]]]()


class Peers:
    """Starts peers that end with the test or module; a report of a failed test has their logs."""

    def __init__(self, stack: ExitStack, logs: list[Callable[[], str]]) -> None:
        self._stack = stack
        self._logs = logs

    def start(self, peer: AbstractContextManager[T]) -> T:
        """Enter what one of the peers' functions gave: `peers.start(exim(port))`."""
        server = self._stack.enter_context(peer)
        self._logs.append(server.log)
        return server


@pytest.fixture
def peers(request: pytest.FixtureRequest) -> Iterator[Peers]:
    yield from started(request)


@pytest.fixture(scope="module")
def shared_peers(request: pytest.FixtureRequest) -> Iterator[Peers]:
    """Peers that all tests of a module use."""
    yield from started(request)


def started(request: pytest.FixtureRequest) -> Iterator[Peers]:
    logs = request.node.stash.setdefault(LOGS, [])
    with ExitStack() as stack:
        yield Peers(stack, logs)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        logs = [log for node in item.listchain() for log in node.stash.get(LOGS, [])]
        report.sections += [("Log of a peer", log()) for log in logs]
    return report


@pytest.fixture(params=[Sync, Trio, Asyncio], ids=["sync", "trio", "asyncio"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Each of our adapters in its turn."""
    world: World = request.param()
    yield world
    world.close()


@pytest.fixture(scope="session")
def files() -> Iterator[Files]:
    """Certificates as files."""
    with certificate_files() as files:
        yield files


@pytest.fixture
def postfix_inbound(peers: Peers) -> Postfix:
    """Postfix that delivers into Maildirs."""
    return peers.start(postfix())


@pytest.fixture
def postfix_relay(peers: Peers) -> Callable[[int], Postfix]:
    """Called with a port: Postfix that relays to it by SMTP whatever is not for its own domain."""
    return lambda port: peers.start(postfix(f"smtp:[127.0.0.1]:{port}"))


@pytest.fixture
def exim_inbound(peers: Peers) -> Exim:
    """Exim that delivers into Maildirs."""
    return peers.start(exim())


@pytest.fixture
def exim_relay(peers: Peers) -> Callable[[int], Exim]:
    """Called with a port: Exim that relays to it by SMTP whatever is not for its own domain."""
    return lambda port: peers.start(exim(port))


@pytest.fixture
def dovecot_lmtp(peers: Peers) -> Dovecot:
    """Dovecot that takes mail by LMTP."""
    return peers.start(dovecot())


@pytest.fixture
def haproxy_before(peers: Peers) -> Callable[..., HAProxy]:
    """Called with the ports behind it, and options for them: HAProxy."""
    return lambda *ports, options="send-proxy-v2": peers.start(haproxy(ports, options))


@pytest.fixture
def nginx_before(peers: Peers) -> Callable[[int], Nginx]:
    """Called with the port behind it: nginx, which announces the client with XCLIENT."""
    return lambda port: peers.start(nginx(port))
