"""Octets on the wire: lines, dot transparency, counted chunks (RFC 5321 sections 2.3.8 and 4.5.2).

One buffer holds the octets from the peer.  The reader for the current state takes its own octets
out of it and leaves the rest, so a change of framing loses nothing.  This folder knows no command,
no reply and no state.  The files of the PROXY header are imported by their own names, as few
sessions have one.
"""

from __future__ import annotations

from .bdat_chunks import CountedReader, CountedText
from .buffer import ContentEnd, ReceiveBuffer
from .dots import DotDecoder, DotEncoder
from .line_endings import LineEndings, LineFault
from .line_reader import BadLine, LineReader

__all__ = [
    "BadLine",
    "ContentEnd",
    "CountedReader",
    "CountedText",
    "DotDecoder",
    "DotEncoder",
    "LineEndings",
    "LineFault",
    "LineReader",
    "ReceiveBuffer",
]
