"""The PROXY header as a conversation reads it: exactly, and what it makes of a session."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import RemoteProtocolError, Session
from smtpproto.conversations.io_requests import Receive
from smtpproto.conversations.server.proxied_client import from_proxy, read_header
from smtpproto.wire.proxy_header_value import (
    TLV,
    Endpoint,
    ProxyFamily,
    ProxyHeader,
    ProxySSL,
    TLVType,
)

SOURCE, DESTINATION = Endpoint("198.51.100.7", 1000), Endpoint("10.0.0.1", 25)


def header(version: int = 2, **settings: Any) -> ProxyHeader:
    return ProxyHeader(
        version=version,
        family=ProxyFamily.TCP4,
        source=SOURCE,
        destination=DESTINATION,
        **settings,
    )


def ssl(client: int = 1) -> ProxyHeader:
    tlvs = (TLV(TLVType.SSL_VERSION, b"TLSv1.3"), TLV(TLVType.SSL_CIPHER, b"AES"))
    authority = TLV(TLVType.AUTHORITY, b"mx.example")
    return header(tlvs=(authority, ProxySSL(client, 0, tlvs).to_tlv()))


@given(
    st.sampled_from(
        [header(1), header(2), header(2, checksum=True), ssl(), ProxyHeader(local=True)]
    ),
    st.lists(st.integers(1, 40), min_size=1),
    st.binary(max_size=5),
)
def test_not_an_octet_too_many(sent: ProxyHeader, sizes: list[int], tail: bytes) -> None:
    """A TLS library takes over right behind it."""
    octets = sent.to_bytes() + tail
    flow = read_header()
    request = next(flow)
    at, turn, fresh = 0, 0, []
    while True:
        assert isinstance(request, Receive)
        fresh.append(request.fresh)
        size = min(request.most, sizes[turn % len(sizes)])
        turn += 1
        piece = octets[at : at + size]
        at += len(piece)
        try:
            request = flow.send(piece)
        except StopIteration as stop:
            found = stop.value
            break
    assert found == sent
    assert at == len(sent.to_bytes())
    # One deadline for all of it.
    assert fresh == [True, *[False] * (turn - 1)]


def test_an_adapter_that_reads_too_much() -> None:
    flow = read_header()
    next(flow)
    with pytest.raises(RemoteProtocolError, match="asked for"):
        flow.send(header(1).to_bytes() + b"EHLO")


def test_tlvs_have_a_limit() -> None:
    flow = read_header(limit=10)
    next(flow)
    octets = header(tlvs=(TLV(TLVType.NOOP, b"x" * 20),)).to_bytes()
    with pytest.raises(RemoteProtocolError):
        flow.send(octets[:16])


def test_the_client_takes_the_place_of_the_proxy() -> None:
    session = from_proxy(Session(peer="10.0.0.2"), header())
    assert session.peer == "198.51.100.7"
    assert session.get(ProxyHeader) == header()
    assert not session.secure


@pytest.mark.parametrize("silent", [ProxyHeader(local=True), ProxyHeader(), ProxyHeader(version=1)])
def test_a_proxy_that_speaks_for_itself(silent: ProxyHeader) -> None:
    session = from_proxy(Session(peer="10.0.0.2"), silent)
    assert session.peer == "10.0.0.2"
    assert session.get(ProxyHeader) == silent


def test_tls_that_ends_at_the_proxy() -> None:
    session = from_proxy(Session(), ssl())
    assert session.secure
    assert session.tls is not None
    assert (session.tls.version, session.tls.cipher) == ("TLSv1.3", "AES")
    assert session.tls.server_name == "mx.example"
    # A name in a certificate that only the proxy saw admits nobody (EXTERNAL).
    assert session.tls.peer_names == ()
    assert not from_proxy(Session(), ssl(client=0)).secure
