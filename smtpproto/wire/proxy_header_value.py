"""The header of the PROXY protocol as a value, and how to write it: versions 1 and 2.

`proxy_header_parser` reads it.  This follows HAProxy's proxy-protocol.txt, whose sections are named
below; no RFC defines it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, IntEnum

from ..errors import LocalProtocolError

__all__ = ["TLV", "Endpoint", "ProxyFamily", "ProxyHeader", "ProxySSL", "TLVType"]

V2 = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL, PROXY = 0x20, 0x21
UNIX_PATH = 108


class ProxyFamily(Enum):
    """What the client uses to reach the proxy: address family and protocol (section 2.2)."""

    UNSPEC = 0x00
    TCP4 = 0x11
    UDP4 = 0x12
    TCP6 = 0x21
    UDP6 = 0x22
    UNIX_STREAM = 0x31
    UNIX_DGRAM = 0x32

    @property
    def version(self) -> int:
        """4 or 6 for the families of IP addresses, 0 for the others."""
        return {0x10: 4, 0x20: 6}.get(self.value & 0xF0, 0)

    @property
    def address_octets(self) -> int:
        """Octets of one address, without the port."""
        return {0x00: 0, 0x10: 4, 0x20: 16, 0x30: UNIX_PATH}[self.value & 0xF0]

    @property
    def block_octets(self) -> int:
        """Octets of two addresses with their ports."""
        return 2 * (self.address_octets + (2 if self.version else 0))


class TLVType(IntEnum):
    """The types with a defined meaning; 0x21 to 0x28 appear inside `SSL` (section 2.2.6)."""

    ALPN = 0x01
    AUTHORITY = 0x02
    CRC32C = 0x03
    NOOP = 0x04
    UNIQUE_ID = 0x05
    SSL = 0x20
    SSL_VERSION = 0x21
    SSL_CN = 0x22
    SSL_CIPHER = 0x23
    SSL_SIG_ALG = 0x24
    SSL_KEY_ALG = 0x25
    SSL_GROUP = 0x26
    SSL_SIG_SCHEME = 0x27
    SSL_CLIENT_CERT = 0x28
    NETNS = 0x30


# The types whose value is text; text is ASCII except in two of them (2.2.2, 2.2.6, 2.2.7).
_UTF8 = frozenset({TLVType.AUTHORITY, TLVType.SSL_CN})
_TEXT = _UTF8 | {TLVType.NETNS, *range(TLVType.SSL_VERSION, TLVType.SSL_CLIENT_CERT)}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a connection.

    Arguments:
        address: an IP address.  For a Unix socket its path; NUL begins an abstract one, and octets
            that cannot be decoded are surrogates.
        port: 0 to 65535; 0 for a Unix socket.
    """

    address: str
    port: int = 0


@dataclass(frozen=True, slots=True)
class TLV:
    """One additional fact in a header of version 2 (section 2.2).

    Arguments:
        type: from 0 to 255; see `TLVType`.
        value: at most 65,535 octets.

    Raises:
        LocalProtocolError: the type cannot be sent, or the value does not fit the type.
    """

    type: int
    value: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.type <= 0xFF or len(self.value) > 0xFFFF:
            raise wrong("a TLV of a type up to 255 with at most 65535 octets", self.type, "2.2")
        if self.type == TLVType.UNIQUE_ID and len(self.value) > 128:
            raise wrong("at most 128 octets of UNIQUE_ID", len(self.value), "2.2.5")
        if self.type in _TEXT:
            try:
                self.text()
            except UnicodeDecodeError:
                raise wrong(f"text in a TLV of type {self.type:#x}", self.value, "2.2") from None
        elif self.type == TLVType.SSL:
            ProxySSL.parse(self.value)

    def text(self) -> str:
        """The value as text."""
        return self.value.decode("utf-8" if self.type in _UTF8 else "ascii")

    def to_bytes(self) -> bytes:
        """Encode the TLV for a header."""
        return bytes([self.type]) + len(self.value).to_bytes(2, "big") + self.value


@dataclass(frozen=True, slots=True)
class ProxySSL:
    """What the proxy says about the client's TLS (section 2.2.6).

    Arguments:
        client: a sum of 1 (the client uses TLS), 2 (it sent a certificate on this connection) and
            4 (it sent a certificate at least once in this TLS session).
        verify: 0 if the certificate was verified.
        tlvs: details, such as version and cipher.

    Raises:
        LocalProtocolError: a number does not fit its field of 8 or 32 bits.
    """

    client: int
    verify: int
    tlvs: tuple[TLV, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.client <= 0xFF or not 0 <= self.verify <= 0xFFFFFFFF:
            raise wrong("a client of 8 bits and a verify of 32", self, "2.2.6")

    @classmethod
    def parse(cls, value: bytes) -> ProxySSL:
        """Read the value of a TLV of type SSL.

        Raises:
            LocalProtocolError: the value is malformed.
        """
        if len(value) < 5:
            raise wrong("at least 5 octets of SSL", len(value), "2.2.6")
        borders = borders_of(value, 5)
        if any(kind == TLVType.SSL for kind, _, _ in borders):
            # Refused before its value is read: otherwise a few octets could nest without end.
            raise wrong("no SSL within SSL", value, "2.2.6")
        return cls(value[0], int.from_bytes(value[1:5], "big"), tlvs_of(value, borders))

    def to_tlv(self) -> TLV:
        """Return it as a TLV of a header."""
        head = bytes([self.client]) + self.verify.to_bytes(4, "big")
        return TLV(TLVType.SSL, head + b"".join(tlv.to_bytes() for tlv in self.tlvs))

    @property
    def tls(self) -> bool:
        """Whether the client uses TLS."""
        return bool(self.client & 1)

    @property
    def verified(self) -> bool:
        """Whether the client sent a certificate and the proxy verified it."""
        # Some proxies also send 0 where there was no certificate to verify.
        return self.verify == 0 and bool(self.client & 6)

    @property
    def version(self) -> str | None:
        """Version of TLS, such as "TLSv1.3"."""
        return text_of(self.tlvs, TLVType.SSL_VERSION)

    @property
    def cipher(self) -> str | None:
        """Name of the cipher suite."""
        return text_of(self.tlvs, TLVType.SSL_CIPHER)

    @property
    def common_name(self) -> str | None:
        """Common name in the client's certificate; meaningful only if `verified`."""
        return text_of(self.tlvs, TLVType.SSL_CN)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyHeader:
    """What a proxy says about the connection that it passes on.

    Arguments:
        version: 1 or 2.
        local: the proxy speaks for itself, such as for a health check; the addresses of the
            connection itself are valid, and the header says nothing else.
        family: UNSPEC if the proxy does not know it; the addresses of the connection are valid.
        source: the client; None with UNSPEC.
        destination: the address that the client connected to; None with UNSPEC.
        tlvs: further facts, in order; version 2 only.
        checksum: whether the header has a CRC32C; the reader has verified it.

    Raises:
        LocalProtocolError: this version cannot express it.
    """

    version: int = 2
    local: bool = False
    family: ProxyFamily = ProxyFamily.UNSPEC
    source: Endpoint | None = None
    destination: Endpoint | None = None
    tlvs: tuple[TLV, ...] = ()
    checksum: bool = False

    def __post_init__(self) -> None:
        if self.version not in (1, 2):
            raise wrong("version 1 or 2", self.version, "2")
        plain = self.family in (ProxyFamily.UNSPEC, ProxyFamily.TCP4, ProxyFamily.TCP6)
        if self.version == 1 and (self.local or self.tlvs or self.checksum or not plain):
            raise wrong("version 1 to say TCP4, TCP6 or UNKNOWN and no more", self, "2.1")
        silent = self.family is ProxyFamily.UNSPEC and not self.tlvs and not self.checksum
        if self.local and not silent:
            raise wrong("LOCAL to say nothing else", self, "2.2")
        if any(tlv.type == TLVType.CRC32C for tlv in self.tlvs):
            raise wrong("CRC32C to be asked for by `checksum`", self.tlvs, "2.2.3")
        for name in ("source", "destination"):
            object.__setattr__(self, name, _endpoint(self.family, getattr(self, name)))
        octets = self.family.block_octets + sum(3 + len(tlv.value) for tlv in self.tlvs)
        if octets + 7 * self.checksum > 0xFFFF:
            raise wrong("addresses and TLVs of at most 65535 octets", octets, "2.2")

    def get(self, kind: int) -> bytes | None:
        """Return the value of the first TLV of a type, or None."""
        return next((tlv.value for tlv in self.tlvs if tlv.type == kind), None)

    @property
    def ssl(self) -> ProxySSL | None:
        """What the proxy says about the client's TLS, or None."""
        value = self.get(TLVType.SSL)
        return None if value is None else ProxySSL.parse(value)

    @property
    def authority(self) -> str | None:
        """The host name that the client asked for (SNI)."""
        return text_of(self.tlvs, TLVType.AUTHORITY)

    def to_bytes(self) -> bytes:
        """Encode the header; it must be sent at once and before anything else."""
        return self._line() if self.version == 1 else self._block()

    def _line(self) -> bytes:
        source, destination = self.source, self.destination
        if source is None or destination is None:
            return b"PROXY UNKNOWN\r\n"
        ends = f"{source.address} {destination.address} {source.port} {destination.port}"
        return f"PROXY {self.family.name} {ends}\r\n".encode("ascii")

    def _block(self) -> bytes:
        ends = [end for end in (self.source, self.destination) if end is not None]
        body = b"".join(_pack(self.family, end.address) for end in ends)
        if self.family.version:
            body += b"".join(end.port.to_bytes(2, "big") for end in ends)
        body += b"".join(tlv.to_bytes() for tlv in self.tlvs)
        if self.checksum:
            body += TLV(TLVType.CRC32C, bytes(4)).to_bytes()
        head = V2 + bytes([LOCAL if self.local else PROXY, self.family.value])
        block = head + len(body).to_bytes(2, "big") + body
        return block[:-4] + crc32c(block).to_bytes(4, "big") if self.checksum else block


def wrong(expected: str, found: object, section: str) -> LocalProtocolError:
    """Return the error for a header that is malformed or cannot be written."""
    # The found value comes from the network and may be of any length.
    return LocalProtocolError(
        f"PROXY header: expected {expected}, "
        f"found {found!r:.200} (proxy-protocol.txt section {section})"
    )


# --- addresses ------------------------------------------------------------------------------------


def _endpoint(family: ProxyFamily, end: Endpoint | None) -> Endpoint | None:
    """Return an end of a connection of this family, with its address in normal form."""
    if (end is None) is not (family is ProxyFamily.UNSPEC):
        raise wrong(f"source and destination to go with {family.name}", end, "2.2")
    if end is None:
        return None
    if family.version == 0:
        _check_path(end)
        return end
    if not 0 <= end.port <= 0xFFFF:
        raise wrong("a port up to 65535", end.port, "2.1")
    return Endpoint(address_of(family, end.address), end.port)


def _check_path(end: Endpoint) -> None:
    try:
        path = end.address.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise wrong("a path", end, "2.2") from None
    # NUL begins the name of an abstract socket, and pads paths shorter than the field.
    named = path.startswith(b"\0") or b"\0" not in path
    if end.port or len(path) > UNIX_PATH or path.endswith(b"\0") or not named:
        raise wrong("a path of at most 108 octets, no NUL in it, without a port", end, "2.2")


def address_of(family: ProxyFamily, text: str) -> str:
    """Return an IP address in normal form.

    Section 2.1 allows no dotted quad within an IPv6 address.  But inet_ntop writes mapped addresses
    that way, and so do proxies when an IPv4 client connects to a socket for both versions.
    """
    try:
        ip = ipaddress.IPv4Address(text) if family.version == 4 else ipaddress.IPv6Address(text)
    except ValueError:
        raise wrong(f"an IPv{family.version} address", text, "2.1") from None
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.scope_id is not None:
        raise wrong("an IPv6 address without a zone", text, "2.1")
    # Before Python 3.13 `str` writes mapped addresses without dots.
    return str(ip) if ip.ipv4_mapped is None else f"::ffff:{ip.ipv4_mapped}"


def _pack(family: ProxyFamily, address: str) -> bytes:
    if family.version:
        return ipaddress.ip_address(address).packed
    return address.encode("utf-8", "surrogateescape").ljust(UNIX_PATH, b"\0")


# --- TLVs -----------------------------------------------------------------------------------------


# Type, and where its value begins and ends in the octets around it.
Border = tuple[int, int, int]


def borders_of(octets: bytes, at: int) -> list[Border]:
    """Find the TLVs that fill the octets from `at` to the end."""
    borders = []
    while at < len(octets):
        begin = at + 3
        end = begin + int.from_bytes(octets[at + 1 : begin], "big")
        if begin > len(octets) or end > len(octets):
            raise wrong(f"a whole TLV at octet {at}", f"{len(octets) - at} octets", "2.2")
        borders.append((octets[at], begin, end))
        at = end
    return borders


def tlvs_of(octets: bytes, borders: list[Border]) -> tuple[TLV, ...]:
    """Return the TLVs at these places."""
    return tuple(TLV(kind, octets[begin:end]) for kind, begin, end in borders)


def text_of(tlvs: tuple[TLV, ...], kind: int) -> str | None:
    """Return the first text of a type, or None."""
    return next((tlv.text() for tlv in tlvs if tlv.type == kind), None)


def _crc_table() -> Iterator[int]:
    for octet in range(256):
        value = octet
        for _ in range(8):
            # The polynomial of RFC 4960 appendix B, with its bits in reverse order.
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        yield value


_CRC = tuple(_crc_table())


def crc32c(octets: bytes) -> int:
    """Compute the checksum of section 2.2.3."""
    value = 0xFFFFFFFF
    for octet in octets:
        value = value >> 8 ^ _CRC[(value ^ octet) & 0xFF]
    return value ^ 0xFFFFFFFF
