"""CONPERM and CONNEG: content that may be converted on its way, RFC 4141.

The conversions, and the header fields that allow and record them, are the affair of whoever relays.
Section 4.2 has servers that do not know a parameter answer 504; the later RFC 5321 says 555, which
is what this package answers.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import LocalProtocolError
from ..vocabulary.commands import Mail, Rcpt
from ..vocabulary.replies import Reply
from .base import Extension, Flag

__all__ = [
    "Conneg",
    "ConnegParameter",
    "Conperm",
    "ConpermParameter",
    "capabilities",
    "with_capabilities",
]

WORD = "CONNEG"
# Of a line of a reply, with room for its code, an enhanced status code and CRLF.
LINE = 480


@dataclass(frozen=True, slots=True)
class ConpermParameter(Flag):
    """The content may be converted, or else the message fails (section 4.2)."""

    keyword = "CONPERM"


@dataclass(frozen=True, slots=True)
class Conperm(Extension):
    """Content that may be converted on its way (RFC 4141)."""

    keyword = "CONPERM"
    parameters = {Mail: (ConpermParameter,)}
    extra_length = {Mail: 8}


@dataclass(frozen=True, slots=True)
class ConnegParameter(Flag):
    """The reply to this RCPT is to say what content suits the recipient (section 5.2)."""

    keyword = "CONNEG"


@dataclass(frozen=True, slots=True)
class Conneg(Extension):
    """What content suits a recipient, told in the reply to RCPT (RFC 4141)."""

    keyword = "CONNEG"
    parameters = {Rcpt: (ConnegParameter,)}
    extra_length = {Rcpt: 7}


def with_capabilities(reply: Reply, filter: str) -> Reply:  # noqa: A002 -- the RFC's word
    """The reply to RCPT that tells what content suits the recipient (section 5.2).

    Arguments:
        reply: a positive one; its text is what the reply says besides.
        filter: a feature set as RFC 2533 writes them, such as "(image-coding=MH)"; it is cut at
            spaces and closing parentheses, where needed, to fit the lines of a reply.

    Raises:
        LocalProtocolError: the reply is not positive.
    """
    if not reply.positive:
        raise LocalProtocolError(f"{reply.code} tells of no capabilities (RFC 4141 section 5.2)")
    lines = [reply.text or "recipient OK", *(f"{WORD} {part}" for part in _parts(filter))]
    return Reply(reply.code, reply.enhanced, "\n".join(lines))


def _parts(text: str) -> list[str]:
    parts = []
    rest = " ".join(text.split())
    room = LINE - len(WORD) - 1
    while len(rest) > room:
        end = max(rest.rfind(" ", 0, room), rest.rfind(")", 0, room)) + 1
        parts.append(rest[: end or room].rstrip())
        rest = rest[end or room :].lstrip()
    return [*parts, rest]


def capabilities(reply: Reply) -> str | None:
    """What content suits the recipient, as the reply to RCPT tells; None if it does not.

    Arguments:
        reply: the reply to an RCPT with `ConnegParameter`.

    Returns:
        The feature set in one line; what its parts mean is up to RFC 2533.
    """
    words = [line.partition(" ") for line in reply.lines]
    parts = [rest.strip() for word, _, rest in words if word.upper() == WORD]
    return " ".join(parts) if parts and reply.positive else None
