"""NO-SOLICITING: classes of solicitation that a server refuses, RFC 3865.

The header field Solicitation, which SOLICIT repeats (section 2.3), is part of the content.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import LocalProtocolError
from ..field_types import refuse_text
from ..grammar.lazy_pattern import lazy_pattern
from ..vocabulary.command_base import Command
from ..vocabulary.commands import Mail
from ..vocabulary.parameters import Parameter
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Session, Transaction
from .extension import Extension

__all__ = ["NoSoliciting", "Solicit", "unsolicited"]

# Solicitation-keywords = word *("," word)  ; at most 1000 characters
# word     = ALPHA *wordchar
# wordchar = "." / "-" / "_" / ":" / ALPHA / DIGIT (section 2.2)
KEYWORDS = lazy_pattern(r"[A-Za-z][A-Za-z0-9._:-]*(?:,[A-Za-z][A-Za-z0-9._:-]*)*")
LONGEST = 1000
# The space in a reply, less its code and the parameter's name.
SHOWN = 400


def _check(what: str, text: str) -> None:
    if KEYWORDS.fullmatch(text) is None or len(text) > LONGEST:
        raise LocalProtocolError(
            f"{what}: expected solicitation class keywords with commas between them, in {LONGEST} "
            f"characters, found {text[:64]!a} (RFC 3865 section 2.2)"
        )


@dataclass(frozen=True, slots=True)
class Solicit(Parameter):
    """The classes of solicitation of the message (section 2.3).

    Arguments:
        keywords: such as "net.example:ADV"; at least one.
    """

    keyword = "SOLICIT"
    keywords: tuple[str, ...]

    def __post_init__(self) -> None:
        refuse_text("a tuple of keywords", keywords=self.keywords)
        _check("SOLICIT", self.value())

    def value(self) -> str:
        return ",".join(self.keywords)

    @classmethod
    def parse(cls, value: str | None) -> Solicit:
        return cls(tuple((value or "").split(",")))


@dataclass(frozen=True, slots=True)
class NoSoliciting(Extension):
    """Classes of solicitation that a server refuses (RFC 3865).

    Arguments:
        keywords: the classes that the server refuses for all recipients.  Without any it only
            understands SOLICIT (section 2.8).  A server's must fit into one line of the EHLO reply.
    """

    keyword = "NO-SOLICITING"
    parameters = {Mail: (Solicit,)}
    extra_length = {Mail: 1007}
    keywords: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        refuse_text("a tuple of keywords", keywords=self.keywords)
        if self.keywords:
            _check("NO-SOLICITING", self.arguments())

    def arguments(self) -> str:
        return ",".join(self.keywords)

    @classmethod
    def parse_offer(cls, arguments: str) -> NoSoliciting:
        return cls(tuple(arguments.split(",")) if arguments else ())

    def check(
        self, command: Command, session: Session, transaction: Transaction | None
    ) -> Reply | None:
        """Refuse a message of a class that the server refuses (sections 2.3 and 2.4)."""
        assert isinstance(command, Mail)
        return unsolicited(command, self.keywords)


def unsolicited(mail: Mail, keywords: tuple[str, ...]) -> Reply | None:
    """Return the reply that refuses a message of one of these classes, or None (section 2.4).

    A handler can also call it at RCPT, with the classes that this recipient refuses.

    Arguments:
        mail: the MAIL command of the transaction.
        keywords: the refused classes; letter case is ignored.
    """
    solicit = mail.get(Solicit)
    if solicit is None:
        return None
    unwanted = {keyword.lower() for keyword in keywords}
    found = ",".join(keyword for keyword in solicit.keywords if keyword.lower() in unwanted)
    return Reply(550, "5.7.1", f"SOLICIT={found[:SHOWN]}") if found else None
