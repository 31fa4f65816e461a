"""Reading the header of the PROXY protocol, versions 1 and 2, and which peers may send one.

A proxy sends a header before anything else and names the client whose connection it passes on.
This follows HAProxy's proxy-protocol.txt, whose sections are named below; no RFC defines it.  With
such a header a peer chooses its own address.  So accept it from peers in `TrustedNetworks` only,
and only on listeners that are set to expect it: section 5 warns against guessing.
`proxy_header_value` has the values, and writes them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence

from ..errors import LocalProtocolError, RemoteProtocolError
from .proxy_header_value import (
    LOCAL,
    PROXY,
    V2,
    Border,
    Endpoint,
    ProxyFamily,
    ProxyHeader,
    TLVType,
    address_of,
    borders_of,
    crc32c,
    tlvs_of,
    wrong,
)

__all__ = ["ProxyReader", "TrustedNetworks"]

V1 = b"PROXY "
V1_LONGEST = 107
V1_SHORTEST = len(b"PROXY UNKNOWN\r\n")
V2_HEAD = 16

# No leading zero: some programs read such a number as octal (section 2.1).
_PORT = re.compile("0|[1-9][0-9]{0,4}")


class ProxyReader:
    """Reads one header of either version, and no octet behind it.

    After an error close the connection without a reply: the protocol of the peer is unknown
    (section 2.1).

    Arguments:
        limit: octets of TLVs to accept; the reader refuses a longer block by its announced length.
    """

    __slots__ = ("_closed", "_header", "_limit", "_octets")

    def __init__(self, *, limit: int = 4096) -> None:
        self._limit = limit
        self._octets = bytearray()
        self._header: ProxyHeader | None = None
        self._closed = False

    @property
    def wanted(self) -> int:
        """How many octets the caller can read from the peer without reading past the header.

        Call it after `read` has returned None.  It is for callers that cannot put octets back, as
        before a TLS handshake on the same socket.
        """
        octets = self._octets
        if self._header is not None:
            return 0
        if not octets.startswith(b"\r"):
            return max(V1_SHORTEST - len(octets), 1 if octets.endswith(b"\r") else 2)
        length = 0 if len(octets) < V2_HEAD else int.from_bytes(octets[14:V2_HEAD], "big")
        return V2_HEAD + length - len(octets)

    @property
    def trailing(self) -> bytes:
        """The octets behind the header, once the header was read; else everything received."""
        return bytes(self._octets)

    def feed(self, data: bytes) -> None:
        """Add received octets; `b""` means that the peer closed the connection."""
        self._octets += data
        self._closed = self._closed or not data

    def read(self) -> ProxyHeader | None:
        """Return the header, or None if more octets must arrive.

        Raises:
            RemoteProtocolError: the octets are no header, or the peer closed within it.
        """
        if self._header is not None:
            return self._header
        octets = self._octets
        binary = octets.startswith(b"\r")
        try:
            size = _size_v2(octets, self._limit) if binary else _size_v1(octets)
            if size:
                head = bytes(octets[:size])
                self._header = _parse_v2(head) if binary else _parse_v1(head)
                del octets[:size]
            elif self._closed:
                raise wrong("a whole header", f"the end after {len(octets)} octets", "2.2")
        except LocalProtocolError as error:
            raise RemoteProtocolError(str(error), code=554, enhanced="5.5.0") from None
        return self._header


class TrustedNetworks:
    """The networks whose hosts may send a PROXY header; use `address in networks`.

    An IPv4 address equals its IPv6-mapped form (::ffff:192.0.2.1, RFC 4291 section 2.5.5.2), which
    sockets for both IP versions report.  Text that is no IP address is in no network.

    Arguments:
        networks: addresses and prefixes, such as "127.0.0.0/8" and "::1"; a single one may be
            given as a string.

    Raises:
        ValueError: one of them is neither, or has bits set behind the prefix.
    """

    __slots__ = ("_networks",)

    def __init__(self, networks: str | Iterable[str]) -> None:
        networks = (networks,) if isinstance(networks, str) else networks
        self._networks = tuple(map(_unmapped, networks))

    def __contains__(self, address: object) -> bool:
        if not isinstance(address, str):
            # `ipaddress` would accept a number as an address.
            return False
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(ip, ipaddress.IPv6Address):
            ip = ip.ipv4_mapped or ip
        return any(ip in network for network in self._networks)


def _unmapped(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Return the network, as IPv4 if all of it is mapped; a single address is a network too."""
    network = ipaddress.ip_network(text)
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.IPv4Network((mapped, network.prefixlen - 96))
    return network


# --- version 1 ------------------------------------------------------------------------------------


def _size_v1(octets: bytearray) -> int:
    """Return the length of the line in octets; 0 if more must arrive."""
    line = bytes(octets[:V1_LONGEST])
    if not line.startswith(V1[: len(line)]):
        raise wrong("'PROXY' or the signature of version 2", line[: len(V2)], "2.2")
    cr, lf = line.find(b"\r"), line.find(b"\n")
    if lf < 0 and cr in (-1, len(line) - 1) and len(line) < V1_LONGEST:
        return 0
    if lf < 0 or cr != lf - 1:
        raise wrong("CRLF within 107 octets, no other CR or LF", line, "2.1")
    return lf + 1


def _parse_v1(line: bytes) -> ProxyHeader:
    words = line[:-2].split(b" ")
    if words[1] == b"UNKNOWN":
        # The specification says to ignore the rest of the line.
        return ProxyHeader(version=1)
    if words[1] not in (b"TCP4", b"TCP6") or len(words) != 6 or not line.isascii():
        raise wrong("TCP4 or TCP6, two addresses and two ports, or UNKNOWN", line, "2.1")
    _, family, source, destination, *ports = (word.decode("ascii") for word in words)
    if not all(map(_PORT.fullmatch, ports)):
        raise wrong("ports in decimal digits", line, "2.1")
    return ProxyHeader(
        version=1,
        family=ProxyFamily[family],
        source=Endpoint(source, int(ports[0])),
        destination=Endpoint(destination, int(ports[1])),
    )


# --- version 2 ------------------------------------------------------------------------------------


def _size_v2(octets: bytearray, limit: int) -> int:
    """Return the length of the block in octets; 0 if more must arrive."""
    if not V2.startswith(octets[: len(V2)]):
        raise wrong("the signature of version 2", bytes(octets[: len(V2)]), "2.2")
    if len(octets) > len(V2) and octets[len(V2)] not in (LOCAL, PROXY):
        raise wrong("version 2 and LOCAL or PROXY", hex(octets[len(V2)]), "2.2")
    if len(octets) < V2_HEAD:
        return 0
    length = int.from_bytes(octets[14:V2_HEAD], "big")
    least = _family(octets).block_octets
    if not least <= length <= least + limit:
        raise wrong(f"a length from {least} to {least + limit}", length, "2.2")
    return V2_HEAD + length if len(octets) >= V2_HEAD + length else 0


def _family(octets: Sequence[int]) -> ProxyFamily:
    """Return the family of a block; UNSPEC for combinations that are valid but meaningless here."""
    command, value = octets[len(V2)], octets[len(V2) + 1]
    if command == LOCAL:
        return ProxyFamily.UNSPEC
    if value >> 4 > 3 or value & 0xF > 2:
        raise wrong("a family up to 3 and a protocol up to 2", hex(value), "2.2")
    return next((family for family in ProxyFamily if family.value == value), ProxyFamily.UNSPEC)


def _parse_v2(block: bytes) -> ProxyHeader:
    if block[len(V2)] == LOCAL:
        # The specification says to discard the rest.
        return ProxyHeader(local=True)
    family = _family(block)
    size, first = family.address_octets, V2_HEAD + family.block_octets
    source = destination = None
    if family is ProxyFamily.UNSPEC:
        borders = _borders_if_any(block)
    else:
        addresses = [_unpack(family, block[at : at + size]) for at in (V2_HEAD, V2_HEAD + size)]
        at = V2_HEAD + 2 * size
        # A Unix socket has no ports, and no octets for them.
        ports = [int.from_bytes(block[i : min(i + 2, first)], "big") for i in (at, at + 2)]
        source, destination = map(Endpoint, addresses, ports)
        borders = borders_of(block, first)
    return ProxyHeader(
        family=family,
        source=source,
        destination=destination,
        checksum=_verify(block, borders),
        tlvs=tlvs_of(block, [border for border in borders if border[0] != TLVType.CRC32C]),
    )


def _unpack(family: ProxyFamily, octets: bytes) -> str:
    if family.version:
        return address_of(family, str(ipaddress.ip_address(octets)))
    # A path ends at the first NUL; the name of an abstract socket begins with one.
    path = octets.rstrip(b"\0") if octets.startswith(b"\0") else octets.partition(b"\0")[0]
    return path.decode("utf-8", "surrogateescape")


def _borders_if_any(block: bytes) -> list[Border]:
    """Find the TLVs of a block without a family, which may hold unreadable octets."""
    if block[len(V2) + 1] != ProxyFamily.UNSPEC.value:
        # Addresses of unknown length come before the TLVs.
        return []
    try:
        return borders_of(block, V2_HEAD)
    except LocalProtocolError:
        return []


def _verify(block: bytes, borders: list[Border]) -> bool:
    """Return whether there is a checksum; raise an error if it is wrong (section 2.2.3)."""
    found = [(begin, end) for kind, begin, end in borders if kind == TLVType.CRC32C]
    if not found:
        return False
    begin, end = found[0]
    if len(found) > 1 or end - begin != 4:
        raise wrong("one CRC32C of 4 octets", f"{len(found)}, of {end - begin} octets", "2.2.3")
    right = crc32c(block[:begin] + bytes(4) + block[end:])
    if int.from_bytes(block[begin:end], "big") != right:
        raise wrong(f"the checksum {right:08x}", block[begin:end].hex(), "2.2.3")
    return True
