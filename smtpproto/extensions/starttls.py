"""STARTTLS: TLS within a session, RFC 3207.

A positive reply leads to `State.TLS`, where only the handshake is allowed; after it the session
begins anew.  Plain text that follows the command or its reply was injected by an attacker
(CVE-2011-0411 and similar), so the connections end with an error.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..vocabulary.command_base import Command
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Session
from ..vocabulary.states import State, Transition
from .extension import Extension

__all__ = ["StartTls", "StartTlsCommand"]

# Section 4: the commands allowed before STARTTLS.  LHLO is the EHLO of LMTP (RFC 2033 section 4.1).
_BEFORE = frozenset({"EHLO", "LHLO", "NOOP", "STARTTLS", "QUIT"})
_FIRST = Reply(530, "5.7.0", "Must issue a STARTTLS command first (RFC 3207 section 4)")


class StartTlsCommand(Command):
    """STARTTLS: begin TLS (section 4).  A server refuses arguments with 501."""

    __slots__ = ()
    verb = "STARTTLS"
    accepted = (220, "2.0.0", "Ready to start TLS")


@dataclass(frozen=True, slots=True)
class StartTls(Extension):
    """TLS within a session (RFC 3207).

    Arguments:
        required: on a server, whether it must come first (section 4).
    """

    keyword = "STARTTLS"
    commands = (StartTlsCommand,)
    transitions = {State.READY: {"STARTTLS": Transition(ok=State.TLS)}}
    not_offered = Reply(
        503, "5.5.1", "STARTTLS is possible once, outside TLS and after EHLO (RFC 3207 section 4.2)"
    )
    required: bool = False

    def offer(self, session: Session) -> StartTls | None:
        """Offer it outside TLS only (section 4.2)."""
        return None if session.secure else self

    def demand(self, command: Command | type[Command], session: Session) -> Reply | None:
        """Refuse commands that must not be sent in plain text (section 4)."""
        wanted = self.required and not session.secure and command.verb not in _BEFORE
        return _FIRST if wanted else None
