"""The header fields of an `email` message, as they were written: RFC 5322 section 2.2.

This avoids the `email` package's own output of fields where it can: the package drops text that it
cannot read, and its output differs between Python versions.
"""

from __future__ import annotations

import contextlib
from email.errors import (
    FirstHeaderLineIsContinuationDefect,
    MissingHeaderBodySeparatorDefect,
    ObsoleteHeaderDefect,
)
from email.header import Header
from email.policy import SMTP
from typing import TYPE_CHECKING, Any

from ...errors import LocalProtocolError
from ...grammar.address_list import Found, read_address_list
from ...grammar.lazy_pattern import lazy_pattern
from ...vocabulary.addresses import AddressLiteral, Domain, Mailbox
from .encoded_words import ADDRESS_FIELDS, fold, in_ascii

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

__all__ = ["check_header", "field_texts", "mailboxes_of", "written"]

_FOLD = lazy_pattern(r"(?:\r\n|\r|\n)(?=[ \t])")
_LINE_ENDING = lazy_pattern(r"\r\n|\r|\n")
# RFC 5322 section 2.2
#   field-name      = 1*(%d33-57 / %d59-126)
_NAME = lazy_pattern(r"[!-9;-~]+")
# Octets of a line without its CRLF (RFC 5322 section 2.1.1).
_LINE_MOST = 998
_NO_FOLDING = SMTP.clone(max_line_length=0, utf8=True)
_CUT_SHORT = (FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect)


def check_header(message: Message) -> None:
    """Refuse a header with a line that is no field; the recipients after it were not read.

    Raises:
        LocalProtocolError: there is such a line.
    """
    for defect in message.defects:
        if isinstance(defect, _CUT_SHORT):
            line = getattr(defect, "line", None)
            raise LocalProtocolError(
                f"the header of the message has a line that is no field"
                f"{f': {line[:64]!a}' if line else ''} (RFC 5322 section 2.2)"
            )


def mailboxes_of(message: Message, name: str) -> list[str]:
    """Return the mailboxes in all fields of a name, without display names and comments.

    Raises:
        LocalProtocolError: a field is no address list, or an address is no mailbox.
    """
    return [
        _mailbox(address, name)
        for text in field_texts(message, name)
        for address in read_address_list(text, name).addresses
    ]


def _mailbox(address: Found, name: str) -> str:
    domain = address.domain
    try:
        literal = AddressLiteral(domain[1:-1]) if domain.startswith("[") else Domain(domain)
        return str(Mailbox(address.local_part, literal))
    except LocalProtocolError as error:
        shown = f"{address.local_part}@{domain}"
        raise LocalProtocolError(
            f"{name}: {error}, in {shown[:100]!a}", enhanced=error.enhanced
        ) from None


def field_texts(message: Message, name: str) -> Iterator[str]:
    """Return the bodies of all fields of a name, unfolded.

    Raises:
        LocalProtocolError: the `email` package parsed a field and found a defect.
    """
    for found, value in message.raw_items():
        if found.lower() != name.lower():
            continue
        defects = getattr(value, "defects", ())
        for defect in defects:
            # Obsolete syntax was read correctly.
            if not isinstance(defect, ObsoleteHeaderDefect):
                raise LocalProtocolError(
                    f"{name}: {defect}, in {_source(value)[:100]!a} (RFC 5322 section 3.4)"
                )
        yield _unfolded(str(value))


def _source(value: Any) -> str:
    """Return the text that a value was parsed from, which its own text may not show."""
    _, _, body = str(value.fold(policy=_NO_FOLDING)).partition(":")
    return _unfolded(body.strip("\r\n")).strip()


def _unfolded(text: str) -> str:
    """Return the body of a field in one line, decoded as UTF-8 if possible."""
    text = _FOLD.sub("", text)
    if not text.isascii():
        try:
            return text.encode("ascii", "surrogateescape").decode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            # The text holds characters already, not octets.
            return text
    return text


# --- writing --------------------------------------------------------------------------------------


def written(name: str, value: Any, message: Message) -> bytes:
    """Return a field in octets, with CRLF line endings.

    Text that arrived with the message stays unchanged.  Text that the application set gets
    encoded-words if these suffice to make it ASCII.

    Arguments:
        name: its name.
        value: the value from `raw_items`: text, or a value of the `email` package.
        message: the message of the field.

    Raises:
        LocalProtocolError: it is more than one field, or not a field.
    """
    if _NAME.fullmatch(name) is None:
        raise LocalProtocolError(f"{name[:64]!a} is no name of a field (RFC 5322 section 2.2)")
    of_email = not isinstance(value, str) or hasattr(value, "fold")
    if of_email and name.lower() not in ADDRESS_FIELDS:
        return _folded(name, value, message)
    text = _address_text(value) if of_email else value
    lines = _LINE_ENDING.split(text.rstrip("\r\n"))
    if not all(line.startswith((" ", "\t")) for line in lines[1:]):
        raise LocalProtocolError(
            f"{name}: a line of the field does not begin with white space (RFC 5322 section 2.2.3)"
        )
    octets = "\r\n".join(lines).encode("utf-8", "surrogateescape")
    field = f"{name}: ".encode("ascii") + octets + b"\r\n"
    if not (text.isascii() or _came(text)):
        # Addresses need more than encoded-words.
        with contextlib.suppress(LocalProtocolError):
            field = in_ascii(field, None)
    if max(map(len, field.split(b"\r\n"))) > _LINE_MOST:
        return in_ascii(field, None) if field.isascii() else fold(field)
    return field


def _came(text: str) -> bool:
    """Return whether text arrived as octets: then surrogates stand for those above 127."""
    try:
        text.encode("ascii", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _address_text(value: Any) -> str:
    """Return an address list of the `email` package as text, with comments."""
    if not hasattr(value, "fold"):
        return str(value)
    source = _source(value)
    try:
        found = read_address_list(source, "").addresses
    except LocalProtocolError:
        # A decoded encoded-word may look like other syntax.
        return source if value.defects else str(value)
    # Of a field that was set to a list of texts, the addresses are these texts.
    addresses = [
        (getattr(address, "username", address), getattr(address, "domain", None))
        for address in value.addresses
    ]
    return source if addresses == [(a.local_part, a.domain) for a in found] else str(value)


def _folded(name: str, value: Any, message: Message) -> bytes:
    """Return the field as the `email` package writes its own values: ASCII, and folded."""
    if hasattr(value, "fold"):
        policy = SMTP.clone(max_line_length=message.policy.max_line_length)
        return str(value.fold(policy=policy)).encode("ascii")
    text = value.encode(linesep="\r\n") if isinstance(value, Header) else str(value)
    return f"{name}: {text}\r\n".encode("ascii")
