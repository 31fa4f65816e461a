"""Converting content for a server without 8BITMIME or SMTPUTF8: RFC 6152 section 3, RFC 2045.

It works on octets and leaves everything unchanged that need not change.  It refuses parts that
cannot be converted without loss: signed and encrypted ones (RFC 1847 section 2.1), and text of an
unknown charset.
"""

from __future__ import annotations

from binascii import b2a_base64, b2a_qp
from typing import TYPE_CHECKING, NamedTuple

from ...grammar.lazy_pattern import lazy_pattern
from .encoded_words import in_ascii
from .mime import (
    MEDIA_MESSAGES,
    ContentType,
    content_type,
    delimiters,
    fields_of,
    is_utf8,
    name_of,
    unfold,
)
from .plan import cannot_be_sent

if TYPE_CHECKING:
    from ...errors import LocalProtocolError
    from .plan import ToASCII

__all__ = ["convert", "convert_header", "has_lines", "is_wide"]

_SEALED = frozenset({"multipart/signed", "multipart/encrypted"})
# The values that mean "not encoded".
_RAW = ("", "7bit", "8bit", "binary")
_TEXT = ContentType("text/plain", None, "")
_MESSAGE = ContentType("message/rfc822", None, "")
_WIDE = lazy_pattern(r"(?:utf|ucs|iso-10646-ucs)[-_]?(?:16|32|2|4)(?:[-_]?[bl]e)?")
_BASE64_LINE = 57


def is_wide(charset: str) -> bool:
    """Return whether a charset has units wider than an octet, so that it has no lines of octets."""
    return _WIDE.fullmatch(charset) is not None


def has_lines(fields: list[bytes]) -> bool:
    """Return whether a body with these fields has lines that end with CRLF, unless it is binary."""
    entity = _Entity(b"".join(fields), _Place())
    return entity.encoding != "binary" and not entity.wide


def convert(octets: bytes, *, eight_bit: bool, utf8: bool, to_ascii: ToASCII | None) -> bytes:
    """Convert a message so that a server can accept it.

    Arguments:
        octets: the message, with CRLF line endings except in parts declared as binary.
        eight_bit: whether octets above 127 are allowed.
        utf8: whether UTF-8 in headers is allowed.
        to_ascii: converts U-labels to A-labels.

    Raises:
        LocalProtocolError: it cannot be converted.
    """
    converter = _Converter(eight_bit=eight_bit, utf8=utf8, to_ascii=to_ascii)
    return converter.entity(octets, _Place())


def convert_header(
    header: bytes, *, eight_bit: bool, utf8: bool, to_ascii: ToASCII | None
) -> bytes:
    """Convert the header of a message so that a server can accept it; the body is not read.

    Arguments:
        header: with any line endings, and with the empty line at its end.
        eight_bit: as for `convert`.
        utf8: the same.
        to_ascii: the same.

    Raises:
        LocalProtocolError: it cannot be converted.
    """
    fields, at = fields_of(header)
    may_stay = [_may_stay(field, eight_bit=eight_bit, utf8=utf8) for field in fields]
    kept = zip(fields, may_stay, strict=True)
    pieces = [field if stays else in_ascii(field, to_ascii) for field, stays in kept]
    return b"".join([*pieces, header[at:]])


def _may_stay(field: bytes, *, eight_bit: bool, utf8: bool) -> bool:
    # Octets that are not UTF-8 need 8BITMIME.
    return utf8 or field.isascii() or (eight_bit and not is_utf8(field))


class _Place(NamedTuple):
    """Where an entity is within the message.

    Attributes:
        sealed: within a signed or encrypted part.
        type: its default type if it has no Content-Type.
        message: whether its header is that of a message.
    """

    sealed: bool = False
    type: ContentType = _TEXT
    message: bool = True


class _Entity:
    """A header and a body (RFC 2045 section 2.4); fields are changed in place."""

    def __init__(self, octets: bytes, place: _Place) -> None:
        self.place = place
        self.fields, at = fields_of(octets)
        # The empty line between the two, if there is one.
        self.body = octets[at + 2 :]
        self.separator = octets[at : at + 2]
        self.type = place.type
        body = self.get("content-type")
        self.typed = body is not None
        if body is not None:
            self.type = content_type(body) or _TEXT
        encoding = self.get("content-transfer-encoding") or b""
        self.encoding = encoding.lower().decode("latin-1")

    @property
    def wide(self) -> bool:
        """Whether it is text, not encoded, whose units are wider than an octet."""
        text = self.type.media.startswith("text/") and is_wide(self.type.charset)
        return text and self.encoding in _RAW

    def get(self, name: str) -> bytes | None:
        """Return the body of the first field of a name."""
        return next((unfold(field) for field in self.fields if name_of(field) == name), None)

    def put(self, name: str, body: str) -> None:
        """Set a field: replace it, or add it at the end of the header."""
        line = f"{name}: {body}\r\n".encode("ascii")
        for index, field in enumerate(self.fields):
            if name_of(field) == name.lower():
                self.fields[index] = line
                return
        self.fields.append(line)
        self.separator = b"\r\n"

    def __bytes__(self) -> bytes:
        return b"".join([*self.fields, self.separator, self.body])


class _Converter:
    def __init__(self, *, eight_bit: bool, utf8: bool, to_ascii: ToASCII | None) -> None:
        self.eight_bit = eight_bit
        self.utf8 = utf8
        self.to_ascii = to_ascii

    def entity(self, octets: bytes, place: _Place) -> bytes:
        """Convert a message or a part of one."""
        entity = _Entity(octets, place)
        self.header(entity)
        before = entity.body
        if entity.type.media.startswith("multipart/"):
            self.parts(entity)
        elif entity.type.media in MEDIA_MESSAGES and entity.encoding in _RAW:
            entity.body = self.entity(entity.body, place._replace(type=_TEXT, message=True))
            self.label(entity)
        else:
            self.leaf(entity)
        if place.message and entity.body != before and entity.get("mime-version") is None:
            # RFC 2045 section 4
            entity.put("MIME-Version", "1.0")
        return bytes(entity)

    def header(self, entity: _Entity) -> None:
        """Convert fields to ASCII if UTF-8 is not allowed."""
        for index, field in enumerate(entity.fields):
            if not _may_stay(field, eight_bit=self.eight_bit, utf8=self.utf8):
                if entity.place.sealed:
                    raise cannot_be_sent(
                        "a signed or encrypted part with a header in UTF-8; the server does not "
                        "offer SMTPUTF8",
                        "5.6.7",
                        "6531",
                    )
                entity.fields[index] = in_ascii(field, self.to_ascii)

    def parts(self, entity: _Entity) -> None:
        """Convert the parts of a multipart; text between them stays (RFC 2046 section 5.1.1)."""
        if not entity.type.boundary:
            if entity.encoding == "binary" or not (self.eight_bit or entity.body.isascii()):
                raise self.refusal("a multipart without a boundary", "2046")
            return
        kind = _MESSAGE if entity.type.media == "multipart/digest" else _TEXT
        sealed = entity.place.sealed or entity.type.media in _SEALED
        place = _Place(sealed, kind, message=False)
        octets = b"\r\n" + entity.body
        pieces: list[bytes] = []
        at, outside = 0, True
        for match in delimiters([entity.type.boundary], b"\r\n").finditer(octets):
            pieces.append(self.between(octets[at : match.start()], place, outside=outside))
            pieces.append(match[0])
            at, outside = match.end(), bool(match[2])
            if outside:
                break
        pieces.append(self.between(octets[at:], place, outside=outside))
        entity.body = b"".join(pieces)[2:]
        self.label(entity)

    def between(self, octets: bytes, place: _Place, *, outside: bool) -> bytes:
        """Convert the octets between two delimiters: a part, or text outside of parts."""
        if not outside:
            # They begin with the end of the delimiter's line.
            return octets[:2] + self.entity(octets[2:], place)
        if not (self.eight_bit or octets.isascii()):
            raise self.refusal("octets above 127 outside of the parts of a multipart", "2046")
        return octets

    def label(self, entity: _Entity) -> None:
        """Set the encoding of a container to what its parts need (RFC 2045 section 6.4)."""
        fits = "8bit" if self.eight_bit else "7bit"
        if entity.encoding not in ("8bit", "binary") or entity.encoding == fits:
            return
        if not entity.place.sealed:
            entity.put("Content-Transfer-Encoding", fits)
        elif entity.encoding == "binary":
            raise self.sealed()

    def leaf(self, entity: _Entity) -> None:
        """Encode a body that the server cannot accept (RFC 6152 section 3, RFC 3030 section 3)."""
        body, kind = entity.body, entity.type
        if entity.encoding != "binary" and not entity.wide and (self.eight_bit or body.isascii()):
            return
        if entity.place.sealed:
            raise self.sealed()
        if entity.encoding not in _RAW:
            raise self.refusal(
                f"octets above 127 in a part that says it is encoded as {entity.encoding[:64]!a}",
                "2045",
            )
        if kind.media.startswith("message/"):
            raise self.refusal(f"a part of type {kind.media[:64]} with octets above 127", "2046")
        if not (entity.typed or body.isascii()):
            if not is_utf8(body):
                raise self.refusal("text in a charset that it does not name", "2045")
            entity.put("Content-Type", "text/plain; charset=utf-8")
        # Text whose units are wider than an octet has no lines (RFC 2046 section 4.1.2).
        as_text = kind.media.startswith("text/") and not entity.wide
        entity.body = _quoted_printable(body) if as_text else _base64(body)
        encoding = "quoted-printable" if as_text else "base64"
        entity.put("Content-Transfer-Encoding", encoding)

    def sealed(self) -> LocalProtocolError:
        """Return the error for a part that must not be changed."""
        return self.refusal(
            "a signed or encrypted part that would have to be encoded, which breaks it", "6152"
        )

    def refusal(self, what: str, rfc: str) -> LocalProtocolError:
        """Return the error for a part that cannot be converted."""
        missing = "BINARYMIME" if self.eight_bit else "8BITMIME"
        return cannot_be_sent(f"{what}; the server does not offer {missing}", "5.6.3", rfc)


def _quoted_printable(octets: bytes) -> bytes:
    """RFC 2045 section 6.7: CRLF ends a line; a bare CR or LF is encoded."""
    lines = [b2a_qp(line, istext=False) for line in octets.split(b"\r\n")]
    # The remaining line feeds are soft line breaks.
    return b"\r\n".join([line.replace(b"\n", b"\r\n") for line in lines])


def _base64(octets: bytes) -> bytes:
    """RFC 2045 section 6.8."""
    starts = range(0, len(octets), _BASE64_LINE)
    lines = [b2a_base64(octets[at : at + _BASE64_LINE], newline=False) for at in starts]
    return b"".join([line + b"\r\n" for line in lines])
