"""Line endings: what a bare CR or LF is, and what a policy makes of it (RFC 5321 section 2.3.8)."""

from __future__ import annotations

import re
from enum import Enum

__all__ = ["CR", "LF", "NUL", "LineEndings", "LineFault", "first_fault", "is_clean", "normalize"]

# Numbers: to look for an octet given as `bytes`, CPython 3.11 first makes up an error and drops it,
# which takes twenty times as long.
NUL, LF, CR = b"\0\n\r"


class LineEndings(Enum):
    """What happens to a CR or LF that is not part of a CRLF (RFC 5321 section 2.3.8).

    No policy makes two commands of one, or two messages of one: a line ends with CRLF and a message
    with CRLF.CRLF under all of them.
    """

    REFUSE = "refuse"
    """The line, or the whole message, is refused."""
    NORMALIZE = "normalize"
    """In content each becomes a CRLF after the end of the content was found and dots were undone,
    so what it made a line of is data.  A command line is refused as by `REFUSE`: to read on behind
    a bare LF would make two commands out of what a strict peer sent as one."""
    PRESERVE = "preserve"
    """In content both are octets like others.  A `Server` refuses them in command lines
    nevertheless.  Only for receiving: nobody may send them (RFC 5321 section 2.3.8)."""


class LineFault(Enum):
    """Why a line is refused; why content is."""

    TOO_LONG = "too long"
    BARE_CR = "bare CR"
    BARE_LF = "bare LF"
    NUL = "NUL"


_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


# Each octet as 1 or 0: is it a CR, is it an LF?
_CRS = bytes([octet == 13 for octet in range(256)])


_LFS = bytes([octet == 10 for octet in range(256)])


def is_clean(octets: bytes) -> bool:
    """Whether each CR and LF is part of a CRLF; the octets must not begin or end within one.

    The CRs, moved by one place, must be the LFs.  To count CR, LF and CRLF takes twice as long for
    ordinary text.  Octets without either are found ten times faster.
    """
    if LF not in octets and CR not in octets:
        return True
    return b"\0" + octets.translate(_CRS) == octets.translate(_LFS) + b"\0"


def first_fault(octets: bytes) -> tuple[int, LineFault]:
    """Where the first bare CR or LF stands in octets that are not clean, and which it is."""
    match = _BARE.search(octets)
    assert match is not None
    return match.start(), LineFault.BARE_CR if match[0] == b"\r" else LineFault.BARE_LF


def normalize(octets: bytes) -> bytes:
    """Make a CRLF of each bare CR and LF; the octets must not begin or end within a CRLF."""
    if CR not in octets:
        # A file with line endings of Unix; five times faster than the way below.
        return octets.replace(b"\n", b"\r\n")
    # For bytes, other than for str, these three are all that ends a line.
    lines = octets.splitlines()
    if octets.endswith((b"\r", b"\n")):
        lines.append(b"")
    return b"\r\n".join(lines)
