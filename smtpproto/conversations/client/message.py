"""Makes an envelope and content of a message: RFC 5321 section 3.3, RFC 5322 section 3.6.

For a server without 8BITMIME it converts the message to 7 bits (RFC 6152 section 3).  For a server
without SMTPUTF8 it converts U-labels to A-labels if that suffices (RFC 6531 section 3.2).
"""

from __future__ import annotations

import contextlib
import copy
import re
from email.message import Message
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import LocalProtocolError
from ...extensions import EightBitMime, SmtpUtf8
from ...grammar.lazy_pattern import lazy_pattern
from ..envelope import Envelope
from .header_fields import check_header, mailboxes_of, written
from .seven_bit import convert, convert_header, has_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...vocabulary.session_facts import Offered
    from .plan import ToASCII

__all__ = ["content_of", "envelope_of", "header_of", "read_header", "without_bcc"]

HEADER_MOST = 1024 * 1024
# The field's name, its line, and its continuation lines; a bare CR is sent as CRLF too.
_END = rb"(?:\r\n?|\n)"
_BCC = lazy_pattern(
    rb"(?:\A|(?<=[\r\n]))(?:resent-)?bcc[ \t]*:"
    rb"[^\r\n]*(?:" + _END + rb"[ \t][^\r\n]*)*" + _END + rb"?",
    re.IGNORECASE,
)

_RECIPIENTS = ("To", "Cc", "Bcc")
_RESENT = (
    "Resent-Date",
    "Resent-From",
    "Resent-Sender",
    "Resent-To",
    "Resent-Cc",
    "Resent-Bcc",
)
_HIDDEN = frozenset({"bcc", "resent-bcc"})
_BARE = lazy_pattern(rb"\r(?!\n)|(?<!\r)\n")
_LINE_ENDING = lazy_pattern(rb"\r\n|\r|\n")
_DEPTH_MOST = 100


def envelope_of(
    message: Message, sender: str | None = None, recipients: Iterable[str] | None = None
) -> Envelope:
    """Return the envelope: sender and recipients from the header, unless they are given.

    For a resent message it uses the Resent- fields (RFC 5322 section 3.6.6).

    Arguments:
        message: its Sender, else From, and its To, Cc and Bcc are used.  The whole of each must be
            an address list (RFC 5322 section 3.4).
        sender: the reverse-path instead; empty for the null reverse-path.
        recipients: the recipients instead.

    Raises:
        LocalProtocolError: a field or line of the header that may name a recipient cannot be read,
            or an address is no mailbox.
        TypeError: the message is not an `email.message.Message`.
        ValueError: there is no sender or no recipient, or the message was resent more than once.
    """
    if not isinstance(message, Message):
        raise TypeError(
            f"expected an email.message.Message, found {message!r:.80}; `send` takes an "
            "Envelope and the content as bytes"
        )
    if sender is None or recipients is None:
        check_header(message)
        prefix = _prefix(message)
        if sender is None:
            sender = _sender(message, prefix)
        if recipients is None:
            found = [mailboxes_of(message, prefix + name) for name in _RECIPIENTS]
            recipients = dict.fromkeys(mailbox for mailboxes in found for mailbox in mailboxes)
            if not recipients:
                fields = f"{prefix}To, {prefix}Cc and {prefix}Bcc"
                raise ValueError(f"the message names no recipient in {fields}: give the recipients")
    return Envelope.of(sender, recipients)


def _sender(message: Message, prefix: str) -> str:
    """Return the mailbox in Sender; without Sender, the one in From."""
    # Read both fields: a field that cannot be read is an error, even if the other decides.
    name, found = f"{prefix}From", mailboxes_of(message, f"{prefix}From")
    senders = mailboxes_of(message, f"{prefix}Sender")
    # `in` parses no field: the `email` package fails at some.
    if f"{prefix}Sender" in message:
        name, found = f"{prefix}Sender", senders
    if name not in message:
        raise ValueError("the message has no Sender or From field: give the sender")
    if len(found) != 1:
        raise LocalProtocolError(
            f"{name}: expected one address, found {len(found)}: give the sender, or a Sender field "
            "with one address (RFC 5322 section 3.6.2)"
        )
    return found[0]


def _prefix(message: Message) -> str:
    """Return the prefix of the fields that name the current recipients: "Resent-" or ""."""
    names = [name.lower() for name, _ in message.raw_items()]
    counts = {name: names.count(name.lower()) for name in _RESENT}
    if counts["Resent-Date"] > 1:
        raise ValueError("the message was resent more than once: give sender and recipients")
    for name, count in counts.items():
        if count > counts["Resent-Date"]:
            raise LocalProtocolError(
                f"{name}: expected one for each Resent-Date, found {count}: give sender and "
                "recipients, because the header does not name them (RFC 5322 section 3.6.6)"
            )
    return "Resent-" if counts["Resent-Date"] else ""


def content_of(message: Message, offered: Offered, to_ascii: ToASCII | None = None) -> bytes:
    """Return the message as content that a server can accept, with CRLF line endings, without Bcc.

    Everything that the server can accept stays unchanged.  Header fields are not folded again,
    because signatures depend on that (RFC 6376 section 5.3).  Without 8BITMIME parts are encoded in
    7 bits. Without SMTPUTF8 header fields get encoded-words (RFC 2047) and addresses A-labels.

    Arguments:
        message: the message; it is not changed.
        offered: the server's service extensions.
        to_ascii: converts U-labels to A-labels if the server does not offer SMTPUTF8, such as
            `smtpproto.idn.to_ascii`.

    Raises:
        LocalProtocolError: the message needs an extension that the server does not offer, or cannot
            be converted: a signed or encrypted part, text or header fields in an unknown charset.
    """
    eight_bit, utf8 = EightBitMime in offered, SmtpUtf8 in offered
    octets = _octets(message, hidden=_HIDDEN)
    octets = convert(octets, eight_bit=eight_bit, utf8=utf8, to_ascii=to_ascii)
    if _BARE.search(octets):
        raise LocalProtocolError(
            "the message has a binary part, and the part around it has another type than multipart "
            "or message (RFC 2045 section 6.4)"
        )
    return octets


# --- a message in octets ----------------------------------------------------------------------


def _octets(message: Message, *, hidden: frozenset[str] = frozenset(), depth: int = 0) -> bytes:
    """Return a message or part unchanged, with CRLF line endings except in binary parts."""
    if depth > _DEPTH_MOST:
        raise LocalProtocolError(f"the message has parts within parts, {depth} deep")
    body = b""
    whole = message.is_multipart()
    if whole:
        message, body = _parts(message, depth)
    fields = [
        written(name, value, message)
        for name, value in message.raw_items()
        if name.lower() not in hidden
    ]
    return b"".join([*fields, b"\r\n", body if whole else _leaf(message, fields)])


def _parts(message: Message, depth: int) -> tuple[Message, bytes]:
    """Return the body of a multipart; and the message, or a copy with a boundary."""
    parts: Any = message.get_payload()
    written_parts = [_octets(part, depth=depth + 1) for part in parts]
    if message.get_content_maintype() != "multipart":
        body = b"".join(written_parts)
        # Groups of fields with empty lines between them (RFC 3464 section 2.1).
        blocks = message.get_content_type() == "message/delivery-status"
        return message, body[:-2] if blocks else body
    boundary = message.get_boundary()
    if boundary is None:
        boundary = _boundary(written_parts)
        message = copy.copy(message)
        message.set_boundary(boundary)
    delimiter = f"--{boundary}".encode("ascii", "surrogateescape")
    pieces = [b"" if message.preamble is None else _lines(message.preamble) + b"\r\n"]
    pieces += [delimiter + b"\r\n" + part + b"\r\n" for part in written_parts]
    epilogue = "" if message.epilogue is None else message.epilogue
    return message, b"".join([*pieces, delimiter, b"--\r\n", _lines(epilogue)])


def _boundary(parts: list[bytes]) -> str:
    """Return a boundary that no line of the parts begins with."""
    number = 0
    while any(b"--=_%d_" % number in part for part in parts):
        number += 1
    return f"=_{number}_"


def _leaf(message: Message, fields: list[bytes]) -> bytes:
    """Return a body without parts."""
    # `get_payload` decodes text that arrived as octets.
    text: str = vars(message)["_payload"] or ""
    octets = _octets_of(text, str(message.get_content_charset("")))
    return _LINE_ENDING.sub(b"\r\n", octets) if has_lines(fields) else octets


def _lines(text: str) -> bytes:
    """Encode text outside of parts, with CRLF line endings."""
    return _LINE_ENDING.sub(b"\r\n", _octets_of(text, ""))


def _octets_of(text: str, charset: str) -> bytes:
    """Encode text as it arrived; text that the application set, in its charset."""
    try:
        return text.encode("ascii", "surrogateescape")
    except UnicodeEncodeError:
        with contextlib.suppress(LookupError, UnicodeError):
            return text.encode(charset)
    raise LocalProtocolError(
        "the message has text that its charset cannot encode: use set_content, or "
        "set_payload(text, charset)"
    )


# --- a header in a file -----------------------------------------------------------------------


class HasLines(Protocol):
    """A file that `read_header` can read."""

    def readline(self, size: int, /) -> bytes:
        """Return the next line with its end, or so many octets of it; none at the end."""
        ...


def read_header(file: HasLines) -> bytes:
    """Return the header of a message in a file, with the empty line at its end if there is one.

    Arguments:
        file: at the beginning of a message, with any line endings; afterwards it is at the body.

    Raises:
        ValueError: the header has more than a MiB.
    """
    lines: list[bytes] = []
    size = 0
    while line := file.readline(HEADER_MOST):
        lines.append(line)
        size += len(line)
        if line in (b"\n", b"\r\n"):
            break
        if size >= HEADER_MOST:
            raise ValueError("the header of the message has more than a MiB")
    return b"".join(lines)


def header_of(header: bytes, offered: Offered, to_ascii: ToASCII | None = None) -> bytes:
    """Return a header that a server can accept, without Bcc (RFC 5322 section 3.6.3).

    Arguments:
        header: the header with any line endings and the empty line at its end.
        offered: the server's service extensions.
        to_ascii: converts U-labels to A-labels if the server does not offer SMTPUTF8.

    Raises:
        LocalProtocolError: the header needs an extension that the server does not offer.
    """
    eight_bit, utf8 = EightBitMime in offered, SmtpUtf8 in offered
    return convert_header(without_bcc(header), eight_bit=eight_bit, utf8=utf8, to_ascii=to_ascii)


def without_bcc(header: bytes) -> bytes:
    """Remove the Bcc fields of a header with any line endings (RFC 5322 section 3.6.3)."""
    return _BCC.sub(b"", header)
