r"""Octets as text: printable, and back.

`\r`, `\n`, `\t`, `\0`, `\\` and `\xHH` stand for octets; all else stands for itself in UTF-8.
"""

from __future__ import annotations

import re

ESCAPE = re.compile(rb"\\(x[0-9A-Fa-f]{2}|.)", re.DOTALL)
NAMED = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}


def from_text(text: str) -> bytes:
    r"""Return the octets that a text stands for.

    >>> from_text(r"NOOP\r\n\x00")
    b'NOOP\r\n\x00'

    Raises:
        ValueError: there is no such escape.
    """

    def octet(found: re.Match[bytes]) -> bytes:
        name = found[1]
        if len(name) == 3:
            return bytes([int(name[1:], 16)])
        if name not in NAMED:
            raise ValueError(
                f"expected \\r, \\n, \\t, \\0, \\xHH or \\\\, found {found[0].decode('latin-1')!a}"
            )
        return NAMED[name]

    return ESCAPE.sub(octet, text.encode("utf-8", "surrogateescape"))


def to_text(octets: bytes) -> str:
    r"""Return a printable text that stands for octets.

    >>> to_text(b"a\\b\x00\r\n")
    'a\\\\b\\x00\\r\\n'
    """
    text = octets.replace(b"\\", b"\\\\").decode("utf-8", "surrogateescape")
    short = {"\r": "\\r", "\n": "\\n"}
    return "".join(c if c.isprintable() else short.get(c) or _escaped(c) for c in text)


def _escaped(character: str) -> str:
    octets = character.encode("utf-8", "surrogateescape")
    return "".join(f"\\x{octet:02x}" for octet in octets)
