"""What a message needs of a server, and the plan that follows from it.

The plan has the smallest set of service extensions that can carry the message: 8BITMIME (RFC 6152),
SMTPUTF8 (RFC 6531), SIZE (RFC 1870).  What the server does not offer is found out before MAIL, so
that nothing is sent in vain.  BINARYMIME (RFC 3030) has to be asked for in the envelope.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from ...errors import LocalProtocolError
from ...extensions import (
    Body,
    Chunking,
    EightBitMime,
    Pipelining,
    ServerLimits,
    Size,
    SizeParameter,
    SmtpUtf8,
    SmtpUtf8Parameter,
)
from ...extensions.chunking import is_binary
from ...vocabulary.addresses import Domain, ForwardPath, ReversePath
from ...vocabulary.commands import Mail, Rcpt
from ...wire import LineEndings
from ..envelope import Envelope
from ..requests import Flow

if TYPE_CHECKING:
    from ...vocabulary.session import Offered
    from .content_source import ContentSource

__all__ = ["Plan", "ToASCII", "Unfit", "make_plan", "unfit"]

ToASCII = Callable[[Domain], Domain]
"""Gives a domain with A-labels for one with U-labels, such as `smtpproto.idn.to_ascii`."""

P = TypeVar("P", ReversePath, ForwardPath)


@dataclass(slots=True)
class Plan:
    """How a message goes to a server.

    Arguments:
        mail: MAIL with all its parameters.
        recipients: an RCPT for each recipient of the envelope.
        batches: the recipients of each mail transaction, by index.
        pipelined: whether the envelope leaves in one group (RFC 2920).
        chunked: whether the content goes in counted chunks (RFC 3030), else after DATA.
        binary: whether the content may be any octets, so that line endings mean nothing in it.
    """

    mail: Mail
    recipients: tuple[Rcpt, ...]
    batches: list[list[int]]
    pipelined: bool
    chunked: bool
    binary: bool


def make_plan(
    envelope: Envelope,
    source: ContentSource,
    offered: Offered,
    line_endings: LineEndings = LineEndings.REFUSE,
    *,
    chunking: bool = False,
    to_ascii: ToASCII | None = None,
) -> Flow[Plan]:
    """Look at an envelope and at content, and plan how both go to a server.

    Arguments:
        envelope: parameters that it has already stay as they are.
        source: the content.  A stream is read up to the end of its header; what is not known of it
            then is refused when it comes, unless the parameters of the envelope allow for it.
        offered: by the server.
        line_endings: what happens to a bare CR or LF in content that is not binary.
        chunking: whether the content is to go in chunks where that is possible.
        to_ascii: what to do about domains with U-labels where SMTPUTF8 is not offered; None:
            nothing.

    Raises:
        LocalProtocolError: the message needs what the server does not offer, or several mail
            transactions (RFC 9422) where the content can be read only once.
        Exception: whatever reading the content raised.
    """
    limits = offered.get(ServerLimits)
    everyone = list(range(len(envelope.recipients)))
    batches = [everyone] if limits is None else limits.batches(envelope.recipients)
    if len(batches) > 1 and not (yield from source.keep()):
        raise LocalProtocolError(
            f"the server's limits make {len(batches)} mail transactions of this (RFC 9422), and "
            "this content can be read only once: give bytes, a file that can be rewound, or what "
            "can be iterated over again"
        )
    if source.octets is None:
        yield from source.look()
    binary = is_binary(envelope.mail)
    if not binary:
        source.check(line_endings)
    envelope, utf8 = _with_paths(envelope, source, offered, to_ascii)
    return Plan(
        _with_parameters(envelope.mail, source, offered, binary=binary, utf8=utf8),
        envelope.recipients,
        batches,
        pipelined=Pipelining in offered,
        chunked=Chunking in offered and (chunking or binary),
        binary=binary,
    )


def _with_paths(
    envelope: Envelope, source: ContentSource, offered: Offered, to_ascii: ToASCII | None
) -> tuple[Envelope, bool]:
    """The envelope with paths that the server can take, and whether it needs SMTPUTF8."""
    utf8 = source.utf8_header or not _is_ascii(envelope)
    if utf8 and SmtpUtf8 not in offered:
        return _without_utf8(envelope, source, to_ascii), False
    return envelope, utf8


def _with_parameters(
    mail: Mail, source: ContentSource, offered: Offered, *, binary: bool, utf8: bool
) -> Mail:
    """MAIL with the parameters that it needs besides those that it has."""
    parameters = list(mail.parameters)
    size = source.octets_sent(binary=binary)
    if size is not None and Size in offered and mail.get(SizeParameter) is None:
        parameters.append(SizeParameter(size))
    body = _body(mail.get(Body), source, offered)
    if body is not None and mail.get(Body) is None:
        parameters.append(body)
    if mail.get(SmtpUtf8Parameter) is None:
        if utf8:
            parameters.append(SmtpUtf8Parameter())
        elif source.octets is None:
            source.utf8_refusal = _late_utf8(offered)
    return Mail(mail.reverse_path, tuple(parameters))


def _body(given: Body | None, source: ContentSource, offered: Offered) -> Body | None:
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


def _late_utf8(offered: Offered) -> LocalProtocolError:
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
    mail, recipients = envelope.mail, envelope.recipients
    words = [str(rcpt.forward_path) for rcpt in recipients]
    words += [str(parameter) for rcpt in recipients for parameter in rcpt.parameters]
    words += [str(mail.reverse_path), *map(str, mail.parameters)]
    return "".join(words).isascii()


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
