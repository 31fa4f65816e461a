"""The same settings for a blocking server and a trio server, behind a proxy.

Run it as `python examples/behind_a_proxy.py`; it needs trio (`smtpproto-sansio[trio]`).  The client
plays the proxy: it sends a PROXY header, and the server believes it, because the header comes from
a trusted network.
"""

from __future__ import annotations

import functools

import trio

import smtpproto.sync
import smtpproto.trio
from smtpproto import Session
from smtpproto.sync import (
    Endpoint,
    Envelope,
    ListeningSettings,
    ProxyFamily,
    ProxyHeader,
    TrustedNetworks,
)

SETTINGS = ListeningSettings(hostname="mx.example.com", proxy=TrustedNetworks(["127.0.0.0/8"]))
HEADER = ProxyHeader(
    family=ProxyFamily.TCP4,
    source=Endpoint("192.0.2.1", 50000),
    destination=Endpoint("192.0.2.25", 25),
)
ENVELOPE = Envelope.of("eve@example.org", "alice@example.com")
CONTENT = b"Subject: hello\r\n\r\nHello.\r\n"


class Inbox:
    def __init__(self) -> None:
        self.peers: list[str] = []

    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        self.peers.append(session.peer)


def blocking(inbox: Inbox) -> None:
    with (
        smtpproto.sync.serve_with(inbox, SETTINGS) as server,
        smtpproto.sync.connect("127.0.0.1", server.port, proxy=HEADER) as client,
    ):
        client.send(ENVELOPE, CONTENT)


async def over_trio(inbox: Inbox) -> None:
    async with trio.open_nursery() as nursery:
        run = functools.partial(smtpproto.trio.serve_with, inbox, SETTINGS)
        server = await nursery.start(run)
        async with smtpproto.trio.connect("127.0.0.1", server.port, proxy=HEADER) as client:
            await client.send(ENVELOPE, CONTENT)
        await server.stop()


def main() -> None:
    inbox = Inbox()
    blocking(inbox)
    trio.run(over_trio, inbox)
    print("the clients that the proxy named:", *inbox.peers)
    assert inbox.peers == ["192.0.2.1", "192.0.2.1"]


if __name__ == "__main__":
    main()
