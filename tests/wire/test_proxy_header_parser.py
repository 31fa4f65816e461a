from __future__ import annotations

import itertools
from collections.abc import Container
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smtpproto.errors import RemoteProtocolError
from smtpproto.wire.proxy_header_parser import ProxyReader, TrustedNetworks
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
ADDRESSES = bytes.fromhex("C0000201 C6336402 DC04 0019")
BETWEEN = ProxyHeader(family=ProxyFamily.TCP4, source=CLIENT, destination=SERVER)


def block(
    body: bytes = b"", *, command: int = 0x21, family: int = 0x11, length: int | None = None
) -> bytes:
    """A block of version 2, right or wrong."""
    size = len(body) if length is None else length
    return SIGNATURE + bytes([command, family]) + size.to_bytes(2, "big") + body


def read(octets: bytes, **options: Any) -> ProxyHeader | None:
    reader = ProxyReader(**options)
    reader.feed(octets)
    return reader.read()


def refused(octets: bytes, **options: Any) -> str:
    with pytest.raises(RemoteProtocolError) as raised:
        read(octets, **options)
    return str(raised.value)


# --- version 1 ------------------------------------------------------------------------------------


def inet(source: Endpoint, destination: Endpoint, *, version: int = 4) -> ProxyHeader:
    family = ProxyFamily.TCP4 if version == 4 else ProxyFamily.TCP6
    return ProxyHeader(version=1, family=family, source=source, destination=destination)


@pytest.mark.parametrize(
    "line, expected",
    [
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\n", inet(CLIENT, SERVER)),
        (
            b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
            inet(*[Endpoint("255.255.255.255", 65535)] * 2),
        ),
        (b"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", inet(*[Endpoint("0.0.0.0", 0)] * 2)),
        (
            b"PROXY TCP6 2001:DB8::1 2001:0db8:0000::2 4124 25\r\n",
            inet(Endpoint("2001:db8::1", 4124), Endpoint("2001:db8::2", 25), version=6),
        ),
        (
            b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c633:6402 1 25\r\n",
            inet(Endpoint("::ffff:192.0.2.1", 1), Endpoint("::ffff:198.51.100.2", 25), version=6),
        ),
        (b"PROXY UNKNOWN\r\n", ProxyHeader(version=1)),
        (b"PROXY UNKNOWN \xff\xff whatever 65536 \r\n", ProxyHeader(version=1)),
        (b"PROXY UNKNOWN " + b"f" * 91 + b"\r\n", ProxyHeader(version=1)),
    ],
)
def test_version_1(line: bytes, expected: ProxyHeader) -> None:
    assert len(line) <= 107
    assert read(line) == expected


@pytest.mark.parametrize(
    "line, complaint",
    [
        (b"EHLO client.example\r\n", "'PROXY'"),
        (b"E", "'PROXY'"),
        (b"PROXI", "'PROXY'"),
        (b"proxy TCP4", "'PROXY'"),
        (b"PROXY\r\n", "'PROXY'"),
        (b"\x16\x03\x01", "'PROXY'"),  # a TLS handshake
        (b"PROXY \r\n", "TCP4 or TCP6"),
        (b"PROXY  UNKNOWN\r\n", "TCP4 or TCP6"),
        (b"PROXY UNKNOWNS\r\n", "TCP4 or TCP6"),
        (b"PROXY unknown\r\n", "TCP4 or TCP6"),
        (b"PROXY UDP4 1.2.3.4 1.2.3.5 1 2\r\n", "TCP4 or TCP6"),
        (b"PROXY TCP4\r\n", "two addresses"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.5 1\r\n", "two addresses"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.5 1 2 \r\n", "two addresses"),
        (b"PROXY TCP4 1.2.3.4  1.2.3.5 1 2\r\n", "two addresses"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.5 1 2 3\r\n", "two addresses"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.5 1 \xb2\r\n", "two addresses"),
        (b"PROXY TCP4 ::1 ::1 1 2\r\n", "an IPv4 address"),
        (b"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n", "an IPv4 address"),
        (b"PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n", "an IPv4 address"),
        (b"PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n", "an IPv4 address"),
        (b"PROXY TCP4 1.2.3.4/8 1.2.3.4 1 2\r\n", "an IPv4 address"),
        (b"PROXY TCP6 1.2.3.4 ::1 1 2\r\n", "an IPv6 address"),
        (b"PROXY TCP6 ::1 1::2::3 1 2\r\n", "an IPv6 address"),
        (b"PROXY TCP6 fe80::1%1 ::1 1 2\r\n", "without a zone"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.5 01 2\r\n", "decimal digits"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.5 1 -2\r\n", "decimal digits"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.5 1 0x2\r\n", "decimal digits"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.5  2\r\n", "decimal digits"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.5 1 65536\r\n", "65535"),
        (b"PROXY UNKNOWN\n", "CRLF"),
        (b"PROXY UNKNOWN\n\r\n", "CRLF"),
        (b"PROXY UNKNOWN\rx", "CRLF"),
        (b"PROXY UNKNOWN\r\r\n", "CRLF"),
        (b"PROXY UNKNOWN a\rb\r\n", "CRLF"),
        (b"PROXY UNKNOWN " + b"f" * 92 + b"\r\n", "107"),
        (b"PROXY UNKNOWN " + b"f" * 93, "107"),
    ],
)
def test_what_is_not_version_1(line: bytes, complaint: str) -> None:
    assert complaint in refused(line)


# --- version 2 ------------------------------------------------------------------------------------

SSL = ProxySSL(1, 0, (TLV(TLVType.SSL_VERSION, b"TLSv1.3"),)).to_tlv()


@pytest.mark.parametrize(
    "octets, expected",
    [
        (block(ADDRESSES), BETWEEN),
        (block(ADDRESSES, family=0x12), {"family": ProxyFamily.UDP4}),
        (
            block(ADDRESSES + b"\x20\0\x0f\x01\0\0\0\0\x21\0\x07TLSv1.3" + b"\xea\0\1\0"),
            {"tlvs": (SSL, TLV(0xEA, b"\0"))},
        ),
        # The proxy speaks for itself: all but the length is to be ignored.
        (block(command=0x20, family=0), ProxyHeader(local=True)),
        (block(b"\xffanything\xff", command=0x20, family=0xFF), ProxyHeader(local=True)),
        (block(family=0), ProxyHeader()),
        (block(b"\x01\0\1h", family=0), ProxyHeader(tlvs=(TLV(TLVType.ALPN, b"h"),))),
        (block(b"\x01\0\2h", family=0), ProxyHeader()),
        # Valid, but without a meaning that could be used.
        *((block(ADDRESSES, family=f), ProxyHeader()) for f in (0x01, 0x02, 0x10, 0x20, 0x30)),
    ],
)
def test_version_2(octets: bytes, expected: ProxyHeader | dict[str, Any]) -> None:
    if isinstance(expected, dict):
        expected = ProxyHeader(
            **{"family": BETWEEN.family, "source": CLIENT, "destination": SERVER, **expected}
        )
    assert read(octets) == expected


@pytest.mark.parametrize(
    "source, destination, expected",
    [
        (b"/run/client", b"/run/server", ("/run/client", "/run/server")),
        (b"", b"\0abstract\0name", ("", "\0abstract\0name")),
        (b"/x\0what was there before", b"\xff" * 108, ("/x", "\udcff" * 108)),
    ],
)
def test_unix_sockets(source: bytes, destination: bytes, expected: tuple[str, str]) -> None:
    body = source.ljust(108, b"\0") + destination.ljust(108, b"\0")
    header = read(block(body + b"\x04\0\0", family=0x31))
    assert header == ProxyHeader(
        family=ProxyFamily.UNIX_STREAM,
        source=Endpoint(expected[0]),
        destination=Endpoint(expected[1]),
        tlvs=(TLV(TLVType.NOOP, b""),),
    )


@pytest.mark.parametrize(
    "octets, complaint",
    [
        (b"\r\n\r\n\0\r\nQUIZ", "the signature"),
        (b"\rEHLO", "the signature"),
        (SIGNATURE + b"\x11", "version 2"),
        (SIGNATURE + b"\x31", "version 2"),
        (SIGNATURE + b"\x22", "LOCAL or PROXY"),
        (block(family=0x41), "a family up to 3"),
        (block(family=0x13), "a family up to 3"),
        (block(ADDRESSES[:-1]), "a length from 12"),
        (block(family=0x21, length=35), "a length from 36"),
        (block(family=0x32, length=215), "a length from 216"),
        (block(ADDRESSES + b"\x04"), "a whole TLV at octet 28"),
        (block(ADDRESSES + b"\x04\0"), "a whole TLV"),
        (block(ADDRESSES + b"\x04\0\1"), "a whole TLV"),
        (block(ADDRESSES + b"\x04\0\0\x02\0\2a"), "a whole TLV at octet 31"),
        (block(ADDRESSES + b"\x02\0\1\xff"), "text"),
        (block(ADDRESSES + b"\x05\0\x81" + bytes(129)), "128 octets"),
        (block(ADDRESSES + b"\x20\0\4" + bytes(4)), "at least 5 octets"),
        (block(ADDRESSES + b"\x03\0\3" + bytes(3)), "CRC32C of 4 octets"),
        (block(ADDRESSES + 2 * (b"\x03\0\4" + bytes(4))), "one CRC32C"),
        (block(ADDRESSES + b"\x03\0\4" + bytes(4)), "the checksum"),
        (block(b"\x03\0\4" + bytes(4), family=0), "the checksum"),
    ],
)
def test_what_is_not_version_2(octets: bytes, complaint: str) -> None:
    assert complaint in refused(octets)


def test_the_checksum_is_verified_wherever_it_stands() -> None:
    header = ProxyHeader(
        family=BETWEEN.family,
        source=CLIENT,
        destination=SERVER,
        tlvs=(TLV(TLVType.ALPN, b"smtp"),),
        checksum=True,
    )
    octets = header.to_bytes()
    assert read(octets) == header
    for place in range(16, len(octets)):
        spoiled = octets[:place] + bytes([octets[place] ^ 1]) + octets[place + 1 :]
        # A spoiled type or length of the checksum itself hides that there is one.
        assert place >= len(octets) - 7 or refused(spoiled)
    assert "the checksum" in refused(octets[:-1] + bytes([octets[-1] ^ 1]))


def test_nesting_has_no_end_that_could_be_reached() -> None:
    value = b""
    while len(value) < 4000:
        value = b"\x20" + (5 + len(value)).to_bytes(2, "big") + bytes(5) + value
    assert "no SSL within SSL" in refused(block(ADDRESSES + value))


# --- both -----------------------------------------------------------------------------------------


def test_too_many_tlvs_are_refused_before_they_arrive() -> None:
    assert "a length from 12 to 4108" in refused(block(length=12 + 4097))
    assert read(block(length=12 + 4096)) is None
    assert "a length from 0 to 4096" in refused(block(length=65535, command=0x20))
    assert read(block(length=65535), limit=65535) is None
    assert refused(block(length=13), limit=0)


def test_errors_repeat_themselves_and_tell_the_server_what_to_do() -> None:
    reader = ProxyReader()
    reader.feed(b"EHLO x\r\n")
    for _ in range(2):
        with pytest.raises(RemoteProtocolError) as raised:
            reader.read()
        assert (raised.value.code, raised.value.enhanced) == (554, "5.5.0")
    assert reader.trailing == b"EHLO x\r\n"


WHOLE = [
    b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\n",
    b"PROXY UNKNOWN\r\n",
    b"PROXY UNKNOWN x\r\n",
    BETWEEN.to_bytes(),
    block(command=0x20),
    block(ADDRESSES + SSL.to_bytes()),
]


@pytest.mark.parametrize("octets", WHOLE)
def test_a_peer_that_closes_within_the_header(octets: bytes) -> None:
    for size in range(len(octets)):
        reader = ProxyReader()
        if size:
            reader.feed(octets[:size])
        assert reader.read() is None
        reader.feed(b"")
        with pytest.raises(RemoteProtocolError, match=f"the end after {size} octets"):
            reader.read()
    reader = ProxyReader()
    reader.feed(octets)
    reader.feed(b"")
    assert reader.read() is not None


PORTS = st.integers(0, 65535)
ENDS = {
    4: st.builds(Endpoint, st.ip_addresses(v=4).map(str), PORTS),
    6: st.builds(Endpoint, st.ip_addresses(v=6).map(str), PORTS),
    0: st.builds(Endpoint, st.text("/a\0ü", max_size=50).filter(lambda s: "\0" not in s)),
}
TLVS = st.lists(
    st.builds(TLV, st.sampled_from([1, 4, 0x28, 0xE0, 0xFF]), st.binary(max_size=40))
    | st.builds(TLV, st.just(TLVType.UNIQUE_ID), st.binary(max_size=128))
    | st.builds(TLV, st.just(TLVType.AUTHORITY), st.text(max_size=9).map(str.encode))
    | st.just(SSL),
    max_size=5,
).map(tuple)


@st.composite
def headers(draw: st.DrawFn) -> ProxyHeader:
    version = draw(st.sampled_from([1, 2]))
    plain = [ProxyFamily.UNSPEC, ProxyFamily.TCP4, ProxyFamily.TCP6]
    family = draw(st.sampled_from(plain if version == 1 else list(ProxyFamily)))
    fields: dict[str, Any] = {"version": version, "family": family}
    if family is not ProxyFamily.UNSPEC:
        fields["source"] = draw(ENDS[family.version])
        fields["destination"] = draw(ENDS[family.version])
    elif version == 2 and draw(st.booleans()):
        return ProxyHeader(local=True)
    if version == 2:
        fields["tlvs"] = draw(TLVS)
        fields["checksum"] = draw(st.booleans())
    return ProxyHeader(**fields)


@given(header=headers(), trailing=st.binary(max_size=30), places=st.lists(st.integers(0, 200)))
def test_round_trip_in_any_split(header: ProxyHeader, trailing: bytes, places: list[int]) -> None:
    octets = header.to_bytes() + trailing
    borders = [0, *sorted(place % (len(octets) + 1) for place in places), len(octets)]
    pieces = [octets[a:b] for a, b in itertools.pairwise(borders)]
    for split in ([octets], pieces, [octets[i : i + 1] for i in range(len(octets))]):
        reader = ProxyReader()
        fed = 0
        for piece in filter(None, split):
            reader.feed(piece)
            fed += len(piece)
            found = reader.read()
            # It is there with its last octet, neither before nor later, and stays.
            assert found == (header if fed >= len(octets) - len(trailing) else None)
        assert reader.trailing == trailing


@given(header=headers(), trailing=st.binary(min_size=1, max_size=200))
@example(ProxyHeader(version=1), b"EHLO x\r\n")
def test_what_is_wanted_reaches_the_end_and_not_beyond(
    header: ProxyHeader, trailing: bytes
) -> None:
    octets = header.to_bytes()
    link = octets + trailing
    reader = ProxyReader()
    reads = 0
    while reader.read() is None:
        wanted = reader.wanted
        assert wanted > 0
        reader.feed(link[:wanted])
        link = link[wanted:]
        reads += 1
    assert link == trailing
    assert reader.trailing == b""
    assert reader.wanted == 0
    assert reads <= (3 if header.version == 2 else 50)


STARTS = st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", b"PROXY TCP6 ::1 ", SIGNATURE])
BLOCKS = st.builds(
    lambda body, command, family, more: block(
        body, command=command, family=family, length=max(0, len(body) + more)
    ),
    st.binary(max_size=300) | TLVS.map(lambda t: ADDRESSES + b"".join(v.to_bytes() for v in t)),
    st.sampled_from([0x20, 0x21, 0x21, 0x21, 0x22]),
    st.sampled_from([0, 0x11, 0x11, 0x21, 0x31, 0x10, 0x41]),
    st.integers(-2, 2),
)
ANYTHING = st.one_of(
    st.builds(bytes.__add__, STARTS, st.binary(max_size=150)),
    st.builds(bytes.__add__, STARTS, st.text(" .:0123456789af%\r\n", max_size=120).map(str.encode)),
    BLOCKS,
)


def outcome(octets: bytes, step: int) -> tuple[ProxyHeader | str | None, bytes]:
    """What a reader makes of octets that come in pieces; it stops at the first error."""
    reader = ProxyReader()
    found: ProxyHeader | str | None = None
    for place in range(0, len(octets), step):
        reader.feed(octets[place : place + step])
        try:
            found = reader.read()
        except RemoteProtocolError as error:
            return "refused" if len(str(error)) < 400 else "refused at great length", b""
    return found, reader.trailing


@given(octets=ANYTHING)
def test_any_octets_are_a_header_or_refused(octets: bytes) -> None:
    whole, left = outcome(octets, max(1, len(octets)))
    assert whole != "refused at great length"
    assert outcome(octets, 1) == (whole, left)
    assert outcome(octets, 7) == (whole, left)
    if isinstance(whole, ProxyHeader):
        taken = len(octets) - len(left)
        assert left == octets[taken:]
        # What was accepted can be said again, and means the same.
        assert read(whole.to_bytes()) == whole


# --- whom to believe ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "networks, inside, outside",
    [
        ("127.0.0.0/8", ["127.0.0.1", "127.255.0.1", "::ffff:127.0.0.1"], ["128.0.0.1", "::1"]),
        (["::1"], ["::1", "::1%lo", "0:0:0:0:0:0:0:1"], ["::2", "127.0.0.1", "0.0.0.1"]),
        (["192.0.2.7"], ["192.0.2.7", "::ffff:c000:207"], ["192.0.2.6"]),
        (["::ffff:192.0.2.0/120"], ["192.0.2.7", "::ffff:192.0.2.7"], ["192.0.3.7"]),
        (["::ffff:0:0/96"], ["192.0.2.7"], ["::1"]),
        (["fe80::/10"], ["fe80::1", "fe80::1%eth0"], ["10.0.0.1", "2001:db8::1"]),
        (["::/0"], ["::1", "2001:db8::1"], ["192.0.2.1", "::ffff:192.0.2.1"]),
        (["0.0.0.0/0", "::/0"], ["192.0.2.1", "::1"], ["", "/run/x.sock", "10.0.0.0/8", "mx"]),
        ([], [], ["127.0.0.1", "::1", ""]),
    ],
)
def test_trusted_networks(networks: str | list[str], inside: list[str], outside: list[str]) -> None:
    trusted = TrustedNetworks(networks)
    assert [address for address in inside if address not in trusted] == []
    assert [address for address in outside if address in trusted] == []


def test_trusted_networks_are_a_container_of_text() -> None:
    trusted = TrustedNetworks(["127.0.0.1"])
    container: Container[str] = trusted
    assert "127.0.0.1" in container
    for other in (0x7F000001, b"\x7f\0\0\1", None):
        assert other not in trusted


@pytest.mark.parametrize("network", ["localhost", "127.0.0.1/8", "10.0.0.0/33", "", "1.2.3"])
def test_networks_that_are_none(network: str) -> None:
    with pytest.raises(ValueError):
        TrustedNetworks(["::1", network])
