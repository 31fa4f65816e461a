"""What was offered can be read without casts: `make types` checks this with `mypy --strict`."""

from __future__ import annotations

from smtpproto import (
    Client,
    ClientEvent,
    Domain,
    Ehlo,
    Event,
    Need,
    Reply,
    Server,
    ServerEvent,
    Session,
)
from smtpproto.extensions import Pipelining, Size
from smtpproto.sync import Client as BlockingClient


def keywords(client: Client | Server | BlockingClient | Session) -> list[str]:
    return [extension.keyword for extension in client.offered]


def size(client: Client) -> int | None:
    for extension in client.offered:
        if isinstance(extension, Size):
            return extension.limit
    return None


def replies(client: Client) -> list[Reply]:
    found: list[Reply] = []
    event: ClientEvent | Need
    while not isinstance(event := client.next_event(), Need):
        if isinstance(event, Reply):
            found.append(event)
    return found


def of_a_client(event: ClientEvent) -> Event:
    return event


def of_a_server(event: ServerEvent) -> Event:
    return event


def test_what_is_offered_is_extensions() -> None:
    client = Client()
    client.receive_data(b"220 mx.example ESMTP\r\n")
    assert [reply.code for reply in replies(client)] == [220]
    client.send(Ehlo(Domain("client.example")))
    client.receive_data(b"250-mx.example\r\n250-SIZE 5000\r\n250 PIPELINING\r\n")
    [reply] = replies(client)
    assert of_a_client(reply) is reply
    assert keywords(client) == ["SIZE", "PIPELINING"]
    assert [extension.line() for extension in client.offered] == ["SIZE 5000", "PIPELINING"]
    assert size(client) == 5000
    assert Pipelining in client.offered
