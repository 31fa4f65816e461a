"""The header fields of a message of the email package, as they were written: RFC 5322 section 2.2.

What the email package makes of a field is not asked for: it leaves out what it cannot read, and
differs from one version of Python to the next.
"""

from __future__ import annotations

import re
from email.errors import (
    FirstHeaderLineIsContinuationDefect,
    MissingHeaderBodySeparatorDefect,
    ObsoleteHeaderDefect,
)
from typing import TYPE_CHECKING, Any

from ..address_list import Found, read_address_list
from ..addresses import AddressLiteral, Domain, Mailbox
from ..errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

__all__ = ["check_header", "field_texts", "mailboxes_of", "unfolded"]

_FOLD = re.compile(r"(?:\r\n|\r|\n)(?=[ \t])")
_CUT_SHORT = (FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect)


def check_header(message: Message) -> None:
    """Refuse a header with a line that is no field: recipients behind it were not read.

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
    """The mailboxes in all fields of a name, without display names, comments and white space.

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
    """The bodies of all fields of a name, unfolded.

    Raises:
        LocalProtocolError: the email package made a value of a field and found a defect in it.
    """
    for found, value in message.raw_items():
        if found.lower() != name.lower():
            continue
        defects = getattr(value, "defects", ())
        for defect in defects:
            # What is obsolete was read as it is meant.
            if not isinstance(defect, ObsoleteHeaderDefect):
                raise LocalProtocolError(
                    f"{name}: {defect}, in {_source(value, message)[:100]!a} (RFC 5322 section 3.4)"
                )
        yield unfolded(str(value))


def _source(value: Any, message: Message) -> str:
    """What a value was made of, which is not the text that it shows."""
    policy: Any = message.policy
    policy = policy.clone(max_line_length=0, utf8=True, linesep="\n")
    _, _, body = str(value.fold(policy=policy)).partition(":")
    return unfolded(body.strip("\n")).strip()


def unfolded(text: str) -> str:
    """The body of a field in one line, in UTF-8 where its octets are that."""
    text = _FOLD.sub("", text)
    if not text.isascii():
        try:
            return text.encode("ascii", "surrogateescape").decode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            # It holds characters already, not octets.
            return text
    return text
