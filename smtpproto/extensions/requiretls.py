"""REQUIRETLS: messages that travel inside TLS or not at all, RFC 8689.

The header field TLS-Required (section 3) and the checks of certificates and names (section 4.2.1)
are the affair of whoever relays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..vocabulary.command_base import Command
from ..vocabulary.commands import Mail
from ..vocabulary.replies import Reply
from .base import Extension, Flag

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..vocabulary.session import Session, Transaction

__all__ = ["RequireTls", "RequireTlsParameter"]

NO_TLS = Reply(530, "5.7.10", "REQUIRETLS needs TLS (RFC 8689 section 2)")


@dataclass(frozen=True, slots=True)
class RequireTlsParameter(Flag):
    """Relay this message inside TLS, to servers with REQUIRETLS, or not at all (section 2)."""

    # requiretls-param = "REQUIRETLS"
    keyword = "REQUIRETLS"


@dataclass(frozen=True, slots=True)
class RequireTls(Extension):
    """Messages that travel inside TLS or not at all (RFC 8689).

    Offered inside TLS only: a server that offers it promises to relay such a message accordingly.
    """

    keyword = "REQUIRETLS"
    parameters = {Mail: (RequireTlsParameter,)}
    extra_length = {Mail: 11}

    def offer(self, session: Session) -> Self | None:
        """Itself inside TLS, otherwise nothing (section 2)."""
        return self if session.secure else None

    def check(
        self, command: Command, session: Session, transaction: Transaction | None
    ) -> Reply | None:
        """Keep a client from trusting an offer that came in plain text (section 2)."""
        assert isinstance(command, Mail)
        wanted = command.get(RequireTlsParameter) is not None
        return NO_TLS if wanted and not session.secure else None
