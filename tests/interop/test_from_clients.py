"""Clients and servers that are not ours deliver to our server; the matrix has the plain cases."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator

import pytest

from smtpproto import Protocol, sync
from tests.interop.conftest import Peers
from tests.interop.inbox import Inbox
from tests.interop.peers import needs
from tests.interop.postfix import postfix
from tests.interop.test_harness import MESSAGE
from tests.programs import HOST

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


def test_smtplib_delivers(server: sync.Server, inbox: Inbox) -> None:
    with smtplib.SMTP(HOST, server.port, "smtplib.test", timeout=20) as link:
        to = ["dora@else.test", "nobody@else.test"]
        refused = link.sendmail("carol@far.test", to, MESSAGE, ["BODY=8BITMIME"])
        assert link.noop()[0] == 250
        assert link.verify("dora")[0] == 252
    assert refused == {"nobody@else.test": (550, b"5.1.1 no such mailbox here")}
    assert inbox.one().content == MESSAGE
    assert inbox.one().recipients == ["dora@else.test"]
