"""A server and a client over trio: the same names as in `smtpproto.sync`, with await.

Run it as `python examples/with_trio.py`; needs trio (`smtpproto-sansio[trio]`).
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from email.message import EmailMessage

import trio

import smtpproto.trio
from smtpproto import ForwardPath, Rcpt, Reply, Session
from smtpproto.conversations import Envelope

MAILBOXES = {ForwardPath.of("alice@example.com"), ForwardPath.of("postmaster")}


class Inbox:
    """A handler; with trio its methods may be async."""

    def __init__(self) -> None:
        self.octets = 0

    async def rcpt(self, session: Session, rcpt: Rcpt) -> Reply | None:
        await trio.sleep(0.01)  # such as a question to a database
        known = rcpt.forward_path in MAILBOXES
        return None if known else Reply(550, "5.1.1", "no such mailbox here")

    async def content(
        self, session: Session, envelope: Envelope, chunks: AsyncIterator[bytes]
    ) -> None:
        async for chunk in chunks:
            self.octets += len(chunk)


async def submit(port: int, number: int) -> None:
    message = EmailMessage()
    message["From"] = "eve@example.org"
    message["To"] = "alice@example.com, nobody@example.com"
    message["Subject"] = f"number {number}"
    message.set_content("Hello, Alice.\n")
    async with smtpproto.trio.connect("127.0.0.1", port) as client:
        delivery = await client.send_message(message)
        print(number, [f"{outcome.forward_path} {outcome.reply}" for outcome in delivery.outcomes])


async def main() -> None:
    inbox = Inbox()
    async with trio.open_nursery() as serving:
        serve = functools.partial(smtpproto.trio.serve, inbox, hostname="mx.example.com")
        server = await serving.start(serve)
        async with trio.open_nursery() as submitting:
            for number in range(3):
                submitting.start_soon(submit, server.port, number)

        # The content may be an asynchronous iterable.
        async def content() -> AsyncIterator[bytes]:
            yield b"Subject: in parts\r\n\r\n"
            await trio.sleep(0.01)
            yield b"one, two, three\r\n"

        async with smtpproto.trio.connect("127.0.0.1", server.port) as client:
            envelope = Envelope.of("eve@example.org", ["alice@example.com"])
            delivery = await client.send(envelope, content())
            print("in parts:", delivery.complete)

        await server.stop()  # running transactions finish
    print("received", inbox.octets, "octets")
    assert inbox.octets > 0


if __name__ == "__main__":
    trio.run(main)
