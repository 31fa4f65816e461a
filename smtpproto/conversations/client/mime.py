"""The MIME structure of content in octets: header fields, types, boundaries (RFC 2045, RFC 2046).

It reads only what SMTP needs: where headers are, which of them hold UTF-8 (RFC 6531 section 3.2),
and which parts have octets above 127 (RFC 6152).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ...grammar.lazy_pattern import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "MEDIA_MESSAGES",
    "ContentType",
    "Examiner",
    "content_type",
    "delimiters",
    "fields_of",
    "is_utf8",
    "name_of",
    "parameters",
    "unfold",
]

# The types that contain a message with a header (RFC 2046 section 5.2.1, RFC 6532 section 3.7).
MEDIA_MESSAGES = frozenset({"message/rfc822", "message/global", "message/news"})
# The longest header line and Content-Type that are kept together, and the deepest structure.
_LINE_MOST = 65536
_DEPTH_MOST = 100
# A longer line is no delimiter: a boundary has at most 70 octets.
_DELIMITER_MOST = 300

_FOLD = lazy_pattern(rb"(?:\r\n|\r|\n)(?=[ \t])")
_FIELD = lazy_pattern(rb"[^\r\n]*(?:\r\n?|\n|\Z)(?:[ \t][^\r\n]*(?:\r\n?|\n|\Z))*")
# RFC 2045 section 5.1; an unquoted value may be malformed and ends at the next space.
_TYPE = lazy_pattern(rb"[ \t]*([^\s;/]+/[^\s;]+)")
_PARAMETER = lazy_pattern(
    rb';[ \t]*([^\s=;"]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))', re.DOTALL
)
_QUOTED_PAIR = lazy_pattern(rb"\\(.)", re.DOTALL)


class ContentType(NamedTuple):
    """The parsed Content-Type field.

    Arguments:
        media: type and subtype, in lower case.
        boundary: of a multipart, if it has one.
        charset: in lower case; "" where none is given.
    """

    media: str
    boundary: bytes | None
    charset: str

    @property
    def multipart(self) -> bool:
        """Whether it has parts, and a boundary to separate them."""
        return self.media.startswith("multipart/") and bool(self.boundary)


def name_of(field: bytes) -> str:
    """Return the name of a field, in lower case."""
    return field.partition(b":")[0].strip(b" \t\r\n").lower().decode("latin-1")


def unfold(field: bytes) -> bytes:
    """Return the body of a field in one line."""
    return _FOLD.sub(b"", field.partition(b":")[2]).strip(b" \t\r\n")


def fields_of(octets: bytes) -> tuple[list[bytes], int]:
    """Return the fields of a header unchanged, and the offset of the line that ends it.

    Arguments:
        octets: they begin with a header, with any line endings.
    """
    fields: list[bytes] = []
    at = 0
    while at < len(octets) and octets[at : at + 1] not in (b"\r", b"\n"):
        match = _FIELD.match(octets, at)
        assert match is not None
        fields.append(match[0])
        at = match.end()
    return fields, at


def content_type(body: bytes) -> ContentType | None:
    """Parse a Content-Type; None if it is malformed.

    Arguments:
        body: the body of the field, in one line.
    """
    match = _TYPE.match(body)
    if match is None:
        return None
    found = {name: value for name, value, _ in parameters(body)}
    charset = found.get("charset", b"").lower().decode("latin-1")
    return ContentType(match[1].lower().decode("latin-1"), found.get("boundary"), charset)


def parameters(body: bytes) -> Iterator[tuple[str, bytes, tuple[int, int]]]:
    """Return the parameters of a field: name in lower case, value, and the offsets of both."""
    for match in _PARAMETER.finditer(body):
        value = match[3] if match[2] is None else _QUOTED_PAIR.sub(rb"\1", match[2])
        yield match[1].lower().decode("latin-1"), value, (match.start(1), match.end())


def delimiters(boundaries: Sequence[bytes], ending: bytes) -> re.Pattern[bytes]:
    """Return a pattern for the lines between parts, with the line ending before each, not after.

    Group 1 is the boundary; group 2 is `--` after the last part (RFC 2046 section 5.1.1).

    Arguments:
        boundaries: the boundaries of the open multiparts.
        ending: the line ending; the searched octets must have one before their first line too.
    """
    either = b"|".join(map(re.escape, boundaries))
    return re.compile(ending + rb"--(" + either + rb")(--)?[ \t]*(?=" + ending + rb"|\Z)")


class Examiner:
    """Examines content as it passes: which extensions of the server does it need?

    Attributes:
        eight_bit: whether there was an octet above 127.
        utf8_header: whether a header, at any level of the structure, had UTF-8 outside ASCII.
            Octets that are not UTF-8 do not count, because SMTPUTF8 does not allow them either.
        header_ended: whether the header of the message is complete, or has a line that is no field.
        finished: whether the content is complete.
    """

    def __init__(self) -> None:
        self.eight_bit = False
        self.utf8_header = False
        self.header_ended = False
        self.finished = False
        self._in_header = True
        # The beginning of a line whose end has not arrived.
        self._line = b""
        # The Content-Type field of the current header, and whether it may continue.
        self._type = b""
        self._type_goes_on = False
        self._boundaries: list[bytes] = []
        # Multiparts whose parts are messages by default (RFC 2046 section 5.1.5).
        self._digests: set[bytes] = set()
        self._delimiter: re.Pattern[bytes] | None = None

    def feed(self, octets: bytes) -> None:
        """Examine some octets."""
        self.eight_bit = self.eight_bit or not octets.isascii()
        if not self._in_header and self._delimiter is None:
            return
        octets = self._line + octets
        held = b"\r" if octets.endswith(b"\r") else b""
        if not self._in_header and b"--" not in octets:
            # Without a delimiter only the last line matters, because it may become one.
            end = max(octets.rfind(b"\n"), octets.rfind(b"\r", 0, -1)) + 1
            self._line = octets[end:] if len(octets) - end <= _DELIMITER_MOST else b"\0" + held
            return
        if b"\r" in octets:
            # Normalize line endings; a CR at the end is kept until the next octet arrives.
            octets = octets[: len(octets) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        end = octets.rfind(b"\n") + 1
        rest = octets[end:]
        if end:
            self._lines(b"\n" + octets[:end])
        if self._in_header and len(rest) > _LINE_MOST:
            self._header_line(rest)
            rest = b"\0"
        self._line = (rest if self._in_header or len(rest) <= _DELIMITER_MOST else b"\0") + held

    def finish(self) -> None:
        """End the content; its last line may have no line ending."""
        self.feed(b"\n")
        self.header_ended = self.finished = True

    def _lines(self, octets: bytes) -> None:
        """Examine lines; each has a line feed before it, and the last one after it."""
        at, last = 0, len(octets) - 1
        while at < last:
            if self._in_header:
                end = octets.index(b"\n", at + 1)
                self._header_line(octets[at + 1 : end])
                at = end
            else:
                match = self._delimiter.search(octets, at) if self._delimiter is not None else None
                if match is None:
                    return
                self._part_ends(match)
                at = match.end()

    def _header_line(self, line: bytes) -> None:
        if not line:
            self._header_ends()
            return
        match = None if self._delimiter is None else self._delimiter.match(b"\n" + line)
        if match is not None:
            # A part with nothing but a header.
            self._part_ends(match)
            return
        if not line.isascii():
            self.utf8_header = self.utf8_header or is_utf8(line)
        if line[:1] in (b" ", b"\t"):
            if self._type_goes_on and len(self._type) < _LINE_MOST:
                self._type += line
        else:
            # A line that is no field may be the body of a message without a header.
            self.header_ended = self.header_ended or b":" not in line
            self._type_goes_on = not self._type and name_of(line) == "content-type"
            if self._type_goes_on:
                self._type = line

    def _header_ends(self) -> None:
        found = content_type(unfold(self._type))
        self._type, self._type_goes_on = b"", False
        self.header_ended = True
        if found is None and self._boundaries and self._boundaries[-1] in self._digests:
            return  # the header of the inner message comes next
        if found is not None and found.media in MEDIA_MESSAGES:
            return
        self._in_header = False
        if found is not None and found.multipart and len(self._boundaries) < _DEPTH_MOST:
            assert found.boundary is not None
            if found.media == "multipart/digest":
                self._digests.add(found.boundary)
            self._open([*self._boundaries, found.boundary])

    def _part_ends(self, match: re.Match[bytes]) -> None:
        at = self._boundaries.index(match[1])
        self._in_header = not match[2]
        self._type, self._type_goes_on = b"", False
        self._open(self._boundaries[: at + 1 if self._in_header else at])

    def _open(self, boundaries: list[bytes]) -> None:
        self._boundaries = boundaries
        self._delimiter = delimiters(boundaries, b"\n") if boundaries else None


def is_utf8(octets: bytes) -> bool:
    """Return whether octets are valid UTF-8."""
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
