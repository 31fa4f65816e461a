"""Clients and servers that are not ours deliver to our server; the matrix has the plain cases."""

from __future__ import annotations

import smtplib

from smtpproto import Protocol, sync
from tests.interop.clients import MESSAGE, submit
from tests.interop.conftest import Peers
from tests.interop.inbox import Inbox
from tests.interop.peers import needs
from tests.interop.postfix import postfix
from tests.programs import HOST


@needs("postfix")
def test_postfix_relays_by_lmtp(peers: Peers) -> None:
    inbox = Inbox()
    with sync.serve(inbox, hostname="mx.test", received=False, protocol=Protocol.LMTP) as server:
        relay = peers.start(postfix(f"lmtp:inet:{HOST}:{server.port}"))
        submit(relay.port, "dora@else.test", "eric@else.test", "nobody@else.test", sender="")
        relay.wait_until_empty()
    mail = inbox.one()
    # Below the field of Postfix.
    assert mail.content.endswith(b"\r\n" + MESSAGE)
    assert sorted(mail.recipients) == ["dora@else.test", "eric@else.test"]


def test_smtplib_delivers() -> None:
    inbox = Inbox()
    with (
        sync.serve(inbox, hostname="mx.test", received=False) as server,
        smtplib.SMTP(HOST, server.port, "smtplib.test", timeout=20) as link,
    ):
        to = ["dora@else.test", "nobody@else.test"]
        refused = link.sendmail("carol@far.test", to, MESSAGE, ["BODY=8BITMIME"])
        assert link.noop()[0] == 250
        assert link.verify("dora")[0] == 252
    assert refused == {"nobody@else.test": (550, b"5.1.1 no such mailbox here")}
    assert inbox.one().content == MESSAGE
    assert inbox.one().recipients == ["dora@else.test"]
    assert inbox.rejected_by_core == []
