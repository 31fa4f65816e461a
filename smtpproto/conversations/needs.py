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

__all__ = ["ToASCII", "Unfit", "fit", "is_binary", "unfit"]

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
        source: the content; what is not known of a stream is refused when it comes, unless the
            parameters that the envelope has already allow for it.
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
    body = _body(mail.get(Body), source, offered)
    if body is not None and mail.get(Body) is None:
        parameters.append(body)
    if needs_utf8 and mail.get(Internationalized) is None:
        parameters.append(Internationalized())
    elif mail.get(Internationalized) is None:
        source.utf8_refusal = _late_utf8(offered)
    return replace(envelope, mail=replace(mail, parameters=tuple(parameters)))


def _body(given: Body | None, source: ContentSource, offered: Offered[object]) -> Body | None:
    """What MAIL says of the body, and what the source must not hold then."""
    if given is None:
        if source.eight_bit is False:
            return None
        if EightBitMime in offered:
            return Body("8BITMIME")
        refusal = unfit("octets above 127, and the server does not offer 8BITMIME", "5.6.3", "6152")
    elif given.kind == "7BIT":
        refusal = unfit("octets above 127, and its envelope says BODY=7BIT", "5.6.3", "6152")
    else:
        return given
    if source.eight_bit:
        raise refusal
    source.eight_bit_refusal = refusal
    return given


def _late_utf8(offered: Offered[object]) -> LocalProtocolError:
    """What is wrong with UTF-8 in the header of a part, once MAIL was sent without SMTPUTF8."""
    if SmtpUtf8 not in offered:
        return unfit("a header in UTF-8, and the server does not offer SMTPUTF8", "5.6.7", "6531")
    return unfit(
        "a part with a header in UTF-8, which was not known before MAIL: give bytes, or an "
        "envelope with the parameter SMTPUTF8",
        "5.6.7",
        "6531",
    )


class Unfit(LocalProtocolError):
    """The message holds what the server cannot take."""


def unfit(what: str, enhanced: str, rfc: str) -> Unfit:
    """The error for a message that a server cannot take."""
    return Unfit(f"the message has {what} (RFC {rfc})", code=554, enhanced=enhanced)


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
