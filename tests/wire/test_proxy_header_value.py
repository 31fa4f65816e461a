from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto.errors import LocalProtocolError
from smtpproto.wire import proxy_header_value
from smtpproto.wire.proxy_header_value import (
    TLV,
    Endpoint,
    ProxyFamily,
    ProxyHeader,
    ProxySSL,
    TLVType,
)

SIGNATURE = bytes.fromhex("0D0A0D0A000D0A515549540A")
CLIENT = Endpoint("192.0.2.1", 56324)
SERVER = Endpoint("198.51.100.2", 25)
CLIENT6 = Endpoint("2001:db8::1", 65535)
SERVER6 = Endpoint("2001:db8::25", 25)
BETWEEN: dict[str, Any] = {
    "family": ProxyFamily.TCP4,
    "source": CLIENT,
    "destination": SERVER,
}


@pytest.mark.parametrize(
    "header, expected",
    [
        (ProxyHeader(version=1, **BETWEEN), b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\n"),
        (
            ProxyHeader(version=1, family=ProxyFamily.TCP6, source=CLIENT6, destination=SERVER6),
            b"PROXY TCP6 2001:db8::1 2001:db8::25 65535 25\r\n",
        ),
        (ProxyHeader(version=1), b"PROXY UNKNOWN\r\n"),
        (ProxyHeader(local=True), SIGNATURE + b"\x20\x00\x00\x00"),
        (ProxyHeader(), SIGNATURE + b"\x21\x00\x00\x00"),
        (
            ProxyHeader(**BETWEEN),
            SIGNATURE + bytes.fromhex("21 11 000C C0000201 C6336402 DC04 0019"),
        ),
        (
            ProxyHeader(**{**BETWEEN, "family": ProxyFamily.UDP4}, tlvs=(TLV(4, b""),)),
            SIGNATURE + bytes.fromhex("21 12 000F C0000201 C6336402 DC04 0019 04 0000"),
        ),
        (
            ProxyHeader(family=ProxyFamily.TCP6, source=CLIENT6, destination=SERVER6),
            SIGNATURE
            + bytes.fromhex("21 21 0024 20010db8000000000000000000000001")
            + bytes.fromhex("20010db8000000000000000000000025 FFFF 0019"),
        ),
        (
            ProxyHeader(
                family=ProxyFamily.UNIX_STREAM,
                source=Endpoint("\0abstract"),
                destination=Endpoint("/run/smtp"),
            ),
            SIGNATURE
            + bytes.fromhex("21 31 00D8")
            + b"\0abstract".ljust(108, b"\0")
            + b"/run/smtp".ljust(108, b"\0"),
        ),
    ],
)
def test_headers_as_they_are_sent(header: ProxyHeader, expected: bytes) -> None:
    assert header.to_bytes() == expected


def test_the_checksum() -> None:
    """The published check value of CRC-32C; in a header it stands last, over zeros in its place."""
    assert proxy_header_value.crc32c(b"123456789") == 0xE3069283
    block = ProxyHeader(**BETWEEN, checksum=True).to_bytes()
    assert block[14:16] == (12 + 7).to_bytes(2, "big")
    assert block[-7:-4] == b"\x03\x00\x04"
    assert int.from_bytes(block[-4:], "big") == proxy_header_value.crc32c(block[:-4] + bytes(4))


def test_addresses_take_their_usual_form() -> None:
    header = ProxyHeader(
        family=ProxyFamily.TCP6,
        source=Endpoint("2001:0DB8:0:0:0:0:0:1", 1),
        destination=Endpoint("::ffff:C000:201", 2),
    )
    assert header.source == Endpoint("2001:db8::1", 1)
    assert header.destination == Endpoint("::ffff:192.0.2.1", 2)


TLVS = (
    TLV(TLVType.ALPN, b"smtp"),
    TLV(TLVType.AUTHORITY, "mx.exämple".encode()),
    TLV(TLVType.UNIQUE_ID, b"u" * 128),
    TLV(TLVType.NETNS, b"blue"),
    ProxySSL(
        7,
        0,
        (
            TLV(TLVType.SSL_VERSION, b"TLSv1.3"),
            TLV(TLVType.SSL_CN, "Jörg".encode()),
            TLV(TLVType.SSL_CIPHER, b"TLS_AES_256_GCM_SHA384"),
            TLV(TLVType.SSL_CLIENT_CERT, b"\x30\x82"),
        ),
    ).to_tlv(),
    TLV(0xE0, b"\xff\x00"),
)


def test_what_tlvs_say() -> None:
    header = ProxyHeader(**BETWEEN, tlvs=TLVS)
    assert header.authority == "mx.exämple"
    assert header.get(TLVType.ALPN) == b"smtp"
    assert header.get(0xE0) == b"\xff\x00"
    assert header.ssl is not None
    assert header.ssl.tls
    assert header.ssl.version == "TLSv1.3"
    assert header.ssl.cipher == "TLS_AES_256_GCM_SHA384"
    assert header.ssl.common_name == "Jörg"


def test_what_no_tlv_says() -> None:
    header = ProxyHeader(**BETWEEN)
    assert [header.authority, header.get(TLVType.ALPN), header.ssl] == [None] * 3
    ssl = ProxySSL(0, 1)
    assert [ssl.version, ssl.cipher, ssl.common_name] == [None] * 3


@pytest.mark.parametrize(
    "client, verify, tls, verified",
    [
        (0, 0, False, False),
        (1, 0, True, False),  # no certificate, so nothing that is verified
        (3, 0, True, True),
        (5, 0, True, True),
        (7, 1, True, False),
    ],
)
def test_who_is_verified(client: int, verify: int, tls: bool, verified: bool) -> None:
    ssl = ProxySSL(client, verify)
    assert (ssl.tls, ssl.verified) == (tls, verified)


def end(address: str, port: int = 0) -> Endpoint:
    return Endpoint(address, port)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"version": 3}, "version 1 or 2"),
    ({"version": 1, "local": True}, "version 1"),
    ({"version": 1, "checksum": True}, "version 1"),
    ({"version": 1, "tlvs": (TLV(4, b""),)}, "version 1"),
    ({"version": 1, **BETWEEN, "family": ProxyFamily.UDP4}, "version 1"),
    ({"local": True, **BETWEEN}, "LOCAL"),
    ({"local": True, "tlvs": (TLV(4, b""),)}, "LOCAL"),
    ({"local": True, "checksum": True}, "LOCAL"),
    ({"tlvs": (TLV(TLVType.CRC32C, bytes(4)),)}, "CRC32C"),
    ({"tlvs": (TLV(0xE0, bytes(65533)),)}, "65535 octets, found 65536"),
    ({"tlvs": (TLV(0xE0, bytes(65530)),), "checksum": True}, "65535 octets"),
    ({"source": CLIENT}, "source and destination"),
    ({"destination": CLIENT}, "source and destination"),
    ({**BETWEEN, "source": None}, "source and destination"),
    ({**BETWEEN, "source": CLIENT6}, "an IPv4 address"),
    ({**BETWEEN, "source": end("192.0.2.01")}, "an IPv4 address"),
    ({**BETWEEN, "source": end("192.0.2.1", 65536)}, "a port"),
    ({**BETWEEN, "source": end("192.0.2.1", -1)}, "a port"),
    ({**BETWEEN, "family": ProxyFamily.TCP6}, "an IPv6 address"),
    ({**BETWEEN, "family": ProxyFamily.UDP6, "source": end("fe80::1%eth0")}, "without a zone"),
    *(
        (
            {"family": ProxyFamily.UNIX_DGRAM, "source": unix, "destination": end("/x")},
            "a path",
        )
        for unix in (end("a" * 109), end("a", 1), end("a\0b"), end("\0"), end("\ud800"))
    ),
]


@pytest.mark.parametrize("fields, complaint", WRONG)
def test_what_a_header_cannot_say(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(LocalProtocolError, match=complaint) as raised:
        ProxyHeader(**fields)
    assert "proxy-protocol.txt section 2" in str(raised.value)
    assert len(str(raised.value)) < 400


SSL_IN_SSL = b"\x01\0\0\0\0" + b"\x20\0\5" + b"\x01\0\0\0\0"


@pytest.mark.parametrize(
    "kind, value, complaint",
    [
        (256, b"", "a type up to 255"),
        (-1, b"", "a type up to 255"),
        (0xE0, bytes(65536), "65535 octets"),
        (TLVType.UNIQUE_ID, bytes(129), "at most 128 octets"),
        (TLVType.AUTHORITY, b"\xff", "text"),
        (TLVType.NETNS, "é".encode(), "text"),
        (TLVType.SSL_VERSION, b"\x80", "text"),
        (TLVType.SSL_CN, b"\xc3", "text"),
        (TLVType.SSL_SIG_SCHEME, b"\x80", "text"),
        (TLVType.SSL, bytes(4), "at least 5 octets"),
        (TLVType.SSL, bytes(6), "a whole TLV at octet 5"),
        (TLVType.SSL, bytes(5) + b"\x21\x00\x02a", "a whole TLV at octet 5"),
        (TLVType.SSL, bytes(5) + b"\x21\x00\x01\xff", "text"),
        (TLVType.SSL, SSL_IN_SSL, "no SSL within SSL"),
    ],
)
def test_what_a_tlv_cannot_be(kind: int, value: bytes, complaint: str) -> None:
    with pytest.raises(LocalProtocolError, match=complaint):
        TLV(kind, value)


@pytest.mark.parametrize("client, verify", [(-1, 0), (256, 0), (0, -1), (0, 1 << 32)])
def test_what_ssl_cannot_be(client: int, verify: int) -> None:
    with pytest.raises(LocalProtocolError, match="8 bits"):
        ProxySSL(client, verify)


@given(
    client=st.integers(0, 255),
    verify=st.integers(0, 0xFFFFFFFF),
    values=st.lists(st.binary(max_size=20)),
)
def test_ssl_round_trip(client: int, verify: int, values: list[bytes]) -> None:
    ssl = ProxySSL(client, verify, tuple(TLV(TLVType.SSL_CLIENT_CERT, v) for v in values))
    assert ProxySSL.parse(ssl.to_tlv().value) == ssl
