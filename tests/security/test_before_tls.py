"""What was said before TLS counts for nothing inside it (RFC 3207 section 4.2)."""

from __future__ import annotations

import pytest

from smtpproto import Client, Need, RemoteProtocolError, Reply, Server, Session, TLSFacts
from smtpproto.extensions import ClientOverride, Extension, StartTls, XClient
from smtpproto.wire.proxy_header_value import Endpoint, ProxyFamily, ProxyHeader

PROXY = "192.0.2.1"


def ready(*extensions: Extension, session: Session | None = None) -> Server:
    server = Server("mx.example", extensions, session=session)
    server.accept()
    say(server, b"EHLO client.example\r\n")
    return server


def say(server: Server, octets: bytes) -> bytes:
    """What a server that accepts everything answers."""
    server.receive_data(octets)
    while (event := server.next_event()) is Need.REPLY or not isinstance(event, Need):
        if event is Need.REPLY:
            server.accept()
    return server.data_to_send()


def test_nobody_in_between_speaks_for_a_proxy() -> None:
    """XCLIENT was put in front of STARTTLS, and the proxy never said that the client logged in."""
    server = ready(StartTls(), XClient(trusted=(PROXY,)), session=Session(peer=PROXY))
    say(server, b"XCLIENT LOGIN=admin ADDR=198.51.100.9\r\nEHLO client.example\r\nSTARTTLS\r\n")
    server.tls_established(TLSFacts("TLSv1.3"))
    assert server.session.get(ClientOverride) is None
    assert (server.session.peer, server.session.identity) == (PROXY, None)
    say(server, b"EHLO client.example\r\nXCLIENT NAME=host.example\r\n")
    assert server.session.identity is None
    assert server.session.peer == PROXY


def test_what_the_connection_itself_said_stays() -> None:
    """A PROXY header came before all else, from a proxy that is trusted on this network."""
    end = Endpoint("203.0.113.7", 1)
    header = ProxyHeader(family=ProxyFamily.TCP4, source=end, destination=end)
    server = ready(StartTls(), session=Session(peer="203.0.113.7").with_fact(header))
    say(server, b"STARTTLS\r\n")
    server.tls_established(TLSFacts("TLSv1.3"))
    assert server.session.get(ProxyHeader) == header
    assert server.session.peer == "203.0.113.7"


def test_a_greeting_that_began_in_plain_text_does_not_end_in_tls() -> None:
    client = Client()
    client.receive_data(b"220-you are in good hands\r\n")
    assert client.next_event() is Need.DATA
    with pytest.raises(RemoteProtocolError, match="plain text"):
        client.tls_established(TLSFacts("TLSv1.3"))


def test_a_greeting_that_was_read_leaves_nothing() -> None:
    client = Client()
    client.receive_data(b"220 mx.example ESMTP\r\n")
    assert isinstance(client.next_event(), Reply)


@pytest.mark.parametrize("pieces", [[b"STARTTLS\r\nNOOP\r\n"], [b"STARTTLS\r\n", b"NOOP\r\n"]])
def test_where_starttls_is_not_offered_it_is_refused_whatever_follows(pieces: list[bytes]) -> None:
    server = ready(StartTls(), session=Session(secure=True))
    sent = b"".join(say(server, piece) for piece in pieces)
    assert [line[:3] for line in sent.split(b"\r\n")] == [b"503", b"250", b""]
