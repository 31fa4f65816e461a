"""A mail server inside an asyncio application, with metrics of prometheus-client.

The application makes a ticket of each message.  Its worker and the server run in one event loop.
Prometheus fetches the metrics by HTTP.

Run it as `python examples/in_an_asyncio_application.py`; needs prometheus-client.
"""

from __future__ import annotations

import asyncio
import urllib.request
from email import message_from_bytes, policy

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

import smtpproto.asyncio
from smtpproto import Rejected, Reply, Session
from smtpproto.conversations import Envelope

METRICS = CollectorRegistry()
SESSIONS = Gauge("mail_sessions", "Sessions that are open", registry=METRICS)
REPLIES = Counter("mail_replies", "Replies to content, by code", ["code"], registry=METRICS)
REFUSED = Counter("mail_refused_commands", "What the server refused itself", registry=METRICS)
OCTETS = Histogram(
    "mail_octets", "Octets of a message", buckets=[2**n for n in range(10, 27, 4)], registry=METRICS
)


class Tickets:
    """A handler that passes messages to the application."""

    def __init__(self, waiting: asyncio.Queue[bytes]) -> None:
        self.waiting = waiting

    async def message(self, session: Session, envelope: Envelope, content: bytes) -> Reply:
        OCTETS.observe(len(content))
        try:
            # Not `put`: a client that waits too long would send the message again.
            self.waiting.put_nowait(content)
        except asyncio.QueueFull:
            reply = Reply(452, "4.3.1", "too many messages wait here, try again later")
        else:
            reply = Reply(250, "2.0.0", "a ticket is made of it")
        REPLIES.labels(reply.code).inc()
        return reply

    async def rejected(self, session: Session, rejected: Rejected) -> None:
        REFUSED.inc()


async def make_tickets(waiting: asyncio.Queue[bytes]) -> None:
    """The worker of the application."""
    while True:
        message = message_from_bytes(await waiting.get(), policy=policy.default)
        print("ticket:", message["Subject"])
        waiting.task_done()


async def submit(port: int) -> None:
    envelope = Envelope.of("eve@example.org", ["help@example.com"])
    async with smtpproto.asyncio.connect("127.0.0.1", port) as client:
        for number in range(3):
            content = f"Subject: question {number}\r\n\r\nHow?\r\n".encode()
            delivery = await client.send(envelope, content)
            print(*(outcome.reply for outcome in delivery.outcomes))


async def main() -> None:
    # It bounds what an accepted message may wait for; here the third one has no room.
    waiting: asyncio.Queue[bytes] = asyncio.Queue(maxsize=2)
    web, thread = start_http_server(0, addr="127.0.0.1", registry=METRICS)
    async with smtpproto.asyncio.serve(Tickets(waiting), hostname="mx.example.com") as server:
        SESSIONS.set_function(lambda: server.sessions)
        await submit(server.port)
        worker = asyncio.create_task(make_tickets(waiting))
        await waiting.join()
    # The server has stopped, so no further message comes.
    worker.cancel()

    address = f"http://127.0.0.1:{web.server_port}/metrics"
    with await asyncio.to_thread(urllib.request.urlopen, address) as response:
        for line in response.read().decode().splitlines():
            if not line.startswith("#") and "_created" not in line:
                print(line)
    web.shutdown()
    web.server_close()
    thread.join()


if __name__ == "__main__":
    asyncio.run(main())
