"""What is of the wrong type is told so, with what was expected, and nothing is queued."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

import pytest

from smtpproto import (
    AddressLiteral,
    AuthResponse,
    Client,
    ContentChunk,
    Data,
    Domain,
    Ehlo,
    EndOfContent,
    Expn,
    ForwardPath,
    Helo,
    Help,
    Lhlo,
    LocalProtocolError,
    Mail,
    Mailbox,
    Need,
    Noop,
    Rcpt,
    Reply,
    ReversePath,
    Rset,
    Server,
    Vrfy,
    sync,
)
from smtpproto.conversations import ClientSettings, Envelope
from smtpproto.extensions import Bdat, Chunking, Size
from smtpproto.sasl import Credentials
from smtpproto.testing import connect, converse
from tests.conversations.driver import Inbox

ENVELOPE = Envelope.of("eve@client.example", "alice@mx.example")


def ready(*lines: bytes) -> Client:
    client = Client()
    client.receive_data(b"220 mx.example ESMTP\r\n")
    client.next_event()
    client.send(Ehlo(Domain("client.example")))
    offers = [b"mx.example", *lines]
    client.receive_data(b"".join(b"250-%s\r\n" % line for line in offers) + b"250 HELP\r\n")
    client.next_event()
    client.data_to_send()
    return client


@pytest.mark.parametrize("message", ["RSET", b"RSET\r\n", Rset, None, Reply(250), 250])
def test_a_client_sends_values(message: Any) -> None:
    client = ready()
    with pytest.raises(
        TypeError, match="expected a Command, ContentChunk, EndOfContent or AuthResponse"
    ):
        client.send(message)
    assert client.data_to_send() == b""
    assert client.pending == 0


@pytest.mark.parametrize("message", ["250 OK", b"250 OK", 250, None, Reply, Rset()])
def test_a_server_sends_replies(message: Any) -> None:
    server = Server("mx.example")
    with pytest.raises(TypeError, match="expected a Reply, found"):
        server.send(message)
    assert server.data_to_send() == b""
    assert server.next_event() is Need.REPLY


@pytest.mark.parametrize("octets", ["text", None, 7, [b"x"]])
def test_content_is_octets(octets: Any) -> None:
    client = ready(b"PIPELINING")
    client.send(Mail(ReversePath(None)))
    client.send(Rcpt(ForwardPath.of("user@example.com")))
    client.send(Data())
    client.receive_data(b"250 OK\r\n250 OK\r\n354 go on\r\n")
    while client.next_event() is not Need.DATA:
        pass
    client.data_to_send()
    with pytest.raises(TypeError, match="content: expected bytes, found"):
        client.send(ContentChunk(octets))
    assert client.data_to_send() == b""
    client.send(EndOfContent())
    assert client.data_to_send() == b".\r\n"


@pytest.mark.parametrize("octets", [b"some", bytearray(b"some"), memoryview(b"some"), b""])
def test_octets_are_whatever_holds_them(octets: Any) -> None:
    client = ready(b"CHUNKING", b"PIPELINING")
    client.send(Mail(ReversePath(None)))
    client.send(Rcpt(ForwardPath.of("user@example.com")))
    client.data_to_send()
    client.send(Bdat(len(octets), last=True))
    client.send(ContentChunk(octets))
    assert client.data_to_send() == b"BDAT %d LAST\r\n%b" % (len(octets), octets)


@pytest.mark.parametrize("data", [None, "", 0, [], "250 OK\r\n", 7])
def test_what_arrives_is_octets(data: Any) -> None:
    """None, as a read that would have to wait gives it, is not the end of the connection."""
    for connection in (Client(), Server("mx.example")):
        with pytest.raises(TypeError, match="expected bytes from the peer, found "):
            connection.receive_data(data)
        connection.receive_data(b"220 mx.example\r\n")


def test_what_is_offered_is_looked_up_by_class() -> None:
    client = ready(b"SIZE 1000")
    assert Size in client.offered
    assert Chunking not in client.offered
    for wrong in ("SIZE", Size()):
        with pytest.raises(TypeError, match="by its class"):
            wrong in client.offered  # noqa: B015
    with pytest.raises(TypeError, match="by its class"):
        client.offered.get("SIZE")  # type: ignore[arg-type]


@pytest.mark.parametrize("credentials", [("alice", "secret"), "secret", {"password": "secret"}])
def test_credentials_are_a_value_and_never_shown(credentials: Any) -> None:
    with pytest.raises(TypeError, match="credentials: expected Credentials or None") as caught:
        ClientSettings(name="c.example", credentials=credentials, nonce=str)
    assert "secret" not in str(caught.value)
    assert type(credentials).__name__ in str(caught.value)


@pytest.mark.parametrize("field", ["username", "password", "token", "authorization", "anonymous"])
def test_credentials_are_text_and_never_shown(field: str) -> None:
    value: Any = b"secret"
    with pytest.raises(TypeError, match=f"{field}: expected str.*, found bytes") as caught:
        Credentials(**{field: value})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("message", ["Subject: hi\r\n\r\ntext", b"Subject: hi", None])
def test_a_message_is_one(message: Any) -> None:
    client = connect(Inbox())
    with pytest.raises(
        TypeError, match=r"expected an email\.message\.Message, found .*`send` takes"
    ):
        client.send_message(message)


@pytest.mark.parametrize("envelope", ["eve@client.example", None, ("a@b.example", ["c@d.example"])])
def test_a_delivery_takes_an_envelope(envelope: Any) -> None:
    with connect(Inbox()) as client:
        with pytest.raises(TypeError, match=r"expected an Envelope, found .*Envelope\.of"):
            client.send(envelope, b"hello\r\n")
        assert client.send(ENVELOPE, b"hello\r\n").complete


def test_a_message_is_no_content() -> None:
    message: Any = EmailMessage()
    message["Subject"] = "hello"
    with connect(Inbox()) as client:
        with pytest.raises(TypeError, match="found an EmailMessage: `send_message` takes"):
            client.send(ENVELOPE, message)
        assert client.send(ENVELOPE, b"hello\r\n").complete


PEER = "expected bytes from the peer, found"
TEXT = [b"text", 7, None]


@pytest.mark.parametrize(
    "make, values, complaint",
    [
        (lambda it: Client([it]), [Size(), "SIZE", Rset], "a Client takes classes"),
        (lambda it: Server("mx", [it]), [Size, "SIZE", Rset()], "a Server takes instances"),
        (AuthResponse, ["secret"], "response: expected bytes or None"),
        *(
            (kind, ["c.example", b"c.example", None, Domain], "expected a Domain or an AddressLit")
            for kind in (Ehlo, Helo, Lhlo)
        ),
        *((kind, TEXT, f"{kind.verb}: expected text, found") for kind in (Noop, Vrfy, Expn, Help)),
        *(
            (make, [*TEXT, ["a"]], "expected .* as text, found")
            for make in (Domain, AddressLiteral, ForwardPath.of, ReversePath.of)
        ),
        (lambda it: Mailbox(it, Domain("a")), [*TEXT, ["a"]], "expected .* as text, found"),
        (
            lambda it: Envelope(it, ()),
            ["eve@client.example", None, ReversePath.of("eve@a.example")],
            r"expected a Mail command, found .*Envelope\.of",
        ),
        (
            lambda it: Envelope.of("eve@client.example", it),
            [b"alice@mx.example"],
            r"expected an address as text, found b'alice@mx\.example'",
        ),
        (
            Envelope.parse,
            ["MAIL FROM:<a@b.example>", b"MAIL", [b"MAIL FROM:<>"], [7], None],
            "expected command lines as text, found",
        ),
        (lambda it: converse(Inbox(), it), ["QUIT\r\n", ["QUIT\r\n"], 7], PEER),
        (
            lambda it: sync.serve(Inbox(), **it),
            [{"hostnme": "mx.example"}],
            r"serve\(\) has no option hostnme",
        ),
    ],
)
def test_what_is_made_of_it(
    make: Callable[[Any], object], values: list[Any], complaint: str
) -> None:
    for value in values:
        with pytest.raises(TypeError, match=complaint):
            make(value)


def test_a_text_in_the_place_of_a_status_code_is_told_so() -> None:
    with pytest.raises(LocalProtocolError, match="the text is the third argument"):
        Reply(550, "no such user")
