"""REQUIRETLS: messages that must be relayed inside TLS, RFC 8689.

The relay itself reads the header field TLS-Required (section 3) and checks certificates and names
(section 4.2.1).
"""

from __future__ import annotations

from ..vocabulary.command_base import Command
from ..vocabulary.commands import Mail
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Session, Transaction
from .extension import Extension, Flag

__all__ = ["RequireTls", "RequireTlsParameter"]

NO_TLS = Reply(530, "5.7.10", "REQUIRETLS needs TLS (RFC 8689 section 2)")


class RequireTlsParameter(Flag):
    """Relay this message inside TLS, to servers with REQUIRETLS, or not at all (section 2)."""

    __slots__ = ()
    # requiretls-param = "REQUIRETLS"
    keyword = "REQUIRETLS"


class RequireTls(Extension):
    """Messages that must be relayed inside TLS (RFC 8689).

    A server offers it inside TLS only, and promises to relay such messages inside TLS.
    """

    __slots__ = ()
    keyword = "REQUIRETLS"
    parameters = {Mail: (RequireTlsParameter,)}
    extra_length = {Mail: 11}

    def offer(self, session: Session) -> RequireTls | None:
        """Offer it inside TLS only (section 2)."""
        return self if session.secure else None

    def check(
        self, command: Command, session: Session, transaction: Transaction | None
    ) -> Reply | None:
        """Refuse it outside TLS, also where an offer came in plain text (section 2)."""
        assert isinstance(command, Mail)
        wanted = command.get(RequireTlsParameter) is not None
        return NO_TLS if wanted and not session.secure else None
