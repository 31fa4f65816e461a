"""The envelope of a message: RFC 5321 section 2.3.1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..vocabulary.commands import Mail, Rcpt
from ..vocabulary.paths import ForwardPath, ReversePath

if TYPE_CHECKING:
    from collections.abc import Iterable


__all__ = ["Envelope"]


@dataclass(frozen=True, slots=True)
class Envelope:
    """The sender and the recipients of a message: the MAIL and RCPT commands of a transaction.

    Arguments:
        mail: the MAIL command, with its parameters.
        recipients: the RCPT commands, in their order.
    """

    mail: Mail
    recipients: tuple[Rcpt, ...]

    @classmethod
    def of(
        cls,
        sender: str | ReversePath,
        recipients: str | ForwardPath | Iterable[str | ForwardPath],
    ) -> Envelope:
        """Return an envelope without parameters.

        Arguments:
            sender: "user@example.org"; empty for the null reverse-path.
            recipients: the recipients' addresses; a single one may be given as a string.

        Raises:
            LocalProtocolError: an address is not a mailbox.
            ValueError: there is no recipient.
        """
        reverse_path = sender if isinstance(sender, ReversePath) else ReversePath.of(sender)
        if isinstance(recipients, (str, ForwardPath)):
            recipients = (recipients,)
        paths = [r if isinstance(r, ForwardPath) else ForwardPath.of(r) for r in recipients]
        if not paths:
            raise ValueError("an envelope needs a recipient")
        return cls(Mail(reverse_path), tuple(Rcpt(path) for path in paths))

    @property
    def reverse_path(self) -> ReversePath:
        """The address for reports of failure."""
        return self.mail.reverse_path

    @property
    def forward_paths(self) -> tuple[ForwardPath, ...]:
        """The recipients."""
        return tuple([rcpt.forward_path for rcpt in self.recipients])
