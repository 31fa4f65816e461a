"""CHUNKING and BINARYMIME: content in counted chunks, and content of any octets, RFC 3030.

BDAT leads from RCPT to CHUNKS; BDAT LAST ends the mail transaction.  Section 2 does not define the
state after a failed chunk, but requires RSET.  Here the state is SPOILED, which only RSET leaves.
A client may have sent a chunk before it learns that the recipients or the chunk before were
refused: the rows marked `in_flight` say how to read the reply.

The server reads and drops the octets of a refused chunk.  If the size is malformed or above
2**63 - 1, it cannot know where the chunk ends, and reading on would treat content as commands.  So
it replies 501 and then 421, and closes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import LocalProtocolError
from ..grammar.lazy_pattern import lazy_pattern
from ..timeouts import END_OF_CONTENT_TIMEOUT
from ..vocabulary.command_base import Command, CountedCommand, Grammar
from ..vocabulary.commands import Data, Mail
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Session, Transaction
from ..vocabulary.states import Effect, State, Transition
from .eight_bit_mime import Body, is_binary
from .extension import Extension

__all__ = ["Bdat", "BinaryMime", "Chunking"]

# bdat-cmd   = "BDAT" SP chunk-size [ SP end-marker ] CR LF
# chunk-size = 1*DIGIT
# end-marker = "LAST" (RFC 3030 section 2)
# Leading zeros are allowed, but not a line full of them.
_ARGUMENTS = lazy_pattern(r"([0-9]{1,20})(?: (LAST))?", re.IGNORECASE | re.ASCII)
_MOST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Bdat(CountedCommand):
    """BDAT: a chunk of the message content follows directly (RFC 3030 section 2).

    A client sends it and then its octets as `ContentChunk`s.  A server's events are only the
    octets, and `EndOfContent` after the last of them.

    Arguments:
        octets: the size of the chunk, 0 to 2**63 - 1.
        last: whether it is the last chunk.
    """

    verb = "BDAT"
    # Section 4.2 shows several chunks in one group.
    ends_group = False
    timeout = END_OF_CONTENT_TIMEOUT
    octets: int
    last: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.octets <= _MOST:
            raise LocalProtocolError(
                f"BDAT: expected 0 to {_MOST} octets, found "
                f"{'more' if self.octets > 0 else 'less'} (RFC 3030 section 2)"
            )

    @property
    def row(self) -> str:
        return "BDAT LAST" if self.last else "BDAT"

    def arguments(self) -> str:
        return f"{self.octets} LAST" if self.last else str(self.octets)

    @classmethod
    def parse(cls, arguments: str, grammar: Grammar) -> Bdat:
        match = _ARGUMENTS.fullmatch(arguments)
        if match is None:
            raise LocalProtocolError(
                f"BDAT: expected a number of octets, and LAST or nothing, found {arguments[:64]!a} "
                "(RFC 3030 section 2)"
            )
        return cls(int(match[1]), match[2] is not None)


_LAST = Transition(ok=State.READY, no=State.SPOILED, forget=Effect.TRANSACTION)
_IN_FLIGHT = Transition(no=State.SPOILED, in_flight=True)


class Chunking(Extension):
    """Content in counted chunks (RFC 3030 section 2)."""

    __slots__ = ()
    keyword = "CHUNKING"
    commands = (Bdat,)
    transitions = {
        State.READY: {"BDAT": _IN_FLIGHT, "BDAT LAST": _IN_FLIGHT},
        State.MAIL: {"BDAT": _IN_FLIGHT, "BDAT LAST": _IN_FLIGHT},
        State.RCPT: {"BDAT": Transition(ok=State.CHUNKS, no=State.SPOILED), "BDAT LAST": _LAST},
        State.CHUNKS: {"BDAT": Transition(no=State.SPOILED), "BDAT LAST": _LAST},
        State.SPOILED: {"BDAT": _IN_FLIGHT, "BDAT LAST": _IN_FLIGHT},
    }


class BinaryMime(Extension):
    """Content of any octets, in chunks (RFC 3030 section 3)."""

    __slots__ = ()
    keyword = "BINARYMIME"
    parameters = {Mail: (Body,)}
    extra_length = {Mail: 16}
    watches = (Data,)
    requires = ("CHUNKING",)

    def check(
        self, command: Command, session: Session, transaction: Transaction | None
    ) -> Reply | None:
        """Refuse DATA for such content, and such content if CHUNKING is not offered."""
        if isinstance(command, Mail):
            if is_binary(command) and Chunking not in session.offered:
                return Reply(555, "5.5.4", "BODY=BINARYMIME needs CHUNKING (RFC 3030 section 3)")
        elif isinstance(command, Data) and transaction is not None and is_binary(transaction.mail):
            return Reply(503, "5.5.1", "BODY=BINARYMIME needs BDAT, not DATA (RFC 3030 section 3)")
        return None
