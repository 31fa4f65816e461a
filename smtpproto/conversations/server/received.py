"""The trace field that a server puts on top of each message: RFC 5321 section 4.4.

What it calls the protocol is registered by RFC 3848, and by RFC 6531 section 4.3 for messages that
may hold UTF-8.
"""

from __future__ import annotations

import re
from email.utils import format_datetime
from typing import TYPE_CHECKING

from ...extensions import SmtpUtf8Parameter
from ...vocabulary.addresses import AddressLiteral, Domain
from ...vocabulary.lenient_commands import NoDomain
from ...vocabulary.session import Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from ...vocabulary.session import Session
    from ..envelope import Envelope

__all__ = ["Separator", "protocol_keyword", "received"]

# ID = FWS "ID" FWS ( Atom / msg-id ): here an atom, with dots, as everybody has it.
_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,128}")
# What a header field begins with: its name, and white space that old programs put before the colon
# (RFC 5322 sections 2.2 and 4.5).
_FIELD_NAME = re.compile(rb"([!-9;-~]*)[ \t]*")
# Octets of a line without its CRLF (RFC 5322 section 2.1.1): no field name is longer.
_LONGEST = 998
# What may stand in a comment without quoting (RFC 5322 section 3.2.2).
_NO_COMMENT = re.compile(r"[^A-Za-z0-9_.:-]")


def received(session: Session, envelope: Envelope, when: datetime, identifier: str) -> bytes:
    """The field, folded, with CRLF line endings, the last one included.

    Says who the client is, by its own word and by its address, how the message came, and for whom
    if that is only one recipient: of several each would learn of the others.  Who authenticated is
    not told.

    What stands below it is the client's: see `Separator`.

    Arguments:
        session: in which the message came.
        envelope: with which it came.
        when: with its time zone.
        identifier: of the message here, such as its name in the queue.

    Raises:
        ValueError: the time has no zone, or the identifier cannot stand there.
        LocalProtocolError: the server's host name is no domain.
    """
    if when.utcoffset() is None:
        raise ValueError("Received: expected a time with its zone (RFC 5322 section 3.3)")
    if _ID.fullmatch(identifier) is None:
        raise ValueError(
            f"Received: expected an identifier of 1 to 128 letters, digits and such, found "
            f"{identifier[:64]!a} (RFC 5321 section 4.4)"
        )
    keyword = protocol_keyword(session, envelope)
    lines = [
        f"Received: from {_client(session)}",
        f"by {Domain.parse(session.hostname)} with {keyword}{_cipher(session)} id {identifier}",
    ]
    if len(envelope.recipients) == 1:
        lines.append(f"for {envelope.recipients[0].forward_path}")
    lines[-1] += ";"
    lines.append(format_datetime(when))
    return "\r\n\t".join(lines).encode("utf-8") + b"\r\n"


class Separator:
    """Keeps content apart from trace fields that are put on top of it.

    A line that begins with white space goes on with the field above it (RFC 5322 section 2.2.3), so
    content that begins with one would add to a field that vouches for it.  Where content does not
    begin with a header field, an empty line comes first, and all of it is the body.
    """

    __slots__ = ("_decided", "_held")

    def __init__(self) -> None:
        self._held = b""
        self._decided = False

    def feed(self, chunk: bytes) -> bytes:
        """Some octets of the content as they may follow the fields.

        As long as nothing is known of the first line they are held back, 998 of them at most.
        """
        if self._decided:
            return chunk
        held = self._held + chunk
        match = _FIELD_NAME.match(held)
        assert match is not None
        end = match.end()
        if end == len(held) <= _LONGEST or held == b"\r":
            self._held = held
            return b""
        is_field = match[1] and end <= _LONGEST and held[end : end + 1] == b":"
        # An empty line is there already if the content begins with one.
        return self._decide(held, apart=not is_field and not held.startswith((b"\r\n", b"\n")))

    def finish(self) -> bytes:
        """What is left at the end of the content."""
        return self._decide(self._held, apart=bool(self._held))

    def _decide(self, held: bytes, *, apart: bool) -> bytes:
        self._decided, self._held = True, b""
        return b"\r\n" + held if apart else held


def protocol_keyword(session: Session, envelope: Envelope) -> str:
    """How the message came, such as ESMTPSA (RFC 3848 section 1, RFC 6531 section 4.3)."""
    lmtp = session.protocol is Protocol.LMTP
    if not lmtp and not session.extended:
        return "SMTP"
    # With UTF-8 the E is left out: there is no other such SMTP.
    utf8 = envelope.mail.get(SmtpUtf8Parameter) is not None
    name = "LMTP" if lmtp else "SMTP" if utf8 else "ESMTP"
    secure = "S" if session.tls is not None else ""
    known = "A" if session.identity is not None else ""
    return f"{'UTF8' if utf8 else ''}{name}{secure}{known}"


def _client(session: Session) -> str:
    """What the client calls itself, and its address: Extended-Domain with TCP-info."""
    name = str(session.name) if session.name is not None else ""
    if isinstance(session.name, NoDomain):
        # Whatever it is, it must not begin a comment, nor end the clause.
        name = _NO_COMMENT.sub("?", name)
    address = _address_literal(session.peer)
    if not name:
        return f"{address} ({address})" if address else "unknown"
    return f"{name} ({address})" if address else name


def _address_literal(peer: str) -> str:
    try:
        return str(AddressLiteral.of(peer))
    except ValueError:
        # A Unix socket has a path, or nothing.
        return ""


def _cipher(session: Session) -> str:
    """A comment about TLS, as many servers have it."""
    tls = session.tls
    if tls is None:
        return ""
    words = [_NO_COMMENT.sub("?", word[:64]) for word in (tls.version, tls.cipher) if word]
    return f" ({' '.join(words)})" if words else ""
