"""Parts of the messages of several mechanisms: UTF-8 fields, saslnames, strict base64.

`saslname` and its quoting are those of RFC 5801 section 4, which RFC 5802 and RFC 7628 use.
"""

from __future__ import annotations

from ..errors import LocalProtocolError
from ..grammar.encodings import decode_base64
from ..grammar.lazy_pattern import lazy_pattern
from .errors import SASLError, SASLRefused
from .saslprep import prepare

__all__ = ["FIELD", "decode", "from_base64", "presented", "quote", "unquote"]

# Octets of a name or a password; RFC 4616 section 2 asks for 255.
FIELD = 1024

# saslname = 1*(value-safe-char / "=2C" / "=3D")
# value-safe-char = UTF-8 character except NUL, "=" and ","  (RFC 5802 section 7)
SASLNAME = lazy_pattern(r"(?:[^=,\0]|=2C|=3D)+")


def decode(octets: bytes, what: str, limit: int = FIELD) -> str:
    """Decode a field from UTF-8.

    Arguments:
        octets: the received octets.
        what: the name of the field, for the error.
        limit: the most octets it may have.

    Raises:
        SASLError: it is too long, or not UTF-8.
    """
    if len(octets) > limit:
        raise SASLError(f"{what}: expected at most {limit} octets, found {len(octets)}")
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        # `from None`: the original error would contain the octets.
        start = error.start
    raise SASLError(f"{what}: expected UTF-8, found something else at octet {start} (RFC 3629)")


def presented(text: str) -> str:
    """Prepare a name or password that a client sent as a query (RFC 4616 section 2).

    Raises:
        SASLRefused: SASLprep prohibits a character, so no user can have it.
    """
    try:
        return prepare(text)
    except SASLError as error:
        raise SASLRefused(str(error)) from None


def quote(name: str) -> str:
    """Quote a name as a saslname."""
    return name.replace("=", "=3D").replace(",", "=2C")


def unquote(saslname: str) -> str:
    """Return the name that a saslname quotes.

    Raises:
        SASLError: it is not a saslname, or is too long.
    """
    if SASLNAME.fullmatch(saslname) is None:
        raise SASLError("expected a saslname, found another text (RFC 5802 section 7)")
    name = saslname.replace("=2C", ",").replace("=3D", "=")
    decode(name.encode(), "saslname")
    return name


def from_base64(text: str, what: str) -> bytes:
    """Decode base64 that is not empty (RFC 5802 section 7).

    Raises:
        SASLError: the text is not base64.
    """
    try:
        octets = decode_base64(text)
    except LocalProtocolError:
        octets = b""
    if not octets:
        raise SASLError(f"{what}: expected base64, found another text (RFC 5802 section 7)")
    return octets
