"""The content that a client sends in counted chunks, checked: RFC 3030 section 2.

Content after DATA needs only `DotEncoder`.
"""

from __future__ import annotations

from ..errors import LocalProtocolError
from ..extensions.eight_bit_mime import is_binary
from ..vocabulary.command_base import CountedCommand
from ..vocabulary.commands import Mail
from ..wire import CountedText, LineEndings

__all__ = ["OutgoingChunks", "refuse_bad_text"]


def refuse_bad_text(text: CountedText) -> None:
    """Refuse text in chunks that holds a bare CR or LF (RFC 3030 section 2).

    Raises:
        LocalProtocolError: it holds one.
    """
    if text.bad is not None:
        raise LocalProtocolError(
            f"content: expected CRLF, found {text.bad.value}; only BODY=BINARYMIME may have any "
            "octets (RFC 3030 section 3)",
            code=550,
            enhanced="5.6.0",
        )


class OutgoingChunks:
    """The content of one message, sent in chunks or by other commands (RFC 4468).

    Arguments:
        mail: the MAIL command of the transaction, which says whether the content is text.

    Attributes:
        owed: how many octets of the last announced chunk are still to be sent.
    """

    __slots__ = ("_last", "_text", "owed")

    def __init__(self, mail: Mail) -> None:
        # `NORMALIZE` would change the number of octets, which is announced already.
        self._text = None if is_binary(mail) else CountedText(LineEndings.REFUSE)
        self._last = False
        self.owed = 0

    def announce(self, command: CountedCommand) -> None:
        """Note a command whose octets follow."""
        self.owed, self._last = command.octets, command.last

    def take(self, octets: bytes) -> None:
        """Check octets that are about to be sent.

        Raises:
            LocalProtocolError: they are more than were announced, or hold a bare CR or LF.
        """
        if len(octets) > self.owed:
            raise LocalProtocolError(
                f"expected at most {self.owed} octets of the announced chunk, found {len(octets)} "
                "(RFC 3030 section 2)"
            )
        text = self._text
        if text is not None:
            text.feed(octets)
            if self._last and len(octets) == self.owed:
                text.finish()
            refuse_bad_text(text)
        self.owed -= len(octets)
