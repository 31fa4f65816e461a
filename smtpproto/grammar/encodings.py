"""The two encodings inside commands: xtext (RFC 3461 section 4) and base64 (RFC 4648 section 4)."""

from __future__ import annotations

import binascii

from ..errors import LocalProtocolError
from .lazy_pattern import lazy_pattern

__all__ = ["decode_base64", "decode_xtext", "encode_base64", "encode_xtext"]

# RFC 3461 section 4
#   xtext           = *( xchar / hexchar )
#   xchar           = %d33-126 except "+" and "="
#   hexchar         = "+" followed by two upper case hexadecimal digits
_XTEXT = lazy_pattern(r"[!-*,-<>-~]*(?:\+[0-9A-F]{2}[!-*,-<>-~]*)*")


_HEXCHAR = lazy_pattern(rb"\+(..)")


_NOT_XCHAR = lazy_pattern(rb"[^!-*,-<>-~]")


# RFC 4648 section 4
_BASE64 = lazy_pattern(r"[A-Za-z0-9+/]*")


def encode_xtext(text: str) -> str:
    """Encode text as xtext; characters outside ASCII as UTF-8 octets (RFC 3461 section 4).

    Raises:
        LocalProtocolError: the text has surrogates, which are no characters.
    """
    try:
        octets = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise LocalProtocolError(
            f"expected text, found a surrogate at offset {error.start} (RFC 3461 section 4)"
        ) from None
    return _NOT_XCHAR.sub(lambda match: b"+%02X" % match[0][0], octets).decode("ascii")


def decode_xtext(text: str) -> str:
    """Decode xtext (RFC 3461 section 4).

    The result can hold any character, also CR, LF and NUL: the caller must check it.

    Raises:
        LocalProtocolError: 501, 5.5.4: it is not xtext, or the octets are not UTF-8.
    """
    match = _XTEXT.match(text)
    assert match is not None
    end = match.end()
    if end != len(text):
        raise LocalProtocolError(
            f"expected xtext ('+' only before two upper case hexadecimal digits), found "
            f"{text[end : end + 3]!a} at offset {end} (RFC 3461 section 4)"
        )
    octets = _HEXCHAR.sub(lambda match: bytes([int(match[1], 16)]), text.encode("ascii"))
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LocalProtocolError(
            f"expected UTF-8 in xtext, found octet 0x{octets[error.start]:02x} (RFC 3461 section 4)"
        ) from None


def encode_base64(octets: bytes) -> str:
    """Encode octets as one line of base64, without CRLF (RFC 4954 section 4)."""
    return binascii.b2a_base64(octets, newline=False).decode("ascii")


def decode_base64(line: bytes | str) -> bytes:
    """Decode a line of an authentication exchange (RFC 4954 section 4).

    Arguments:
        line: the line without CRLF.

    Raises:
        LocalProtocolError: 501, 5.5.2: white space, another alphabet, wrong padding, or bits set in
            the padding (RFC 4648 section 3.5).  The line is a secret, so the message does not
            repeat any of it.
    """
    text = line if isinstance(line, str) else line.decode("latin-1")
    match = _BASE64.match(text)
    assert match is not None
    end = match.end()
    padding = -end % 4
    if padding == 3 or text[end:] != "=" * padding:
        raise _not_base64(f"'=' up to a multiple of four after the data, which ends at octet {end}")
    octets = binascii.a2b_base64(text)
    if encode_base64(octets) != text:
        raise _not_base64("zeros in the bits that the padding leaves over")
    return octets


def _not_base64(wanted: str) -> LocalProtocolError:
    return LocalProtocolError(
        f"expected base64 with {wanted} (RFC 4954 section 4)", code=501, enhanced="5.5.2"
    )
