"""Messages that `send` makes from its options."""

from __future__ import annotations

import mimetypes
from email.message import EmailMessage, Message
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from ..conversations.client.header_fields import mailboxes_of
from ..errors import LocalProtocolError
from ..vocabulary.paths import ForwardPath, ReversePath
from .common import CannotRun, file_of, standard_input
from .messages import Source, StoredMessage

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

# Text in 7 bits, so that every server can take it.
POLICY = SMTP.clone(cte_type="7bit")


def add_message(parser: argparse.ArgumentParser) -> None:
    """Declare the options that make a message."""
    group = parser.add_argument_group("a message made on the spot, instead of FILE")
    group.add_argument("--subject", metavar="TEXT", help="its subject")
    group.add_argument(
        "--body", metavar="TEXT", help="its text; @FILE takes it from a file, - from standard input"
    )
    group.add_argument(
        "--html", metavar="TEXT", help="the same text in HTML; @FILE and - as for --body"
    )
    group.add_argument(
        "--header",
        action="append",
        metavar="'NAME: TEXT'",
        help="one more header field; may be given several times, as may --attach",
    )
    group.add_argument("--attach", action="append", metavar="FILE", help="a file to attach")


def wants_message(options: argparse.Namespace) -> bool:
    """Whether one of these options is given."""
    given = (options.subject, options.body, options.html, options.header, options.attach)
    return any(value is not None for value in given)


def compose(options: argparse.Namespace) -> StoredMessage:
    """Return the message that the options describe.

    Raises:
        CannotRun: a file cannot be read, or a header field is none.
    """
    message = EmailMessage(policy=POLICY)
    for field in options.header or ():
        name, colon, text = field.partition(":")
        try:
            if not colon:
                raise ValueError("expected 'NAME: TEXT'")
            message[name.strip()] = text.strip()
        except ValueError as error:
            raise CannotRun(f"--header {field}: {error}") from None
    given = {
        "From": options.sender if options.sender not in (None, "", "<>") else None,
        "To": ", ".join(options.recipients) if options.recipients else None,
        "Subject": options.subject,
        "Date": formatdate(localtime=True),
        "Message-ID": make_msgid(),
    }
    for name, text in given.items():
        if text is not None and name not in message:
            try:
                message[name] = text
            except ValueError as error:
                raise CannotRun(f"{name}: {error}") from None
    _set_content(message, options)
    octets = message.as_bytes()
    return StoredMessage("message", Source(b"", BytesIO(octets)), len(octets))


def _set_content(message: EmailMessage, options: argparse.Namespace) -> None:
    text = _text("--body", options.body)
    html = _text("--html", options.html)
    if text is not None or html is None:
        message.set_content(text or "")
        if html is not None:
            message.add_alternative(html, subtype="html")
    else:
        message.set_content(html, subtype="html")
    for path in options.attach or ():
        kind, encoding = mimetypes.guess_type(path)
        if kind is None or encoding is not None:
            kind = "application/octet-stream"
        maintype, _, subtype = kind.partition("/")
        with file_of("--attach", path):
            octets = Path(path).read_bytes()
        message.add_attachment(octets, maintype=maintype, subtype=subtype, filename=Path(path).name)


def _text(option: str, value: str | None) -> str | None:
    """Return the text that an option names."""
    if value is None or (value != "-" and not value.startswith("@")):
        return value
    with file_of(option, value.removeprefix("@")):
        octets = standard_input().read() if value == "-" else Path(value[1:]).read_bytes()
        return octets.decode("utf-8-sig")


# --- addresses ------------------------------------------------------------------------------------


def recipients_of(texts: Sequence[str] | None) -> list[str] | None:
    """Return the mailboxes that `--to` names: each text is an address, or a list of them.

    Raises:
        LocalProtocolError: a text is no address list.
    """
    if texts is None:
        return None
    return [mailbox for text in texts for mailbox in _mailboxes("--to", text, ForwardPath)]


def sender_of(text: str | None) -> str | None:
    """Return the mailbox that `--from` names; "" for the null reverse-path.

    Raises:
        LocalProtocolError: the text is no address, or several.
    """
    if text is None or text in ("", "<>"):
        return "" if text is not None else None
    found = _mailboxes("--from", text, ReversePath)
    if len(found) != 1:
        raise LocalProtocolError(f"--from: expected one address, found {len(found)}")
    return found[0]


def _mailboxes(option: str, text: str, path: type[ForwardPath | ReversePath]) -> list[str]:
    try:
        path.of(text)
    except LocalProtocolError:
        # Not `EmailMessage`, which replaces what is no character.
        fields = Message()
        # A name of its own keeps the `email` package from parsing the text.
        fields.add_header(option, text)
        return mailboxes_of(fields, option)
    return [text]
