"""Clients and servers that are not ours deliver to our server."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smtpproto import Protocol, sync
from tests.interop import clients
from tests.interop.conftest import Peers
from tests.interop.exim import Exim
from tests.interop.inbox import Inbox
from tests.interop.peers import HOST, needs
from tests.interop.postfix import Postfix, postfix
from tests.interop.test_harness import MESSAGE, submit

HEADER = b"From: <carol@far.test>\r\nTo: <dora@else.test>\r\nSubject: hello\r\n\r\n"


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def server(inbox: Inbox) -> Iterator[sync.Server]:
    with sync.serve(inbox, hostname="mx.test", received=False) as running:
        yield running
    assert inbox.rejected_by_core == []


def without_trace(content: bytes) -> bytes:
    return content[content.index(b"From:") :]


@needs("postfix")
def test_postfix_relays(
    server: sync.Server, inbox: Inbox, postfix_relay: Callable[[int], Postfix]
) -> None:
    relay = postfix_relay(server.port)
    submit(relay.port, "dora@else.test")
    relay.wait_until_empty()
    mail = inbox.one()
    assert without_trace(mail.content) == MESSAGE
    assert mail.recipients == ["dora@else.test"]
    assert str(mail.envelope.reverse_path) == "<carol@far.test>"
    assert mail.session.extended


@needs("postfix")
def test_postfix_relays_by_lmtp(inbox: Inbox, peers: Peers) -> None:
    with sync.serve(inbox, hostname="mx.test", received=False, protocol=Protocol.LMTP) as server:
        relay = peers.start(postfix(f"lmtp:inet:{HOST}:{server.port}"))
        with smtplib.SMTP(HOST, relay.port, "smtplib.test", timeout=20) as link:
            to = ["dora@else.test", "eric@else.test", "nobody@else.test"]
            link.sendmail("", to, MESSAGE, ["BODY=8BITMIME"])
        relay.wait_until_empty()
    mail = inbox.one()
    assert without_trace(mail.content) == MESSAGE
    assert sorted(mail.recipients) == ["dora@else.test", "eric@else.test"]


@needs("exim4")
def test_exim_relays(server: sync.Server, inbox: Inbox, exim_relay: Callable[[int], Exim]) -> None:
    relay = exim_relay(server.port)
    submit(relay.port, "dora@else.test")
    relay.wait_until_empty()
    assert without_trace(inbox.one().content) == MESSAGE


def test_smtplib_delivers(server: sync.Server, inbox: Inbox) -> None:
    with smtplib.SMTP(HOST, server.port, "smtplib.test", timeout=20) as link:
        to = ["dora@else.test", "nobody@else.test"]
        refused = link.sendmail("carol@far.test", to, MESSAGE, ["BODY=8BITMIME"])
        assert link.noop()[0] == 250
        assert link.verify("dora")[0] == 252
    assert refused == {"nobody@else.test": (550, b"5.1.1 no such mailbox here")}
    assert inbox.one().content == MESSAGE
    assert inbox.one().recipients == ["dora@else.test"]


class TestPrograms:
    """Programs that send the file they are given."""

    @pytest.fixture
    def message(self, tmp_path: Path) -> Path:
        path = tmp_path / "message"
        path.write_bytes(HEADER + b"hello\r\n.dot\r\n.\r\n..\r\n")
        return path

    @pytest.fixture(autouse=True)
    def _arrives(self, inbox: Inbox, server: sync.Server) -> Iterator[None]:
        yield
        mail = inbox.one()
        assert without_trace(mail.content).endswith(b"\r\n\r\nhello\r\n.dot\r\n.\r\n..\r\n")
        assert mail.recipients == ["dora@else.test"]

    @needs("swaks")
    def test_swaks(self, server: sync.Server, message: Path) -> None:
        message.write_bytes(message.read_bytes().removesuffix(b"\r\n"))
        said = clients.swaks(
            server.port, "c@far.test", ["dora@else.test"], "--data", f"@{message}", "--pipeline"
        )
        assert "220 mx.test" in said

    @needs("curl")
    def test_curl(self, server: sync.Server, message: Path) -> None:
        clients.curl(server.port, "c@far.test", ["dora@else.test"], message)

    @needs("msmtp")
    def test_msmtp(self, server: sync.Server, message: Path) -> None:
        message.write_bytes(message.read_bytes().replace(b"\r\n", b"\n"))
        clients.msmtp(server.port, "c@far.test", ["dora@else.test"], message)

    @needs("nodemailer")
    def test_nodemailer(self, server: sync.Server, message: Path) -> None:
        clients.nodemailer(server.port, "c@far.test", ["dora@else.test"], message)

    def test_aiosmtplib(self, server: sync.Server, message: Path) -> None:
        content = message.read_bytes()

        async def send() -> None:
            async with clients.aio(server.port, start_tls=False) as link:
                await link.sendmail("c@far.test", ["dora@else.test"], content)

        asyncio.run(send())
