"""The envelope of a message: RFC 5321 section 2.3.1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..limits import DEFAULT
from ..vocabulary.command_parser import parse
from ..vocabulary.commands import Mail, Rcpt
from ..vocabulary.paths import ForwardPath, ReversePath
from ..vocabulary.session_facts import Protocol

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

    @classmethod
    def parse(cls, lines: Iterable[str]) -> Envelope:
        """Read an envelope from command lines without CRLF, as `lines` gives them.

        All service extensions of this package are known, SMTPUTF8 among them; other parameters
        become `UnknownParameter`.

        Raises:
            LocalProtocolError: a line is no command.
            ValueError: the lines are not MAIL and then one RCPT or more.
        """
        # Import here, because only a program that stores envelopes needs all extensions.
        from ..engine.compiled_extensions import catalogue  # noqa: PLC0415
        from ..extensions.known import KNOWN  # noqa: PLC0415

        grammar = catalogue(KNOWN, Protocol.SMTP, DEFAULT).utf8_grammar
        commands = [parse(line.encode(), grammar) for line in lines]
        mails = [each for each in commands[:1] if isinstance(each, Mail)]
        recipients = tuple(each for each in commands[1:] if isinstance(each, Rcpt))
        if not (mails and recipients and 1 + len(recipients) == len(commands)):
            raise ValueError("expected the lines of MAIL, then those of one RCPT or more")
        return cls(mails[0], recipients)

    def lines(self) -> tuple[str, ...]:
        """The command lines without CRLF, MAIL first, with all parameters: a form to store."""
        return (self.mail.line(), *(rcpt.line() for rcpt in self.recipients))

    @property
    def reverse_path(self) -> ReversePath:
        """The address for reports of failure."""
        return self.mail.reverse_path

    @property
    def forward_paths(self) -> tuple[ForwardPath, ...]:
        """The recipients."""
        return tuple([rcpt.forward_path for rcpt in self.recipients])
