"""What a message needs of a server: the smallest set of service extensions that can carry it.

8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531), SIZE (RFC 1870).  What the server does not offer is found
out before MAIL, so that nothing is sent in vain.  BINARYMIME (RFC 3030) has to be asked for in the
envelope.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from ..addresses import Domain, ForwardPath, ReversePath
from ..commands import Mail, Rcpt
from ..errors import LocalProtocolError
from ..extensions import Body, DeclaredSize, EightBitMime, Internationalized, Size, SmtpUtf8
from .outcome import Envelope

if TYPE_CHECKING:
    from ..session import Offered
    from .content import ContentSource

__all__ = ["ToASCII", "fit", "is_binary", "unfit"]

ToASCII = Callable[[Domain], Domain]
"""Gives a domain with A-labels for one with U-labels, such as `smtpproto.idn.to_ascii`."""

P = TypeVar("P", ReversePath, ForwardPath)


def is_binary(envelope: Envelope) -> bool:
    """Whether the envelope declares content of any octets (RFC 3030 section 3)."""
    body = envelope.mail.get(Body)
    return body is not None and body.kind == "BINARYMIME"


def fit(
    envelope: Envelope,
    source: ContentSource,
    offered: Offered[object],
    to_ascii: ToASCII | None = None,
) -> Envelope:
    """The envelope with the parameters that this message needs, out of what a server offers.

    Arguments:
        envelope: parameters that it has already stay as they are.
        source: the content; of a stream no more is known than the envelope says.
        offered: by the server.
        to_ascii: what to do about domains with U-labels where SMTPUTF8 is not offered; None:
            nothing.

    Raises:
        LocalProtocolError: the message needs what the server does not offer.
    """
    needs_utf8 = source.utf8_header or not _is_ascii(envelope)
    if needs_utf8 and SmtpUtf8 not in offered:
        envelope = _without_utf8(envelope, source, to_ascii)
        needs_utf8 = False
    mail = envelope.mail
    parameters = list(mail.parameters)
    size = len(source.octets or b"") if is_binary(envelope) else source.size
    if source.octets is not None and Size in offered and mail.get(DeclaredSize) is None:
        assert size is not None
        parameters.append(DeclaredSize(size))
    if mail.get(Body) is None and source.eight_bit is not False:
        if EightBitMime in offered:
            parameters.append(Body("8BITMIME"))
        elif source.eight_bit:
            raise unfit("octets above 127, and the server does not offer 8BITMIME", "5.6.3", "6152")
    if needs_utf8 and mail.get(Internationalized) is None:
        parameters.append(Internationalized())
    return replace(envelope, mail=replace(mail, parameters=tuple(parameters)))


def unfit(what: str, enhanced: str, rfc: str) -> LocalProtocolError:
    """The error for a message that a server cannot take."""
    return LocalProtocolError(f"the message has {what} (RFC {rfc})", code=554, enhanced=enhanced)


def _is_ascii(envelope: Envelope) -> bool:
    commands: tuple[Mail | Rcpt, ...] = (envelope.mail, *envelope.recipients)
    parameters = [str(p) for each in commands if each.parameters for p in each.parameters]
    paths = (envelope.reverse_path, *envelope.forward_paths)
    return all(map(str.isascii, map(str, paths))) and all(map(str.isascii, parameters))


def _without_utf8(envelope: Envelope, source: ContentSource, to_ascii: ToASCII | None) -> Envelope:
    """The same envelope in ASCII, if it has such a form."""
    if source.utf8_header:
        raise unfit("a header in UTF-8, and the server does not offer SMTPUTF8", "5.6.7", "6531")
    if to_ascii is not None:
        mail = replace(envelope.mail, reverse_path=_in_ascii(envelope.reverse_path, to_ascii))
        recipients = tuple(
            replace(rcpt, forward_path=_in_ascii(rcpt.forward_path, to_ascii))
            for rcpt in envelope.recipients
        )
        envelope = Envelope(mail, recipients)
    if not _is_ascii(envelope):
        raise unfit(
            "an address that is not ASCII, and the server does not offer SMTPUTF8", "5.6.7", "6531"
        )
    return envelope


def _in_ascii(path: P, to_ascii: ToASCII) -> P:
    mailbox = path.mailbox
    if mailbox is None or not isinstance(mailbox.domain, Domain) or mailbox.domain.ascii:
        return path
    return replace(path, mailbox=replace(mailbox, domain=to_ascii(mailbox.domain)))
