"""SMTPUTF8, internationalized email: RFC 6531.

The grammar reads UTF-8 when this is in use.  This module decides who may use it: a mail transaction
whose MAIL has the parameter, and replies to clients that asked for it.
"""

from __future__ import annotations

from dataclasses import replace

from ..vocabulary.command_base import Command
from ..vocabulary.commands import Expn, Mail, Rcpt, Vrfy
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Session, Transaction
from .extension import Extension, Flag

__all__ = ["SmtpUtf8", "SmtpUtf8Parameter", "is_ascii"]

# RFC 6531 section 3.5 and 4.2
_MAIL = Reply(
    550, "5.6.7", "MAIL: an address that is not ASCII needs SMTPUTF8 (RFC 6531 section 3.4)"
)
_RCPT = Reply(
    553, "5.6.7", "RCPT: an address that is not ASCII needs SMTPUTF8 on MAIL (RFC 6531 section 3.4)"
)
# RFC 6531 section 3.7.4: the text in place of one that would show such an address.
_HIDDEN = "the mailbox name is not ASCII, and the client did not ask for SMTPUTF8"
_IN_PLACE_OF = {250: 252, 251: 252, 551: 550, 553: 550}


class SmtpUtf8Parameter(Flag):
    """The transaction may need UTF-8 (section 3.4), or the reply to VRFY or EXPN (3.7.4)."""

    __slots__ = ()
    keyword = "SMTPUTF8"


class SmtpUtf8(Extension):
    """Addresses and headers in UTF-8 (RFC 6531)."""

    __slots__ = ()
    keyword = "SMTPUTF8"
    parameters = {
        Mail: (SmtpUtf8Parameter,),
        Vrfy: (SmtpUtf8Parameter,),
        Expn: (SmtpUtf8Parameter,),
    }
    # Section 3.1 names only MAIL, but VRFY and EXPN have the same parameter.
    extra_length = {Mail: 10, Vrfy: 10, Expn: 10}
    watches = (Rcpt,)
    utf8 = True
    requires = ("8BITMIME",)

    def check(
        self, command: Command, session: Session, transaction: Transaction | None
    ) -> Reply | None:
        """Refuse UTF-8 in an envelope whose MAIL lacks the parameter (section 3.5)."""
        if isinstance(command, Mail):
            needs = not is_ascii(command)
            return _MAIL if needs and command.get(SmtpUtf8Parameter) is None else None
        if isinstance(command, Rcpt) and not is_ascii(command):
            declared = transaction is not None and transaction.mail.get(SmtpUtf8Parameter)
            return None if declared else _RCPT
        return None

    def fit_reply(self, reply: Reply, command: Command, transaction: Transaction | None) -> Reply:
        """Show such an address only to a client that asked for SMTPUTF8 (section 3.7.4)."""
        if isinstance(command, (Vrfy, Expn)):
            if command.get(SmtpUtf8Parameter) is not None:
                return reply
            code = _IN_PLACE_OF.get(reply.code, reply.code)
            return replace(reply, code=code, enhanced=f"{code // 100}.6.8", text=_HIDDEN)
        if reply.code in (251, 551):
            if transaction is not None and transaction.mail.get(SmtpUtf8Parameter) is not None:
                return reply
            if reply.code == 251:
                return replace(reply, code=250, text="OK")
            return replace(reply, code=550, text="user not local")
        # Everywhere else the text is ASCII.
        return replace(reply, text=reply.text.encode("ascii", "backslashreplace").decode("ascii"))


def is_ascii(command: Mail | Rcpt) -> bool:
    """Whether path and parameters are ASCII; an ORCPT, for example, need not be (RFC 6533)."""
    path = command.reverse_path if isinstance(command, Mail) else command.forward_path
    return path.ascii and (
        not command.parameters or all(str(each).isascii() for each in command.parameters)
    )
