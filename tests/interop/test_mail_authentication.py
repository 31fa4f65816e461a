"""DKIM across a Postfix that relays: what it adds and folds leaves signatures valid."""

from __future__ import annotations

from collections.abc import Callable
from queue import Queue

import authres

from examples.mail_authentication.handler import Authenticating
from examples.mail_authentication.signing import Key, signed
from examples.names import HOST, Records, name_server
from smtpproto import sync
from smtpproto.extensions import SmtpUtf8
from smtpproto.extensions.known import standard
from smtpproto.sync import Envelope
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
