"""The Received field that a server adds to each message: RFC 5321 section 4.4.

RFC 3848 registers the protocol names, and RFC 6531 section 4.3 those for messages that may hold
UTF-8.
"""

from __future__ import annotations

from email.utils import format_datetime
from typing import TYPE_CHECKING

from ...extensions import SmtpUtf8Parameter
from ...grammar.lazy_pattern import lazy_pattern
from ...vocabulary.addresses import AddressLiteral, Domain
from ...vocabulary.lenient_commands import NoDomain
from ...vocabulary.session_facts import Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from ...vocabulary.session_facts import Session
    from ..envelope import Envelope

__all__ = ["Separator", "protocol_keyword", "received"]

# ID = FWS "ID" FWS ( Atom / msg-id ): here an atom, with dots, as most servers write it.
_ID = lazy_pattern(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,128}")
# The beginning of a header field: its name, and white space that old programs put before the colon
# (RFC 5322 sections 2.2 and 4.5).
_FIELD_NAME = lazy_pattern(rb"([!-9;-~]*)[ \t]*")
# Octets of a line without its CRLF (RFC 5322 section 2.1.1): no field name is longer.
_LONGEST = 998
# Characters that a comment may hold unquoted (RFC 5322 section 3.2.2).
_NO_COMMENT = lazy_pattern(r"[^A-Za-z0-9_.:-]")


def received(session: Session, envelope: Envelope, when: datetime, identifier: str) -> bytes:
    """Return the field, folded, with CRLF line endings, also at its end.

    It holds the client's name and address and the protocol.  It names the recipient if there is
    only one, because recipients must not see each other.  It does not hold the client's identity.

    Use `Separator` to separate the content from it.

    Arguments:
        session: the session of the message.
        envelope: the envelope of the message.
        when: the time, with its time zone.
        identifier: the message's identifier here, such as its name in the queue.

    Raises:
        ValueError: the time has no zone, or the identifier has other characters.
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
    """Separates content from the trace fields before it.

    A line that begins with white space continues the field above it (RFC 5322 section 2.2.3).  So
    content with such a first line could add text to our field.  If the content does not begin with
    a header field, an empty line comes first, and all of the content is the body.
    """

    __slots__ = ("_decided", "_held")

    def __init__(self) -> None:
        self._held = b""
        self._decided = False

    def feed(self, chunk: bytes) -> bytes:
        """Return octets of the content, ready to follow the fields.

        It keeps back at most 998 octets until it knows what the first line is.
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
        # If the content begins with an empty line, it needs no second one.
        return self._decide(held, apart=not is_field and not held.startswith((b"\r\n", b"\n")))

    def finish(self) -> bytes:
        """Return the octets still kept back, at the end of the content."""
        return self._decide(self._held, apart=bool(self._held))

    def _decide(self, held: bytes, *, apart: bool) -> bytes:
        self._decided, self._held = True, b""
        return b"\r\n" + held if apart else held


def protocol_keyword(session: Session, envelope: Envelope) -> str:
    """Return the protocol name, such as ESMTPSA (RFC 3848 section 1, RFC 6531 section 4.3)."""
    lmtp = session.protocol is Protocol.LMTP
    if not lmtp and not session.extended:
        return "SMTP"
    # The names with UTF-8 have no E, because SMTPUTF8 implies ESMTP.
    utf8 = envelope.mail.get(SmtpUtf8Parameter) is not None
    name = "LMTP" if lmtp else "SMTP" if utf8 else "ESMTP"
    secure = "S" if session.tls is not None else ""
    known = "A" if session.identity is not None else ""
    return f"{'UTF8' if utf8 else ''}{name}{secure}{known}"


def _client(session: Session) -> str:
    """Return the client's name and address: Extended-Domain with TCP-info."""
    name = str(session.name) if session.name is not None else ""
    if isinstance(session.name, NoDomain):
        # The name must not begin a comment, nor end the clause.
        name = _NO_COMMENT.sub("?", name)
    address = _address_literal(session.peer)
    if not name:
        return f"{address} ({address})" if address else "unknown"
    return f"{name} ({address})" if address else name


def _address_literal(peer: str) -> str:
    try:
        return str(AddressLiteral.of(peer))
    except ValueError:
        # For a Unix socket the peer is a path, or empty.
        return ""


def _cipher(session: Session) -> str:
    """Return a comment about TLS, in the form that many servers use."""
    tls = session.tls
    if tls is None:
        return ""
    words = [_NO_COMMENT.sub("?", word[:64]) for word in (tls.version, tls.cipher) if word]
    return f" ({' '.join(words)})" if words else ""
