"""The conversations of a client over asyncio's streams.

Run it as `python examples/asyncio_client.py`.  `run` does what a conversation asks for.  (STARTTLS
would be one more case: `loop.start_tls`.)
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

from smtpproto import Client, Session, sync
from smtpproto.conversations import ClientSettings, Envelope, TLSMode
from smtpproto.conversations.client import begin, deliver, end
from smtpproto.conversations.conversation_steps import Steps
from smtpproto.conversations.io_requests import Flow, Receive, Send

T = TypeVar("T")


async def run(flow: Flow[T], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> T:
    steps = Steps(flow)
    for request in steps:
        try:
            match request:
                case Send():
                    writer.write(request.data)
                    await asyncio.wait_for(writer.drain(), request.timeout)
                case Receive():
                    steps.result = await asyncio.wait_for(reader.read(65536), request.timeout)
                case _:
                    raise NotImplementedError(request)
        except asyncio.TimeoutError:
            steps.error = TimeoutError("the time limit ran out")
        except Exception as error:  # noqa: BLE001  # the conversation knows what was under way
            steps.error = error
    return steps.returned


async def send(port: int, to: tuple[str, ...], content: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    engine, opening = Client(), ClientSettings(name="client.example.org", tls=TLSMode.NONE)
    await run(begin(engine, opening), reader, writer)
    envelope = Envelope.of("eve@example.org", to)
    delivery = await run(deliver(engine, envelope, content), reader, writer)
    for outcome in delivery.outcomes:
        print(outcome.forward_path, outcome.status.name, outcome.reply)
    await run(end(engine), reader, writer)
    writer.close()
    await writer.wait_closed()


class Inbox:
    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        print("received from", session.name, len(content), "octets")


if __name__ == "__main__":
    with sync.serve(Inbox()) as server:
        to = ("alice@example.com", "bob@example.com")
        asyncio.run(send(server.port, to, b"Subject: hello\r\n\r\nHello.\r\n"))
