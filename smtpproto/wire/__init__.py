"""Octets on the wire: lines, dot transparency, counted chunks (RFC 5321 sections 2.3.8 and 4.5.2).

One buffer holds the octets from the peer.  The reader for the current state takes its own octets
out of it and leaves the rest, so a change of framing loses nothing.  This folder knows no command,
no reply and no state.
"""

from __future__ import annotations

from .buffer import ContentEnd, ReceiveBuffer
from .counted import CountedReader
from .counted_text import CountedText
from .dots import DotDecoder, DotEncoder
from .line_endings import LineEndings, LineFault
from .lines import BadLine, LineReader
from .proxy_header import TLV, Endpoint, ProxyFamily, ProxyHeader, ProxySSL, TLVType
from .proxy_reader import ProxyReader, TrustedNetworks

__all__ = [
    "TLV",
    "BadLine",
    "ContentEnd",
    "CountedReader",
    "CountedText",
    "DotDecoder",
    "DotEncoder",
    "Endpoint",
    "LineEndings",
    "LineFault",
    "LineReader",
    "ProxyFamily",
    "ProxyHeader",
    "ProxyReader",
    "ProxySSL",
    "ReceiveBuffer",
    "TLVType",
    "TrustedNetworks",
]
