"""The envelope of a message: RFC 5321 section 2.3.1."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..limits import DEFAULT
from ..vocabulary.command_parser import parse
from ..vocabulary.commands import Mail, Rcpt
from ..vocabulary.paths import ForwardPath, ReversePath
from ..vocabulary.session_facts import Protocol

__all__ = ["Envelope"]


@dataclass(frozen=True, slots=True)
class Envelope:
    """The sender and the recipients of a message: the MAIL and RCPT commands of a transaction.

    Arguments:
        mail: the MAIL command, with its parameters.
        recipients: the RCPT commands, in their order.

    Raises:
        TypeError: `mail` is not a `Mail` command, or `recipients` no tuple of `Rcpt`.
    """

    mail: Mail
    recipients: tuple[Rcpt, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.mail, Mail):
            raise TypeError(
                f"expected a Mail command, found {self.mail!r}: Envelope.of takes addresses"
            )
        recipients: object = self.recipients
        if not isinstance(recipients, tuple) or not all(isinstance(r, Rcpt) for r in recipients):
            raise TypeError(
                f"expected a tuple of Rcpt commands, found {recipients!r:.80}: Envelope.of takes "
                "addresses"
            )

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
        # Octets are iterable too; as one recipient they are told to be no text.
        if isinstance(recipients, (str, bytes, ForwardPath)):
            recipients = (recipients,)
        paths = [r if isinstance(r, ForwardPath) else ForwardPath.of(r) for r in recipients]
        if not paths:
            raise ValueError("an envelope needs a recipient")
        return cls(Mail(reverse_path), tuple([Rcpt(path) for path in paths]))

    @classmethod
    def parse(cls, lines: Iterable[str]) -> Envelope:
        """Read an envelope from command lines without CRLF, as `lines` gives them.

        All service extensions of this package are known, SMTPUTF8 among them; other parameters
        become `UnknownParameter`.

        Raises:
            LocalProtocolError: a line is no command.
            TypeError: a line is no text, or `lines` is a single text.
            ValueError: the lines are not MAIL and then one RCPT or more.
        """
        # Import here, because only a program that stores envelopes needs all extensions.
        from ..engine.compiled_extensions import catalogue  # noqa: PLC0415
        from ..extensions.known import KNOWN  # noqa: PLC0415

        grammar = catalogue(KNOWN, Protocol.SMTP, DEFAULT).utf8_grammar
        commands = [parse(line.encode(), grammar) for line in _text_lines(lines)]
        mails = [each for each in commands[:1] if isinstance(each, Mail)]
        recipients = tuple(each for each in commands[1:] if isinstance(each, Rcpt))
        if not (mails and recipients and 1 + len(recipients) == len(commands)):
            raise ValueError("expected the lines of MAIL, then those of one RCPT or more")
        return cls(mails[0], recipients)

    def lines(self) -> tuple[str, ...]:
        """Return the command lines without CRLF, MAIL first, with all parameters; see `parse`."""
        return (self.mail.line(), *(rcpt.line() for rcpt in self.recipients))

    @property
    def reverse_path(self) -> ReversePath:
        """The address for reports of failure."""
        return self.mail.reverse_path

    @property
    def forward_paths(self) -> tuple[ForwardPath, ...]:
        """The recipients."""
        return tuple([rcpt.forward_path for rcpt in self.recipients])


def _text_lines(lines: object) -> list[str]:
    found = list(lines) if isinstance(lines, Iterable) else [lines]
    texts = [line for line in found if isinstance(line, str)]
    if isinstance(lines, (str, bytes)) or len(texts) < len(found):
        raise TypeError(f"expected command lines as text, found {lines!r}")
    return texts
