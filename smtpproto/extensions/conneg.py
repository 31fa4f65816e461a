"""CONPERM and CONNEG: content that a relay may convert, RFC 4141.

The relay itself converts content and writes the header fields that allow and record this.  Section
4.2 makes servers that do not know a parameter reply 504; the later RFC 5321 says 555, which this
package sends.
"""

from __future__ import annotations

from ..errors import LocalProtocolError
from ..vocabulary.commands import Mail, Rcpt
from ..vocabulary.replies import Reply
from .extension import Extension, Flag

__all__ = [
    "Conneg",
    "ConnegParameter",
    "Conperm",
    "ConpermParameter",
    "capabilities",
    "with_capabilities",
]

WORD = "CONNEG"
# Octets of a line of the reply, less its code, an enhanced status code and CRLF.
LINE = 480


class ConpermParameter(Flag):
    """A relay may convert the content; if it must and cannot, the message fails (section 4.2)."""

    __slots__ = ()
    keyword = "CONPERM"


class Conperm(Extension):
    """Content that a relay may convert (RFC 4141)."""

    __slots__ = ()
    keyword = "CONPERM"
    parameters = {Mail: (ConpermParameter,)}
    extra_length = {Mail: 8}


class ConnegParameter(Flag):
    """Asks the server to list the recipient's capabilities in its reply to RCPT (section 5.2)."""

    __slots__ = ()
    keyword = "CONNEG"


class Conneg(Extension):
    """The capabilities of a recipient, in the reply to RCPT (RFC 4141)."""

    __slots__ = ()
    keyword = "CONNEG"
    parameters = {Rcpt: (ConnegParameter,)}
    extra_length = {Rcpt: 7}


def with_capabilities(reply: Reply, filter: str) -> Reply:  # noqa: A002 -- the RFC's word
    """Return a reply to RCPT that lists the recipient's capabilities (section 5.2).

    Arguments:
        reply: a positive reply; its text is kept.
        filter: a feature set in the form of RFC 2533, such as "(image-coding=MH)".  It is split at
            spaces and closing parentheses to fit the lines of a reply.

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
    """Return the recipient's capabilities from the reply to RCPT; None if it lists none.

    Arguments:
        reply: the reply to an RCPT with `ConnegParameter`.

    Returns:
        The feature set as one line; RFC 2533 defines its parts.
    """
    words = [line.partition(" ") for line in reply.lines]
    parts = [rest.strip() for word, _, rest in words if word.upper() == WORD]
    return " ".join(parts) if parts and reply.positive else None
