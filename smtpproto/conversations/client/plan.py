"""`make_plan`: what a message needs of a server, and how it is sent.

The plan uses the fewest service extensions that can carry the message: 8BITMIME (RFC 6152),
SMTPUTF8 (RFC 6531), SIZE (RFC 1870).  It is made before MAIL, so nothing is sent if the server
lacks one of them.  The envelope must ask for BINARYMIME (RFC 3030).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypeVar

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
from ...extensions.eight_bit_mime import is_binary
from ...extensions.smtputf8 import is_ascii
from ...vocabulary.addresses import Domain
from ...vocabulary.commands import Mail, Rcpt
from ...vocabulary.parameters import Parameter
from ...vocabulary.paths import ForwardPath, ReversePath
from ...wire import LineEndings
from ..envelope import Envelope
from ..io_requests import Flow

if TYPE_CHECKING:
    from ...vocabulary.session_facts import Offered
    from .content_source import ContentSource

__all__ = ["CannotBeSent", "Plan", "ToASCII", "cannot_be_sent", "make_plan"]

ToASCII = Callable[[Domain], Domain]
"""Converts the U-labels of a domain to A-labels, such as `smtpproto.idn.to_ascii`."""

P = TypeVar("P", ReversePath, ForwardPath)


class Plan(NamedTuple):
    """How to send a message to a server.

    Arguments:
        mail: MAIL with all its parameters.
        recipients: an RCPT for each recipient of the envelope.
        batches: the recipients of each mail transaction, by index.
        pipelined: whether the envelope is sent in one group (RFC 2920).
        chunked: whether the content is sent in counted chunks (RFC 3030), else after DATA.
        binary: whether the content may be any octets, so that it has no line endings.
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
    """Examine an envelope and its content, and plan how to send them.

    Arguments:
        envelope: its own parameters are kept.
        source: the content.  A stream is read up to the end of its header.  What the rest needs is
            refused later, unless the parameters of the envelope declare it.
        offered: the server's service extensions.
        line_endings: what happens to a bare CR or LF in content that is not binary.
        chunking: whether to send the content in chunks if possible.
        to_ascii: converts U-labels to A-labels if the server does not offer SMTPUTF8; None: such
            addresses are refused.

    Raises:
        LocalProtocolError: the message needs an extension that the server does not offer, or
            several mail transactions (RFC 9422) with content that can be read only once.
        Exception: any error of reading the content.
    """
    limits = offered.get(ServerLimits)
    everyone = list(range(len(envelope.recipients)))
    batches = [everyone] if limits is None else limits.batches(envelope.recipients)
    if len(batches) > 1 and not (yield from source.keep()):
        raise LocalProtocolError(
            f"the server's limits require {len(batches)} mail transactions (RFC 9422), but this "
            "content can be read only once: give bytes, a file that can be rewound, or an iterable "
            "that can be iterated again"
        )
    if source.octets is None:
        yield from source.look()
    binary = is_binary(envelope.mail)
    if not binary:
        source.check(line_endings)
    utf8 = source.utf8_header or not _is_ascii(envelope)
    if utf8 and SmtpUtf8 not in offered:
        # Use paths that the server can accept.
        envelope, utf8 = _without_utf8(envelope, source, to_ascii), False
    return Plan(
        _with_parameters(envelope.mail, source, offered, binary=binary, utf8=utf8),
        envelope.recipients,
        batches,
        pipelined=Pipelining in offered,
        chunked=Chunking in offered and (chunking or binary),
        binary=binary,
    )


def _with_parameters(
    mail: Mail, source: ContentSource, offered: Offered, *, binary: bool, utf8: bool
) -> Mail:
    """Return MAIL with the parameters that it needs in addition to its own."""
    parameters: list[Parameter] = []
    if Size in offered and mail.get(SizeParameter) is None:
        size = source.octets_sent(binary=binary)
        if size is not None:
            parameters.append(SizeParameter(size))
    given = mail.get(Body)
    body = _body(given, source, offered)
    if body is not None and given is None:
        parameters.append(body)
    if mail.get(SmtpUtf8Parameter) is None:
        if utf8:
            parameters.append(SmtpUtf8Parameter())
        elif source.octets is None:
            source.utf8_refusal = _late_utf8(offered)
    return Mail(mail.reverse_path, (*mail.parameters, *parameters)) if parameters else mail


def _body(given: Body | None, source: ContentSource, offered: Offered) -> Body | None:
    """Return the BODY parameter, and set what the source must not hold then."""
    if given is None:
        if source.eight_bit is False:
            return None
        if EightBitMime in offered:
            return Body("8BITMIME")
        refusal = cannot_be_sent(
            "octets above 127, and the server does not offer 8BITMIME", "5.6.3", "6152"
        )
    elif given.kind == "7BIT":
        refusal = cannot_be_sent(
            "octets above 127, and its envelope says BODY=7BIT", "5.6.3", "6152"
        )
    else:
        return given
    if source.eight_bit:
        raise refusal
    source.eight_bit_refusal = refusal
    return given


def _late_utf8(offered: Offered) -> LocalProtocolError:
    """Return the error for UTF-8 in the header of a part after MAIL without SMTPUTF8."""
    if SmtpUtf8 not in offered:
        return cannot_be_sent(
            "a header in UTF-8, and the server does not offer SMTPUTF8", "5.6.7", "6531"
        )
    return cannot_be_sent(
        "a part with a header in UTF-8, which was not known before MAIL: give bytes, or an "
        "envelope with the parameter SMTPUTF8",
        "5.6.7",
        "6531",
    )


class CannotBeSent(LocalProtocolError):
    """The message holds something that the server cannot accept."""


def cannot_be_sent(what: str, enhanced: str, rfc: str) -> CannotBeSent:
    """Return the error for a message that a server cannot accept."""
    return CannotBeSent(f"the message has {what} (RFC {rfc})", code=554, enhanced=enhanced)


def _is_ascii(envelope: Envelope) -> bool:
    return is_ascii(envelope.mail) and all(map(is_ascii, envelope.recipients))


def _without_utf8(envelope: Envelope, source: ContentSource, to_ascii: ToASCII | None) -> Envelope:
    """Return the same envelope in ASCII, if it has such a form."""
    if source.utf8_header:
        raise cannot_be_sent(
            "a header in UTF-8, and the server does not offer SMTPUTF8", "5.6.7", "6531"
        )
    if to_ascii is not None:
        mail = replace(envelope.mail, reverse_path=_in_ascii(envelope.reverse_path, to_ascii))
        recipients = tuple(
            replace(rcpt, forward_path=_in_ascii(rcpt.forward_path, to_ascii))
            for rcpt in envelope.recipients
        )
        envelope = Envelope(mail, recipients)
    if not _is_ascii(envelope):
        raise cannot_be_sent(
            "an address that is not ASCII, and the server does not offer SMTPUTF8", "5.6.7", "6531"
        )
    return envelope


def _in_ascii(path: P, to_ascii: ToASCII) -> P:
    mailbox = path.mailbox
    if mailbox is None or not isinstance(mailbox.domain, Domain) or mailbox.domain.ascii:
        return path
    return type(path)(replace(mailbox, domain=to_ascii(mailbox.domain)))
