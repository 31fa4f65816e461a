"""Octets on the wire: lines, dot transparency, counted chunks (RFC 5321 sections 2.3.8 and 4.5.2).

One buffer holds what came from the peer; the reader that the state calls for takes out of it what
is its own and leaves the rest untouched, so a change of framing loses and moves nothing.  Nothing
here knows a command, a reply or a state.
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
