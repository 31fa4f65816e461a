"""DKIM across a Postfix that relays, and SPF behind an HAProxy."""

from __future__ import annotations

from collections.abc import Callable
from queue import Queue

import authres

from examples.mail_authentication.handler import Authenticating
from examples.mail_authentication.signing import Key, signed
from examples.names import HOST, Records, name_server
from smtpproto import Reply, sync
from smtpproto.extensions import SmtpUtf8
from smtpproto.extensions.known import standard
from smtpproto.sync import Envelope, TrustedNetworks
from tests.interop.haproxy import HAProxy
from tests.interop.peers import needs
from tests.interop.postfix import Postfix

LETTER = (
    b"From: Your bank <news@bank.example>\r\nSubject: gr\xc3\xbc\xc3\x9fe\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    b".D\xc3\xa9j\xc3\xa0 vu. " + b"long " * 150 + b"\r\n.\r\n\r\n"
)


@needs("postfix")
def test_a_signed_message_through_postfix(postfix_relay: Callable[[int], Postfix]) -> None:
    keys = [Key.rsa("bank.example", "main"), Key.ed25519("bank.example", "second")]
    zone: dict[tuple[str, str], Records] = {
        ("_dmarc.bank.example", "TXT"): '"v=DMARC1; p=reject"',
        **{(key.name, "TXT"): key.txt for key in keys},
    }
    arrived: Queue[bytes] = Queue()
    with name_server(zone) as resolver:
        handler = Authenticating(
            "here.example", resolver, lambda _, envelope, content: arrived.put(content)
        )
        extensions = (*standard(), SmtpUtf8())
        with sync.serve(handler, hostname="here.example", extensions=extensions) as server:
            relay = postfix_relay(server.port)
            with sync.connect(HOST, relay.port, name="client.example") as client:
                envelope = Envelope.of("news@bank.example", "you@here.example")
                assert client.send(envelope, signed(LETTER, *keys)).complete
                stored = arrived.get(timeout=20)
                # The same without a signature is what anyone might send.
                assert client.send(envelope, LETTER).complete
                relay.wait_until_empty()
    field = stored.partition(b"\r\nReceived:")[0].decode().replace("\r\n\t", " ")
    results = authres.all_features().parse(field).results
    assert [f"{each.method}={each.result}" for each in results] == [
        *("spf=none", "dkim=pass", "dkim=pass", "dmarc=pass"),
    ]
    # Postfix tells the sender.
    assert b"bank.example asks to reject this (DMARC)" in arrived.get(timeout=20)
    assert arrived.empty()


@needs("haproxy")
def test_spf_sees_the_client_through_haproxy(haproxy_before: Callable[..., HAProxy]) -> None:
    zone: dict[tuple[str, str], Records] = {
        ("bank.example", "TXT"): '"v=spf1 ip4:127.0.0.7 -all"',
        ("_dmarc.bank.example", "TXT"): '"v=DMARC1; p=reject"',
    }
    envelope = Envelope.of("news@bank.example", "you@here.example")
    letter = b"From: news@bank.example\r\n\r\nHello.\r\n"
    with name_server(zone) as resolver:
        handler = Authenticating("here.example", resolver, lambda *_: None)
        with sync.serve(handler, hostname="here.example", proxy=TrustedNetworks([HOST])) as server:
            proxy = haproxy_before(server.port)
            replies = []
            for address in ("127.0.0.7", "127.0.0.8"):
                with sync.connect(HOST, proxy.port, source_address=address) as client:
                    (outcome,) = client.send(envelope, letter).outcomes
                    replies.append(outcome.reply)
    assert replies == [
        Reply(250, "2.0.0", "OK"),
        Reply(550, "5.7.26", "bank.example asks to reject this (DMARC)"),
    ]
