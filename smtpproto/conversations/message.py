"""From an `EmailMessage` to an envelope and content: RFC 5321 section 3.3, RFC 5322 section 3.6.

A server without 8BITMIME gets the message in 7 bits (RFC 6152 section 3), one without SMTPUTF8 gets
A-labels in place of U-labels where that is all it takes (RFC 6531 section 3.2).
"""

from __future__ import annotations

import copy
import email.encoders
import email.policy
import re
from email.generator import BytesGenerator
from email.headerregistry import Address, Group
from email.message import Message
from email.utils import getaddresses
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from ..addresses import Domain
from ..errors import LocalProtocolError
from ..extensions import EightBitMime, SmtpUtf8
from .fields import check_header, mailboxes_of
from .needs import unfit
from .outcome import Envelope

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..session import Offered
    from .needs import ToASCII

__all__ = ["content_of", "envelope_of", "read_header", "without_bcc"]

HEADER_MOST = 1024 * 1024
# The field's name, its line, and those that continue it; a CR alone is sent as CRLF, too.
_END = rb"(?:\r\n?|\n)"
_BCC = re.compile(
    rb"(?:\A|(?<=[\r\n]))(?:resent-)?bcc[ \t]*:"
    rb"[^\r\n]*(?:" + _END + rb"[ \t][^\r\n]*)*" + _END + rb"?",
    re.IGNORECASE,
)

_RECIPIENTS = ("To", "Cc", "Bcc")
_ADDRESSES = ("From", "Sender", "Reply-To", "To", "Cc")
_HIDDEN = ("Bcc", "Resent-Bcc")
# What is signed or encrypted must not be touched (RFC 1847 section 2.1).
_SEALED = frozenset({"multipart/signed", "multipart/encrypted"})


def envelope_of(
    message: Message, sender: str | None = None, recipients: Iterable[str] | None = None
) -> Envelope:
    """Sender and recipients as the header gives them, where they are not given.

    Of a message that was resent, those of the Resent- fields (RFC 5322 section 3.6.6).

    Arguments:
        message: its Sender, else From, and its To, Cc and Bcc are used; all of them have to be
            address lists to their last character (RFC 5322 section 3.4).
        sender: the reverse-path instead; empty for the null reverse-path.
        recipients: the recipients instead.

    Raises:
        LocalProtocolError: a field or line of the header that could name somebody cannot be read,
            or an address is no mailbox.
        ValueError: there is no sender or no recipient, or the message was resent more than once.
    """
    if sender is None or recipients is None:
        check_header(message)
        prefix = _prefix(message)
        if sender is None:
            sender = _sender(message, prefix)
        if recipients is None:
            found = [mailboxes_of(message, prefix + name) for name in _RECIPIENTS]
            recipients = dict.fromkeys(mailbox for mailboxes in found for mailbox in mailboxes)
    return Envelope.of(sender, recipients)


def _sender(message: Message, prefix: str) -> str:
    """The mailbox in Sender; where there is none, the first one in From."""
    authors = mailboxes_of(message, f"{prefix}From")
    senders = mailboxes_of(message, f"{prefix}Sender")
    if len(senders) > 1:
        raise LocalProtocolError(
            f"{prefix}Sender: expected one address, found {len(senders)} (RFC 5322 section 3.6.2)"
        )
    if not (senders or authors):
        raise ValueError("the message names no sender: give one")
    return (senders or authors)[0]


def _prefix(message: Message) -> str:
    resent = len(message.get_all("Resent-Date") or ())
    if resent > 1:
        raise ValueError("the message was resent more than once: give sender and recipients")
    return "Resent-" if resent else ""


def _addresses(message: Message, name: str) -> list[str]:
    fields = [str(field) for field in message.get_all(name) or ()]
    return [address for _, address in getaddresses(fields) if address]


def content_of(
    message: Message, offered: Offered[object], to_ascii: ToASCII | None = None
) -> bytes:
    """The message as content that a server can take, with CRLF line endings, without Bcc.

    Arguments:
        message: it stays as it is.
        offered: by the server.
        to_ascii: what makes A-labels of U-labels where the server does not offer SMTPUTF8, such as
            `smtpproto.idn.to_ascii`.

    Raises:
        LocalProtocolError: the message needs what the server does not offer.
    """
    message = copy.copy(message)
    for name in _HIDDEN:
        del message[name]
    eight_bit, utf8 = EightBitMime in offered, False
    if any(not address.isascii() for name in _names() for address in _addresses(message, name)):
        utf8 = SmtpUtf8 in offered
        if not utf8:
            _make_ascii(message, to_ascii)
    if any(_unfit_parts(message, eight_bit=eight_bit)):
        message = copy.deepcopy(message)
        _encode_parts(message, eight_bit=eight_bit)
    return _flatten(message, eight_bit=eight_bit, utf8=utf8)


def _names() -> Iterator[str]:
    for name in _ADDRESSES:
        yield from (name, f"Resent-{name}")


def _flatten(message: Message, *, eight_bit: bool, utf8: bool) -> bytes:
    policy: Any = message.policy.clone(linesep="\r\n", cte_type="8bit" if eight_bit else "7bit")
    if utf8:
        policy = policy.clone(utf8=True)
    buffer = BytesIO()
    BytesGenerator(buffer, mangle_from_=False, policy=policy).flatten(message)
    return buffer.getvalue()


def _make_ascii(message: Message, to_ascii: ToASCII | None) -> None:
    """Put A-labels in place of the U-labels in the addresses of the header.

    Raises:
        LocalProtocolError: that is not all it takes, or nobody says how.
    """
    for name in _names():
        for field in message.get_all(name) or ():
            if all(address.isascii() for _, address in getaddresses([str(field)])):
                continue
            groups = getattr(field, "groups", None)
            if to_ascii is None or groups is None or len(message.get_all(name) or ()) > 1:
                raise unfit(
                    f"an address in {name} that is not ASCII; the server does not offer SMTPUTF8",
                    "5.6.7",
                    "6531",
                )
            replaced = [_group_in_ascii(group, name, to_ascii) for group in groups]
            # An EmailMessage takes groups as well as text.
            message.replace_header(name, cast("str", replaced))


def _group_in_ascii(group: Group, name: str, to_ascii: ToASCII) -> Group:
    addresses = []
    for address in group.addresses:
        if not address.username.isascii():
            raise unfit(
                f"a local-part in {name} that is not ASCII, and the server does not offer SMTPUTF8",
                "5.6.7",
                "6531",
            )
        domain = address.domain
        if not domain.isascii():
            domain = str(to_ascii(Domain(domain)))
        addresses.append(Address(address.display_name, address.username, domain))
    return Group(group.display_name, tuple(addresses))


def _unfit_parts(
    message: Message, *, eight_bit: bool, sealed: bool = False
) -> Iterator[tuple[Message, bool]]:
    """The parts that have to be encoded, each with whether it must not be touched."""
    if message.is_multipart():
        sealed = sealed or message.get_content_type() in _SEALED
        for part in message.get_payload():
            assert isinstance(part, Message)
            yield from _unfit_parts(part, eight_bit=eight_bit, sealed=sealed)
        return
    encoding = _encoding(message)
    if encoding == "binary":
        yield message, sealed
    elif not eight_bit and encoding in ("", "7bit", "8bit"):
        octets = message.get_payload(decode=True)
        if isinstance(octets, bytes) and not octets.isascii():
            yield message, sealed


def _encoding(message: Message) -> str:
    return str(message.get("Content-Transfer-Encoding", "")).strip().lower()


def _encode_parts(message: Message, *, eight_bit: bool) -> None:
    """Encode what cannot be sent as it is, in place (RFC 6152 section 3, RFC 3030 section 3).

    Raises:
        LocalProtocolError: it is signed or encrypted.
    """
    for part, sealed in _unfit_parts(message, eight_bit=eight_bit):
        if sealed:
            raise unfit(
                "a signed or encrypted part that would have to be encoded, which breaks it; the "
                f"server does not offer {'BINARYMIME' if eight_bit else '8BITMIME'}",
                "5.6.3",
                "6152",
            )
        octets = part.get_payload(decode=True)
        assert isinstance(octets, bytes)
        del part["Content-Transfer-Encoding"]
        if part.get_content_maintype() == "text":
            # The encoder wants lines that end with a line feed.
            part.set_payload(octets.replace(b"\r\n", b"\n"))
            email.encoders.encode_quopri(part)
        else:
            part.set_payload(octets)
            email.encoders.encode_base64(part)
    for part in message.walk():
        # What holds others says what they need at most.
        if part.is_multipart() and _encoding(part) not in ("", "7bit"):
            part.replace_header("Content-Transfer-Encoding", "8bit" if eight_bit else "7bit")


def read_header(file: BinaryIO) -> bytes:
    """The header of a message in a file, with the empty line that ends it if there is one.

    Arguments:
        file: at the beginning of a message, with any line endings; left where the body begins.

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


def without_bcc(header: bytes) -> bytes:
    """A header, with any line endings, without its Bcc fields (RFC 5322 section 3.6.3)."""
    return _BCC.sub(b"", header)
