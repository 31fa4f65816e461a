"""A mail server inside a trio application, with structured logs of structlog.

The application archives each message.  Its worker and the server run in one nursery, with a memory
channel between them: a server that waits for room in it makes its client wait.

Run it as `python examples/in_a_trio_application.py`; needs trio and structlog.
"""

from __future__ import annotations

import functools
import itertools
import logging
import sys
from email import message_from_bytes, policy

import structlog
import trio

import smtpproto.trio
from smtpproto import Rejected, Session
from smtpproto.conversations import Envelope

FIRST: list[structlog.types.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso"),
    structlog.processors.format_exc_info,
]
LAST = structlog.processors.JSONRenderer()


def configure() -> None:
    """One JSON object on each line: of this program, and of what libraries such as ours log."""
    structlog.configure(processors=[*FIRST, LAST])
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=FIRST,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, LAST],
        )
    )
    logging.getLogger("smtpproto").addHandler(handler)


class Archive:
    """A handler that passes messages to the application."""

    def __init__(self, messages: trio.MemorySendChannel[bytes]) -> None:
        self.messages = messages
        self.numbers = itertools.count(1)

    async def connect(self, session: Session) -> None:
        # A session has a task of its own, so all that is logged in it has the number: also
        # what smtpproto logs if this handler fails.
        structlog.contextvars.bind_contextvars(session=next(self.numbers), peer=session.peer)
        structlog.get_logger().info("connected")

    async def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        recipients = [str(path) for path in envelope.forward_paths]
        log = structlog.get_logger().bind(sender=str(envelope.reverse_path), recipients=recipients)
        if b"\r\nMessage-ID:" not in content:
            raise ValueError("a message without Message-ID")  # 451 for the client, and a log line
        await self.messages.send(content)
        log.info("accepted", octets=len(content))

    async def rejected(self, session: Session, rejected: Rejected) -> None:
        structlog.get_logger().info("refused", reply=str(rejected.reply))

    async def closed(self, session: Session) -> None:
        structlog.get_logger().info("left", name=str(session.name))


async def archive(messages: trio.MemoryReceiveChannel[bytes]) -> None:
    """The worker of the application."""
    async for content in messages:
        message = message_from_bytes(content, policy=policy.default)
        structlog.get_logger().info("archived", message_id=message["Message-ID"])


async def submit(port: int) -> None:
    envelope = Envelope.of("eve@example.org", ["archive@example.com"])
    async with smtpproto.trio.connect("127.0.0.1", port, name="client.example.org") as client:
        await client.send(envelope, b"Message-ID: <1@example.org>\r\n\r\nOne.\r\n")
        await client.send(envelope, b"Subject: two\r\n\r\nTwo.\r\n")


async def main() -> None:
    configure()
    send, receive = trio.open_memory_channel[bytes](10)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(archive, receive)
        serve = functools.partial(smtpproto.trio.serve, Archive(send), hostname="mx.example.com")
        server = await nursery.start(serve)
        await submit(server.port)
        await server.stop()  # running transactions finish
        send.close()  # so the worker ends when it has archived the last message


if __name__ == "__main__":
    trio.run(main)
