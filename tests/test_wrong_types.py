"""What is of the wrong type is told so, with what was expected, and nothing is queued."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage
from functools import partial
from typing import Any

import pytest

from smtpproto import (
    AddressLiteral,
    AuthResponse,
    Client,
    ContentChunk,
    Domain,
    Ehlo,
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
from smtpproto.conversations import ClientSettings, Envelope, ServerSettings, Transcript
from smtpproto.extensions import (
    Auth,
    AuthCommand,
    AuthParameter,
    Bdat,
    Burl,
    Chunking,
    DeliverBy,
    NoSoliciting,
    Size,
    Solicit,
    XClient,
    XForward,
)
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


@pytest.mark.parametrize("make", [Client, partial(Server, "mx.example")])
@pytest.mark.parametrize("name", ["limits", "protocol", "line_endings", "session", "observer"])
@pytest.mark.parametrize("value", ["text", 7])
def test_an_argument_of_a_connection_is_named(
    make: Callable[..., object], name: str, value: Any
) -> None:
    with pytest.raises(TypeError, match=f"^{name}: expected .*, found {type(value).__name__}"):
        make(**{name: value})


@pytest.mark.parametrize("make", [Client, partial(Server, "mx.example"), ClientSettings])
@pytest.mark.parametrize("observer", [Transcript, lambda session: Transcript(print)])
def test_an_observer_takes_what_is_said(make: Callable[..., object], observer: Any) -> None:
    with pytest.raises(TypeError, match=r"observer takes .* with \(sender, octets, content\)"):
        make(observer=observer)


async def said(sender: str, octets: bytes, content: bool) -> None:
    """An observer that nothing awaits."""


async def now() -> Any:
    """A function without arguments that nothing awaits."""


@pytest.mark.parametrize(
    "make, name, function",
    [
        (Client, "observer", said),
        (partial(Server, "mx.example"), "observer", said),
        (ClientSettings, "observer", said),
        (ClientSettings, "nonce", now),
        (ClientSettings, "to_ascii", now),
        (ServerSettings, "clock", now),
        (ServerSettings, "nonce", now),
    ],
)
def test_what_nothing_awaits_is_not_async(
    make: Callable[..., object], name: str, function: Any
) -> None:
    with pytest.raises(TypeError, match=f"^{name} is async, but nothing awaits it"):
        make(**{name: function})


def test_an_error_of_the_extensions_themselves_is_kept() -> None:
    with pytest.raises(TypeError, match="object of type 'int' has no len"):
        Client(map(len, [7]))  # type: ignore[arg-type]


PEER = "expected bytes from the peer, found"
TEXT = [b"text", 7, None]


@pytest.mark.parametrize(
    "make, values, complaint",
    [
        (lambda it: Client([it]), [Size(), "SIZE", Rset], "a Client takes classes"),
        (lambda it: Server("mx", [it]), [Size, "SIZE", Rset()], "a Server takes instances"),
        (Client, [Size, 7], "extensions: expected Iterable, found"),
        (lambda it: Server("mx", it), [Size(), 7, None], "extensions: expected Iterable, found"),
        (Server, [None, b"mx.example", 7], "hostname: expected str, found"),
        (lambda it: Server("mx", syntax=it), ["lenient"], "syntax: expected Syntax, found str"),
        (ContentChunk, ["text", None, 7, [b"x"]], "content: expected bytes, found"),
        (AuthResponse, ["secret"], "response: expected bytes or None"),
        (lambda it: AuthCommand("PLAIN", it), ["secret"], "initial: expected bytes or None, fou"),
        (AuthCommand, [None], "mechanism: expected str, found NoneType"),
        (AuthParameter, ["eve@a.example"], "mailbox: expected Mailbox or None, found str"),
        (lambda it: Reply(250, "2.0.0", it), [b"OK", ["a", "b"]], "text: expected str, found"),
        *(
            (make, ["SIZE", [Size], []], "expected a tuple of Parameters, found")
            for make in (
                partial(Mail, ReversePath(None)),
                partial(Rcpt, ForwardPath(None)),
                partial(Vrfy, "alice"),
                partial(Expn, "list"),
            )
        ),
        *(
            (make, ["192.0.2.10"], "expected addresses, such as .*, found the text '192.0.2.10'")
            for make in (XClient, XForward, lambda it: ServerSettings(proxy=it))
        ),
        *(
            (make, ["ADV"], "expected a tuple of .*, found the text 'ADV'")
            for make in (
                *(Auth, lambda it: Auth((), it), Burl, NoSoliciting, Solicit),
                *(partial(DeliverBy, None), partial(XClient, ()), partial(XForward, ())),
            )
        ),
        (lambda it: ClientSettings(extensions=it), ["SIZE", [Size()]], "a Client takes classes"),
        (Transcript, [None, "transcript.txt"], "write: expected a function, found"),
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
            partial(Envelope, Mail(ReversePath(None))),
            ["a@b.example", ["a@b.example"], Rcpt(ForwardPath(None)), (7,), None],
            r"expected a tuple of Rcpt commands, found .*Envelope\.of",
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
