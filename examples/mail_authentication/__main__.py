"""Honest and forged messages meet a server that checks SPF, DKIM and DMARC.

Run it as `python -m examples.mail_authentication`; it needs `smtpproto-sansio[mailauth]`.  It runs
a name server and a mail server on loopback.  The clients come through a proxy, so that each has an
address of its own.
"""

from __future__ import annotations

import authres

from examples.names import HOST, Records, name_server
from smtpproto import sync
from smtpproto.sync import Endpoint, Envelope, ProxyFamily, ProxyHeader, TrustedNetworks

from .handler import Authenticating
from .signing import Key, signed

MAIN, SECOND = Key.rsa("bank.example", "main"), Key.ed25519("bank.example", "second")
ZONE: dict[tuple[str, str], Records] = {
    ("bank.example", "TXT"): '"v=spf1 ip4:192.0.2.1 -all"',
    ("_dmarc.bank.example", "TXT"): '"v=DMARC1; p=reject; sp=quarantine"',
    (MAIN.name, "TXT"): MAIN.txt,
    (SECOND.name, "TXT"): SECOND.txt,
    ("thief.example", "TXT"): '"v=spf1 ip4:203.0.113.9 -all"',
}
LETTER = b"From: Your bank <news@bank.example>\r\nSubject: hello\r\n\r\nDear customer.\r\n"
LETTERS = [
    ("from the bank", "192.0.2.1", "news@bank.example", LETTER),
    ("signed, forwarded", "198.51.100.7", "list@forward.example", signed(LETTER, MAIN, SECOND)),
    ("forged", "203.0.113.9", "news@thief.example", LETTER),
    (
        "signed, then changed",
        "203.0.113.9",
        "news@thief.example",
        signed(LETTER, MAIN).replace(b"Dear", b"Poor"),
    ),
    (
        "from a subdomain",
        "203.0.113.9",
        "news@thief.example",
        LETTER.replace(b"@bank", b"@uk.bank"),
    ),
]


def deliver(disposition: str, _: Envelope, content: bytes) -> None:
    """Say where the message goes."""
    field = content.partition(b"\r\nReceived:")[0].decode().replace("\r\n\t", " ")
    results = authres.all_features().parse(field).results
    folder = "junk" if disposition == "quarantine" else "inbox"
    print(f"  {folder}:", *(f"{each.method}={each.result}" for each in results))


def main() -> None:
    with (
        name_server(ZONE) as resolver,
        sync.serve(
            Authenticating("mx.example.org", resolver, deliver),
            hostname="mx.example.org",
            proxy=TrustedNetworks([HOST]),
        ) as server,
    ):
        for what, address, sender, content in LETTERS:
            print(f"{what}:")
            header = ProxyHeader(
                family=ProxyFamily.TCP4,
                source=Endpoint(address, 50000),
                destination=Endpoint(HOST, server.port),
            )
            with sync.connect(HOST, server.port, name="client.example", proxy=header) as client:
                delivery = client.send(Envelope.of(sender, "you@example.org"), content)
            for reply in delivery.refused.values():
                print(f"  refused: {reply}")


if __name__ == "__main__":
    main()
