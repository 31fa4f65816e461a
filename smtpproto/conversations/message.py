"""From an `EmailMessage` to an envelope and content: RFC 5321 section 3.3, RFC 5322 section 3.6."""

from __future__ import annotations

import copy
import email.policy
from email.generator import BytesGenerator
from email.utils import getaddresses
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

from ..extensions import EightBitMime
from .outcome import Envelope

if TYPE_CHECKING:
    from collections.abc import Iterable
    from email.message import EmailMessage

    from ..session import Offered

__all__ = ["content_of", "envelope_of", "split_header"]


def envelope_of(
    message: EmailMessage, sender: str | None = None, recipients: Iterable[str] | None = None
) -> Envelope:
    """Sender and recipients as the header gives them, where they are not given.

    Arguments:
        message: its Sender, else From, and its To, Cc and Bcc are used.
        sender: the reverse-path instead; empty for the null reverse-path.
        recipients: the recipients instead.

    Raises:
        LocalProtocolError: an address is no mailbox.
        ValueError: there is no sender or no recipient.
    """
    if sender is None:
        fields = message.get_all("Sender") or message.get_all("From") or []
        senders = [address for _, address in getaddresses(map(str, fields)) if address]
        if not senders:
            raise ValueError("the message names no sender: give one")
        sender = senders[0]
    if recipients is None:
        fields = [
            str(field) for name in ("To", "Cc", "Bcc") for field in message.get_all(name, [])
        ]
        recipients = dict.fromkeys(address for _, address in getaddresses(fields) if address)
    return Envelope.of(sender, recipients)


def content_of(message: EmailMessage, offered: Offered[object]) -> bytes:
    """The message as content, without Bcc, with CRLF line endings; 7-bit unless 8BITMIME is offered."""
    if "Bcc" in message:
        message = copy.copy(message)
        del message["Bcc"]
    cte = "8bit" if EightBitMime in offered else "7bit"
    buffer = BytesIO()
    policy = email.policy.SMTP.clone(cte_type=cte)
    BytesGenerator(buffer, policy=policy).flatten(message)
    return buffer.getvalue()


def split_header(file: BinaryIO) -> tuple[bytes, bytes]:
    """The header of a message in a file, without Bcc, and what else was read with it.

    Arguments:
        file: at the beginning of a message, with any line endings.

    Raises:
        ValueError: the header has more than a MiB.
    """
    lines: list[bytes] = []
    size = 0
    left_out = False
    while (line := file.readline(HEADER_MOST)) not in (b"", b"\n", b"\r\n"):
        size += len(line)
        if size >= HEADER_MOST:
            raise ValueError("the header of the message has more than a MiB")
        if line[:1] not in (b" ", b"\t"):
            left_out = line[:4].lower() == b"bcc:"
        if not left_out:
            lines.append(line)
    return b"".join(lines), line


HEADER_MOST = 1024 * 1024
