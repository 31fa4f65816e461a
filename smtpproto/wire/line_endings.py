"""Policies for a bare CR or LF, and how to find and convert them (RFC 5321 section 2.3.8).

`wire/line_reader.py` refuses them in command lines.  In content `engine/server_content.py` refuses
them on a server, and `wire/dots.py` on a client.
"""

from __future__ import annotations

import re
from enum import Enum

__all__ = ["CR", "LF", "NUL", "LineEndings", "LineFault", "first_fault", "is_clean", "normalize"]

# Numbers, because CPython 3.11 takes twenty times as long to search for an octet given as `bytes`:
# it creates an error first and drops it.
NUL, LF, CR = b"\0\n\r"


class LineEndings(Enum):
    """What happens to a CR or LF that is not part of a CRLF (RFC 5321 section 2.3.8).

    No policy makes two commands or two messages of one: under all of them a line ends with CRLF and
    a message with CRLF.CRLF.
    """

    REFUSE = "refuse"
    """The server refuses the line, or the whole message."""
    NORMALIZE = "normalize"
    """In content the reader converts each to CRLF, but only after it has found the end of the
    content and removed the dots, so the new lines are data.  In command lines the same as `REFUSE`:
    a reader that goes on after a bare LF sees two commands where a strict peer sent one."""
    PRESERVE = "preserve"
    """In content both are ordinary octets.  In command lines a `Server` refuses them.  For
    receiving only: RFC 5321 section 2.3.8 forbids to send them."""


class LineFault(Enum):
    """Why a line or content is refused."""

    TOO_LONG = "too long"
    BARE_CR = "bare CR"
    BARE_LF = "bare LF"
    NUL = "NUL"


_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


# Each octet as 1 or 0: is it a CR, is it an LF?
_CRS = bytes([octet == CR for octet in range(256)])
_LFS = bytes([octet == LF for octet in range(256)])
# `is_clean` counts the LFs in so many octets.  More than `_MANY` mean lines of less than 16 octets.
_SAMPLE, _MANY = 2048, 128


def is_clean(octets: bytes) -> bool:
    """Return whether each CR and LF is part of a CRLF; the octets must not begin or end within one.

    Removing the CRs and putting one before each LF must give the same octets.  For short lines,
    comparing positions is faster: those of the CRs, moved by one, must be those of the LFs.
    """
    if LF not in octets and CR not in octets:
        return True
    if len(octets) <= _SAMPLE or octets.count(LF, 0, _SAMPLE) <= _MANY:
        return octets.replace(b"\r", b"").replace(b"\n", b"\r\n") == octets
    return b"\0" + octets.translate(_CRS) == octets.translate(_LFS) + b"\0"


def first_fault(octets: bytes) -> tuple[int, LineFault]:
    """Return the position and kind of the first bare CR or LF; there must be one."""
    match = _BARE.search(octets)
    assert match is not None
    return match.start(), LineFault.BARE_CR if match[0] == b"\r" else LineFault.BARE_LF


def normalize(octets: bytes) -> bytes:
    """Convert each bare CR and LF to CRLF; the octets must not begin or end within a CRLF."""
    if CR not in octets:
        # Text with Unix line endings; five times faster than the general way below.
        return octets.replace(b"\n", b"\r\n")
    # For bytes, unlike str, `splitlines` knows only these three line endings.
    lines = octets.splitlines()
    if octets.endswith((b"\r", b"\n")):
        lines.append(b"")
    return b"\r\n".join(lines)
