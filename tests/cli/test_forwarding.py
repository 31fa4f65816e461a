"""Messages are passed on, and the answers come back."""

from __future__ import annotations

import smtplib

import pytest

from smtpproto.cli.common import IO
from tests.cli.inboxes import Inbox
from tests.programs import HOST, MESSAGE, serve

CRLF = MESSAGE.replace(b"\n", b"\r\n")


def test_a_message_is_passed_on(sink: str, mails: Inbox) -> None:
    with serve("--forward", sink, "--hostname", "relay.example") as server:
        with smtplib.SMTP(HOST, server.port, "client.example", timeout=20) as client:
            client.sendmail("eve@example.org", ["alice@example.com", "bob@example.com"], CRLF)
        assert server.stop() == 0
        assert "  hello  " in server.stdout
    ((envelope, content),) = mails.mails
    assert [str(path) for path in envelope.forward_paths] == [
        "<alice@example.com>",
        "<bob@example.com>",
    ]
    assert b"by relay.example with ESMTP" in content
    assert content.endswith(CRLF)


@pytest.mark.parametrize("io", IO)
def test_refusals_come_back(io: str, sink: str, mails: Inbox) -> None:
    with serve("--forward", sink, "--io", io) as server:
        with smtplib.SMTP(HOST, server.port, "client.example", timeout=20) as client:
            with pytest.raises(smtplib.SMTPDataError, match=r"550.*no such mailbox here"):
                client.sendmail("eve@example.org", ["nobody@example.com"], CRLF)
            # One that is accepted makes the message accepted.
            client.sendmail("eve@example.org", ["nobody@example.com", "a@example.com"], CRLF)
        assert server.stop() == 0
        assert server.stderr.count("not forwarded: refused   <nobody@example.com>  550 5.1.1") == 2
    assert len(mails.mails) == 1


def test_a_server_that_is_not_there() -> None:
    with serve("--forward", f"{HOST}:1") as server:
        with (
            smtplib.SMTP(HOST, server.port, "client.example", timeout=20) as client,
            pytest.raises(smtplib.SMTPDataError, match=r"451.*cannot be reached"),
        ):
            client.sendmail("eve@example.org", ["a@example.com"], CRLF)
        assert server.stop() == 0
        assert (
            "not forwarded: no connection to 127.0.0.1 port 1: Connection refused" in server.stderr
        )
