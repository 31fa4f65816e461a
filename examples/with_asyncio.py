"""A server and a client over asyncio: the same names as in `smtpproto.sync`, with await.

Run it as `python examples/with_asyncio.py`.  It runs on uvloop in the same way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from email.message import EmailMessage

import smtpproto.asyncio
from smtpproto import ForwardPath, Rcpt, Reply, Session
from smtpproto.asyncio import Envelope, PoolLimits

MAILBOXES = {ForwardPath.of("alice@example.com"), ForwardPath.of("postmaster")}


class Inbox:
    """A handler; with asyncio its methods may be async."""

    def __init__(self) -> None:
        self.octets = 0

    async def rcpt(self, session: Session, rcpt: Rcpt) -> Reply | None:
        await asyncio.sleep(0.01)  # such as a question to a database
        known = rcpt.forward_path in MAILBOXES
        return None if known else Reply(550, "5.1.1", "no such mailbox here")

    async def content(
        self, session: Session, envelope: Envelope, chunks: AsyncIterator[bytes]
    ) -> None:
        async for chunk in chunks:
            self.octets += len(chunk)


async def submit(pool: smtpproto.asyncio.Pool, number: int) -> None:
    message = EmailMessage()
    message["From"] = "eve@example.org"
    message["To"] = "alice@example.com, nobody@example.com"
    message["Subject"] = f"number {number}"
    message.set_content("Hello, Alice.\n")
    async with pool.connection() as client:
        delivery = await client.send_message(message)
    print(number, [f"{outcome.forward_path} {outcome.reply}" for outcome in delivery.outcomes])


async def main() -> None:
    inbox = Inbox()
    async with smtpproto.asyncio.serve(inbox, hostname="mx.example.com") as server:
        # One client has one conversation at a time; a pool lends several clients.
        bounds = PoolLimits(connections=3)
        async with smtpproto.asyncio.Pool("127.0.0.1", server.port, bounds=bounds) as pool:
            await asyncio.gather(*(submit(pool, number) for number in range(5)))

        # The content may be an asynchronous iterable.
        async def content() -> AsyncIterator[bytes]:
            yield b"Subject: in parts\r\n\r\n"
            await asyncio.sleep(0.01)
            yield b"one, two, three\r\n"

        async with smtpproto.asyncio.connect("127.0.0.1", server.port) as client:
            envelope = Envelope.of("eve@example.org", ["alice@example.com"])
            delivery = await client.send(envelope, content())
            print("in parts:", delivery.complete)
    # The end of the block has stopped the server; running transactions have finished.
    print("received", inbox.octets, "octets")
    assert inbox.octets > 0


if __name__ == "__main__":
    asyncio.run(main())
