"""Converting header fields to ASCII: encoded-words (RFC 2047), A-labels, parameters (RFC 2231).

Fields that are ASCII already stay unchanged, octet by octet: refolding them would break signatures
(RFC 6376 section 5.3).
"""

from __future__ import annotations

from binascii import b2a_base64
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import TYPE_CHECKING

from ...grammar.address_list import read_address_list
from ...grammar.lazy_pattern import lazy_pattern
from ...vocabulary.addresses import Domain, Mailbox
from .mime import name_of, parameters, unfold
from .plan import cannot_be_sent

if TYPE_CHECKING:
    from ...grammar.address_list import Found
    from .plan import ToASCII

__all__ = ["ADDRESS_FIELDS", "fold", "in_ascii"]

_RESENT = ("from", "sender", "reply-to", "to", "cc", "bcc")
ADDRESS_FIELDS = frozenset(
    {*_RESENT, *(f"resent-{name}" for name in _RESENT), "disposition-notification-to"}
)
"""The names of the fields that are address lists, in lower case."""

_WITH_PARAMETERS = frozenset({"content-type", "content-disposition"})
# Structured fields in which encoded-words are not allowed, or allowed in places that only a parser
# of the field finds.  All other fields are text (RFC 5322 section 3.6.8).
_WITHOUT_WORDS = frozenset(
    {"arc-authentication-results", "arc-message-signature", "arc-seal", "authentication-results"}
    | {"content-id", "content-location", "content-transfer-encoding", "date", "dkim-signature"}
    | {"in-reply-to", "message-id", "mime-version", "received", "references", "resent-date"}
    | {"resent-message-id", "return-path"}
)

# An encoded-word has 75 characters at most (RFC 2047 section 2): 12 around 60 of base64.
_WORD_OCTETS = 45
_LINE_OCTETS = 76
_ENCODED_WORD = lazy_pattern(r"=\?[^?\s]+\?[BbQq]\?[^?\s]*\?=")
_BETWEEN = lazy_pattern(r"(?<=\?=)[ \t]+(?==\?[^?\s]+\?[BbQq]\?)")
_WORDS = lazy_pattern(r"[^ \t]+")
_BEFORE_SPACE = lazy_pattern(rb"(?<=[^ \t])(?=[ \t])")
# RFC 2231 section 7: most of attribute-char.
_NOT_ATTRIBUTE_CHAR = lazy_pattern(rb"[^A-Za-z0-9._~-]")
_PIECE = lazy_pattern(r"(?:%[0-9A-F]{2}|[^%]){1,18}")
_COMMA = lazy_pattern(r"[ \t]*>?,(?=[^ \t])")


def in_ascii(field: bytes, to_ascii: ToASCII | None) -> bytes:
    """Convert a field to ASCII.

    Arguments:
        field: name and body, with any line endings.
        to_ascii: converts U-labels to A-labels; None: addresses with U-labels are refused.

    Raises:
        LocalProtocolError: it has no ASCII form, or its charset is unknown.
    """
    name = field.partition(b":")[0].strip().decode("latin-1")
    try:
        body = unfold(field).decode("utf-8")
    except UnicodeDecodeError:
        raise cannot_be_sent(
            f"octets above 127 in {name} that are not UTF-8, so that their charset is not known",
            "5.6.3",
            "2047",
        ) from None
    kind = name_of(field)
    if not name.isascii() or (kind in _WITHOUT_WORDS and not body.isascii()):
        raise cannot_be_sent(
            f"characters in {name!a} that are not ASCII, where no encoded-word may stand; the "
            "server does not offer SMTPUTF8",
            "5.6.7",
            "6531",
        )
    if kind in ADDRESS_FIELDS:
        body = _addresses(body, name, to_ascii)
    elif kind in _WITH_PARAMETERS:
        body = _parameters(body, name)
    elif kind == "keywords":
        body = ",".join([_text(phrase, name) for phrase in body.split(",")])
    else:
        body = _text(body, name)
    return fold(f"{name}: {body}".encode("ascii"))


def fold(line: bytes) -> bytes:
    """Fold a field at white space into lines of up to 76 octets, with CRLF at its end."""
    name, *pieces = _BEFORE_SPACE.split(line)
    lines = [name]
    for index, piece in enumerate(pieces):
        # Some programs read a line with nothing but the name as an empty field.
        if index and len(lines[-1]) + len(piece) > _LINE_OCTETS:
            lines.append(b"")
        lines[-1] += piece
    return b"\r\n".join(lines) + b"\r\n"


# --- text -----------------------------------------------------------------------------------------


def _text(text: str, name: str) -> str:
    """Convert text (RFC 5322 section 2.2.1): the words from the first to the last non-ASCII one."""
    needy = [match.span() for match in _WORDS.finditer(text) if not match[0].isascii()]
    if not needy:
        return text
    start, end = needy[0][0], needy[-1][1]
    return text[:start] + _encoded(text[start:end], name) + text[end:]


def _encoded(text: str, name: str) -> str:
    """Return the text as encoded-words; encoded-words within it are decoded first."""
    # Readers ignore white space between two encoded-words.
    text = _ENCODED_WORD.sub(lambda match: _decoded(match[0], name), _BETWEEN.sub("", text))
    # The first one may follow the name of the field on the same line.
    words, piece, most = [], b"", max(12, _WORD_OCTETS - len(name))
    for character in text:
        octets = character.encode("utf-8")
        if len(piece) + len(octets) > most:
            words.append(piece)
            piece, most = b"", _WORD_OCTETS
        piece += octets
    words.append(piece)
    return " ".join([f"=?utf-8?b?{b2a_base64(w, newline=False).decode('ascii')}?=" for w in words])


def _decoded(word: str, name: str) -> str:
    try:
        return str(make_header(decode_header(word)))
    except (HeaderParseError, LookupError, UnicodeError):
        raise cannot_be_sent(
            f"an encoded-word in {name} whose charset is not known, next to other text",
            "5.6.3",
            "2047",
        ) from None


# --- addresses ------------------------------------------------------------------------------------


def _addresses(text: str, name: str, to_ascii: ToASCII | None) -> str:
    """Convert names, comments and domains of an address list to ASCII.

    Encoded-words are allowed in display names and comments, not in addresses (RFC 2047 section 5).
    """
    listed = read_address_list(text, name)
    changes: list[tuple[int, int, str]] = []
    for span in listed.names:
        if not span.text.isascii():
            # White space separates it from its neighbours.
            before = " " if text[span.start - 1 : span.start] not in ("", " ", "\t") else ""
            after = "" if text[span.end] in " \t" else " "
            changes.append((span.start, span.end, before + _encoded(span.text, name) + after))
    changes += [
        (span.start, span.end, f"({_encoded(span.text, name)})")
        for span in listed.comments
        if not span.text.isascii()
    ]
    starts = {start for start, _, _ in changes}
    for address in listed.addresses:
        if not (address.local_part + address.domain).isascii():
            changes.append((address.start, address.end, _address(address, name, to_ascii)))
        # A line may be folded here.
        comma = _COMMA.match(text, address.end)
        if comma is not None and comma.end() not in starts:
            changes.append((comma.end(), comma.end(), " "))
    return _changed(text, changes, name)


def _address(address: Found, name: str, to_ascii: ToASCII | None) -> str:
    if not address.local_part.isascii():
        raise cannot_be_sent(
            f"a local-part in {name} that is not ASCII, and the server does not offer SMTPUTF8",
            "5.6.7",
            "6531",
        )
    if to_ascii is None:
        raise cannot_be_sent(
            f"an address in {name} that is not ASCII; the server does not offer SMTPUTF8",
            "5.6.7",
            "6531",
        )
    return str(Mailbox(address.local_part, to_ascii(Domain(address.domain))))


def _changed(text: str, changes: list[tuple[int, int, str]], name: str) -> str:
    pieces, at = [], 0
    for start, end, instead in sorted(changes):
        if start < at:
            raise cannot_be_sent(
                f"a comment within a name or an address in {name} that is not ASCII; the server "
                "does not offer SMTPUTF8",
                "5.6.7",
                "6531",
            )
        pieces += [text[at:start], instead]
        at = end
    return "".join([*pieces, text[at:]])


# --- parameters -----------------------------------------------------------------------------------


def _parameters(text: str, name: str) -> str:
    """Convert the parameters of a MIME field to ASCII (RFC 2231 section 4)."""
    body = text.encode("utf-8")
    pieces, at = [], 0
    for parameter, value, (start, end) in parameters(body):
        if not body[start:end].isascii():
            pieces += [body[at:start], _extended(parameter, value)]
            at = end
    body = b"".join([*pieces, body[at:]])
    if not body.isascii():
        raise cannot_be_sent(
            f"characters in {name} that are not ASCII, outside of the values of its parameters; "
            "the server does not offer SMTPUTF8",
            "5.6.7",
            "6531",
        )
    return body.decode("ascii")


def _extended(parameter: str, value: bytes) -> bytes:
    encoded = _NOT_ATTRIBUTE_CHAR.sub(lambda match: b"%%%02X" % match[0][0], value).decode("ascii")
    pieces = _PIECE.findall(encoded)
    if len(pieces) == 1:
        return f"{parameter}*=utf-8''{encoded}".encode()
    pieces[0] = f"utf-8''{pieces[0]}"
    numbered = [f"{parameter}*{number}*={piece}" for number, piece in enumerate(pieces)]
    return "; ".join(numbered).encode()
