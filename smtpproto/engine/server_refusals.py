"""The replies by which a server itself refuses, and how it handles lines that are no command.

A line with a bare CR or LF is one of these (RFC 5321 section 2.3.8); the line reader finds it.
`server_content` decides about bare CR and LF in content.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import LocalProtocolError
from ..grammar.lazy_pattern import lazy_pattern
from ..vocabulary.command_base import Command, DialogueCommand, Grammar
from ..vocabulary.replies import Reply
from ..wire import LineFault

__all__ = [
    "AFTER_STARTTLS",
    "BAD_SEQUENCE",
    "CLOSING",
    "ENDLESS_LINE",
    "HTTP",
    "NOT_SHOWN",
    "TLS_TOO_EARLY",
    "TOO_LATE_FOR_TLS",
    "TOO_MANY_COMMANDS",
    "TOO_MANY_ERRORS",
    "TOO_MANY_RECIPIENTS",
    "Shown",
    "bad_content",
    "bad_line",
    "intended_verb",
    "is_http",
    "reply_to",
    "show",
]

BAD_SEQUENCE = Reply(503, "5.5.1", "bad sequence of commands")
ENDLESS_LINE = Reply(421, "4.7.0", "too long lines (RFC 5321 section 4.5.3.1.4)")
AFTER_STARTTLS = Reply(421, "4.7.0", "octets follow STARTTLS in plain text (RFC 3207 section 4.2)")
TOO_LATE_FOR_TLS = Reply(421, "4.7.0", "octets in plain text before the TLS handshake")
CLOSING = Reply(421, "4.7.0", "closing: cannot tell content from commands after this line")
TOO_MANY_COMMANDS = Reply(421, "4.7.0", "too many commands without a message")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "too many errors")
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "too many recipients (RFC 5321 section 4.5.3.1.10)")
HTTP = Reply(421, "4.7.0", "this is a mail server, and does not speak HTTP")
TLS_TOO_EARLY = Reply(421, "4.7.0", "found a TLS handshake: this connection begins without TLS")
NOT_SHOWN = Reply(500, "5.5.2", "the line is not a command (RFC 5321 section 4.1.1)")

# The space in a reply, less its code.
_TEXT_MOST = 400
_FAULTS = {
    LineFault.TOO_LONG: "the line is too long (RFC 5321 section 4.5.3.1)",
    LineFault.BARE_LF: "a line ends with CRLF, found LF alone (RFC 5321 section 2.3.8)",
    LineFault.BARE_CR: "a line ends with CRLF, found CR alone (RFC 5321 section 2.3.8)",
    LineFault.NUL: "a line holds a NUL octet (RFC 5321 section 2.4)",
}
# What observers see in place of a line that may be a secret.
_HIDDEN = b"(a line that is no command)"
_AUTH = lazy_pattern(rb"AUTH", re.IGNORECASE)
# Within another command "AUTH=" is a parameter, and the word may be part of an address.
_AUTH_AND_MORE = lazy_pattern(rb"(?:^|[^A-Za-z])AUTH(?=[ \t])", re.IGNORECASE)
# The verb of a line whose other parts may be malformed.
_VERB = lazy_pattern(rb"[ \t]*([A-Za-z]+)")
# The methods of HTTP (RFC 9110 section 9): what follows may hold SMTP commands of an attacker.
_HTTP_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI"}
)


def bad_line(fault: LineFault) -> Reply:
    """Return the reply to a command line with this fault."""
    return Reply(500, "5.5.2", _FAULTS[fault])


def bad_content(fault: LineFault) -> Reply:
    """Return the reply to message content with this fault."""
    return Reply(550, "5.6.0", f"message refused: {_FAULTS[fault]}")


def reply_to(error: LocalProtocolError) -> Reply:
    """Return the reply to a line that a parser refused."""
    text = "".join([c if " " <= c <= "~" else "?" for c in str(error)[:_TEXT_MOST]])
    # An extension may have set an enhanced status code of another class.
    enhanced = error.enhanced if error.enhanced[:1] == str(error.code)[:1] else ""
    return Reply(error.code, enhanced, text)


def intended_verb(line: bytes) -> str:
    """Return the verb of a line, in upper case; "" if it does not begin with one."""
    match = _VERB.match(line)
    return match[1].decode().upper() if match is not None else ""


def is_http(verb: str) -> bool:
    """Return whether an unknown verb is a method of HTTP."""
    return verb in _HTTP_METHODS


class Shown(NamedTuple):
    """A line that is no command, as observers see it.

    Arguments:
        line: the line, or its replacement.
        hidden: whether it was replaced.
        secret_follows: whether the client has tried AUTH: a later line may be a password.
    """

    line: bytes
    hidden: bool
    secret_follows: bool


def show(line: bytes, grammar: Grammar, *, secret_follows: bool) -> Shown:
    """Return what observers see of a line that is no command.

    It may be AUTH with a password; or, after the server has refused AUTH, the password alone.

    Arguments:
        line: the line.
        grammar: the verbs in use.
        secret_follows: whether the client has tried AUTH before.
    """
    verb = intended_verb(line)
    is_command = verb in grammar.verbs or verb in grammar.known
    found = (_AUTH_AND_MORE if is_command else _AUTH).search(line)
    if found is not None:
        return Shown(line[: found.end()] + b" (not shown)", hidden=True, secret_follows=True)
    kind = grammar.verbs.get(verb)
    if kind is not None and kind.__str__ is not Command.__str__:
        secret_follows |= issubclass(kind, DialogueCommand)
        return Shown(f"{verb} (not shown)".encode("ascii"), True, secret_follows)
    if is_command or not secret_follows:
        return Shown(line, False, secret_follows)
    return Shown(_HIDDEN, True, secret_follows)
