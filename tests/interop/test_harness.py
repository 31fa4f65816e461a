"""The peers alone, without smtpproto: what these tests show, the others may rely on."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Callable

import pytest

from tests.interop.conftest import Peers
from tests.interop.dovecot import Dovecot
from tests.interop.exim import Exim
from tests.interop.haproxy import HAProxy
from tests.interop.nginx import Nginx
from tests.interop.peers import needs, program, require
from tests.interop.postfix import Postfix, postfix
from tests.interop.sink import sink
from tests.programs import HOST

HEADER = b"From: <carol@far.test>\r\nTo: <alice@local.test>\r\nSubject: every octet\r\n\r\n"
MESSAGE = (
    HEADER
    + b".\r\n..\r\n.a dot\r\n\r\n"
    + bytes(octet for octet in range(1, 256) if octet not in b"\r\n")
    + b"\r\nno more"
    + b"\r\n"
)
OFFERS = ("PIPELINING", "8BITMIME", "SIZE 1000000")


def submit(port: int, recipient: str, kind: type[smtplib.SMTP] = smtplib.SMTP) -> None:
    with kind(HOST, port, "smtplib.test", timeout=20) as link:
        link.sendmail("carol@far.test", [recipient], MESSAGE, ["BODY=8BITMIME"])


def content(session: bytes) -> bytes:
    """The message out of what a sink kept of a DATA session, without the fields put before it."""
    _, stuffed, after = re.split(rb"\bDATA\r\n|(?<=\r\n)\.\r\n", session, flags=re.IGNORECASE)
    assert after in {b"", b"QUIT\r\n"}
    return stuffed.replace(b"\r\n.", b"\r\n")[stuffed.index(b"From:") :]


@needs("postfix")
def test_postfix_delivers_byte_for_byte(postfix_inbound: Postfix) -> None:
    submit(postfix_inbound.port, "alice@local.test")
    assert postfix_inbound.delivered("alice") == [MESSAGE]
    with pytest.raises(smtplib.SMTPRecipientsRefused, match="550"):
        submit(postfix_inbound.port, "nobody@local.test")


@needs("postfix")
def test_postfix_offers_what_we_want_to_try(postfix_inbound: Postfix) -> None:
    with smtplib.SMTP(HOST, postfix_inbound.port, timeout=20) as link:
        link.ehlo()
        offered = set(link.esmtp_features)
    assert offered >= {"pipelining", "size", "8bitmime", "dsn", "smtputf8", "chunking"}
    assert "enhancedstatuscodes" in offered


@needs("postfix")
def test_postfix_relays(postfix_relay: Callable[[int], Postfix]) -> None:
    with sink(*OFFERS) as next_hop:
        relay = postfix_relay(next_hop.port)
        submit(relay.port, "dora@else.test")
        relay.wait_until_empty()
    (session,) = next_hop.sessions
    assert content(session) == MESSAGE


@needs("postfix")
def test_postfix_relays_by_lmtp(peers: Peers) -> None:
    with sink(*OFFERS, recipients_answered=True) as next_hop:
        relay = peers.start(postfix(f"lmtp:inet:{HOST}:{next_hop.port}"))
        submit(relay.port, "dora@else.test")
        relay.wait_until_empty()
    (session,) = next_hop.sessions
    assert session.startswith(b"LHLO ")
    assert content(session) == MESSAGE


@needs("postfix")
def test_postfix_shows_its_queue(peers: Peers) -> None:
    server = peers.start(postfix(main={"defer_transports": "smtp", "default_transport": "smtp"}))
    with smtplib.SMTP(HOST, server.port, timeout=20) as link:
        link.sendmail(
            "carol@far.test", ["dora@else.test"], MESSAGE, ["ENVID=e1"], ["NOTIFY=SUCCESS"]
        )
    (entry,) = server.mailq()
    assert entry["recipients"][0]["address"] == "dora@else.test"
    assert "envelope_id=e1" in server.queue_file(entry["queue_id"])


@needs("exim4")
def test_exim_delivers_byte_for_byte(exim_inbound: Exim) -> None:
    submit(exim_inbound.port, "alice@exim.test")
    assert exim_inbound.delivered("alice") == [MESSAGE]
    with pytest.raises(smtplib.SMTPRecipientsRefused, match="550"):
        submit(exim_inbound.port, "nobody@exim.test")


@pytest.mark.parametrize("offers", [OFFERS, (*OFFERS, "CHUNKING")])
@needs("exim4")
def test_exim_relays(exim_relay: Callable[[int], Exim], offers: tuple[str, ...]) -> None:
    with sink(*offers) as next_hop:
        relay = exim_relay(next_hop.port)
        submit(relay.port, "dora@else.test")
        relay.wait_until_empty()
    (session,) = next_hop.sessions
    if "CHUNKING" in offers:
        assert b"BDAT " in session
        assert MESSAGE in session
    else:
        assert content(session) == MESSAGE


@needs("dovecot")
def test_dovecot_delivers_byte_for_byte(dovecot_lmtp: Dovecot) -> None:
    submit(dovecot_lmtp.port, "alice@any.test", smtplib.LMTP)
    assert dovecot_lmtp.delivered("alice") == [MESSAGE]
    with pytest.raises(smtplib.SMTPRecipientsRefused, match="550"):
        submit(dovecot_lmtp.port, "nobody@any.test", smtplib.LMTP)


@pytest.mark.parametrize(
    "version, header",
    [
        ("send-proxy", b"PROXY TCP4 127.0.0.1 127.0.0.1 "),
        ("send-proxy-v2", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01"),
    ],
)
@needs("haproxy")
def test_haproxy_tells_who_the_client_is(
    haproxy_before: Callable[..., HAProxy], version: str, header: bytes
) -> None:
    with sink(*OFFERS, proxied=True) as behind:
        proxy = haproxy_before(behind.port, options=version)
        submit(proxy.port, "dora@else.test")
    (session,) = behind.sessions
    assert session.startswith(header)
    assert content(session) == MESSAGE


@needs("nginx")
def test_nginx_tells_who_the_client_is(nginx_before: Callable[[int], Nginx]) -> None:
    with sink(*OFFERS, "XCLIENT ADDR NAME HELO") as behind:
        proxy = nginx_before(behind.port)
        submit(proxy.port, "dora@else.test")
    assert b"XCLIENT ADDR=127.0.0.1" in behind.sessions[-1]
    assert content(behind.sessions[-1]) == MESSAGE


def test_a_missing_peer_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMTPPROTO_NO_PEERS", raising=False)
    monkeypatch.delenv("SMTPPROTO_REQUIRE_PEERS", raising=False)
    require(["sh"])
    with pytest.raises(pytest.skip.Exception, match="no-such-peer is not installed"):
        require(["no-such-peer"])
    monkeypatch.setenv("SMTPPROTO_REQUIRE_PEERS", "1")
    with pytest.raises(pytest.fail.Exception, match="no-such-peer is not installed"):
        require(["no-such-peer"])
    monkeypatch.setenv("SMTPPROTO_NO_PEERS", "1")
    with pytest.raises(pytest.fail.Exception, match="sh is hidden"):
        require(["sh"])


def test_a_peer_that_was_not_asked_for_is_a_fault() -> None:
    with pytest.raises(AssertionError, match="does not say that it needs it"):
        program("no-such-peer")
