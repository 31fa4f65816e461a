"""CHECKPOINT: mail transactions that go on where they were interrupted, RFC 1845.

A server that has saved a part of the content answers the same MAIL with 355 and an offset in place
of 250. Both sides are then behind the recipients, who are those of the interrupted session: it is
for the application, which kept them, to put them into `transaction.recipients` of the connection.
DATA follows, and the content from the offset on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..commands import Mail
from ..errors import LocalProtocolError
from ..parameters import Parameter
from ..replies import Reply
from ..states import Go, State
from .base import Extension

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Checkpoint", "TransactionId", "go_on_at", "offset_of"]

# transid-value  = "<" transid-spec ">"  ; at most 80 characters
# transid-spec   = transid-local "@" transid-domain
# transid-local, transid-domain = transid-token
# transid-token  = transid-atom *("." transid-atom)
# transid-atom   = 1*<any CHAR except SPACE, CTLs, tspecials, or "."> (section 2)
# tspecials (RFC 1521 section 4) are ()<>@,;:\"/[]?=
_ATOM = r"[!#-'*+\-0-9A-Z^-~]+"
_TOKEN = rf"{_ATOM}(?:\.{_ATOM})*"
VALUE = re.compile(rf"{_TOKEN}@{_TOKEN}")
LONGEST = 80
# octet-offset = 1*DIGIT (section 3)
OFFSET = re.compile(r"([0-9]{1,20})(?:[ \t\n]|$)")


@dataclass(frozen=True, slots=True)
class TransactionId(Parameter):
    """The name of a mail transaction, the same whenever it goes on (section 2).

    Arguments:
        name: "local@domain", without angle brackets; letter case counts.
    """

    keyword = "TRANSID"
    row = "MAIL TRANSID"
    name: str

    def __post_init__(self) -> None:
        if VALUE.fullmatch(self.name) is None or len(self.name) + 2 > LONGEST:
            raise LocalProtocolError(
                f"TRANSID: expected <local@domain> in up to {LONGEST} characters, found "
                f"{self.value()[:64]!a} (RFC 1845 section 2)"
            )

    def value(self) -> str:
        """The name in angle brackets."""
        return f"<{self.name}>"

    @classmethod
    def parse(cls, value: str | None) -> Self:
        """Read the name."""
        value = value or ""
        # What has no brackets has no name that the constructor takes.
        bracketed = value.startswith("<") and value.endswith(">")
        return cls(value[1:-1] if bracketed else f"<{value}")


@dataclass(frozen=True, slots=True)
class Checkpoint(Extension):
    """Mail transactions that go on where they were interrupted (RFC 1845)."""

    keyword = "CHECKPOINT"
    parameters = {Mail: (TransactionId,)}
    extra_length = {Mail: 88}
    transitions = {State.READY: {TransactionId.row: Go(ok=State.MAIL, more=State.RCPT)}}


def go_on_at(offset: int) -> Reply:
    """The reply to MAIL that lets the content go on (section 3).

    Arguments:
        offset: how many octets of the content the server has, dot transparency not counted; for
            DATA they end at the end of a line.

    Raises:
        LocalProtocolError: no such number can be written.
    """
    if not 0 <= offset < 10**20:
        raise LocalProtocolError("355: expected an offset of 0 or more, in up to 20 digits")
    return Reply(355, "", f"{offset} is the transaction offset")


def offset_of(reply: Reply) -> int | None:
    """Where the content goes on, by the reply to MAIL; None: nothing is saved, begin anew.

    Raises:
        LocalProtocolError: the reply is a 355 that does not begin with a number.
    """
    if reply.code != 355:
        return None
    match = OFFSET.match(reply.text)
    if match is None:
        raise LocalProtocolError(
            f"355: expected an octet-offset, found {reply.text[:64]!a} (RFC 1845 section 3)"
        )
    return int(match[1])
