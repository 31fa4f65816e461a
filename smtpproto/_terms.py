"""On what terms a client may send a command: what the table, the server and the limits say of it.

That is the same for every command of one class in one state, as long as the server's offers are the
same, so it is found out once: a thousand RCPT cost little more than their lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .commands import Command, DialogueCommand, Hello, Rcpt
from .errors import LocalProtocolError
from .extensions import Catalogue, Extension
from .lenient import NoDomain
from .session import Offered, Session, Transaction
from .states import Forget, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .replies import Reply

__all__ = ["TIMEOUT", "Agreement", "Terms", "impossible"]

TIMEOUT = 300.0  # RFC 5321 section 4.5.3.2.1


@dataclass(eq=False, slots=True)
class Terms:
    """What holds for commands of one class in one state, and for what else gets a reply.

    Arguments:
        row: the row of the table that the reply moves along.
        after: the state that a reply which is not negative leads to.
        checks: the extensions in force that look at each of them.
        longest: octets of the longest line, CRLF included.
        utf8: whether the line may hold UTF-8.
        ends_group: whether nothing may follow it before its reply has come.
        timeout: seconds to wait for the reply.
        unsettles: whether a positive reply makes both sides forget what was offered.
        dialogue: whether challenges may come in place of a final reply.
        repeats: the state in which a positive reply to one of them adds a recipient and does
            nothing else; None: there is none.
    """

    row: str
    after: State = State.CLOSED
    checks: tuple[Extension, ...] = ()
    longest: int = 0
    utf8: bool = False
    ends_group: bool = True
    timeout: float = TIMEOUT
    unsettles: bool = False
    dialogue: bool = False
    repeats: State | None = None

    def check(self, command: Command, session: Session, transaction: Transaction | None) -> None:
        """Let the extensions in force look at a command.

        Raises:
            LocalProtocolError: one of them refuses it.
        """
        for extension in self.checks:
            reply = extension.check(command, session, transaction)
            if reply is not None:
                raise _refused(reply)

    def line(self, command: Command) -> bytes:
        """The command line, without its CRLF.

        Raises:
            LocalProtocolError: it is too long, or not ASCII where it must be.
        """
        line = str(command).encode("utf-8")
        if not self.utf8 and not line.isascii():
            raise LocalProtocolError(
                f"{command.verb}: only ASCII, as SMTPUTF8 was not offered (RFC 5321 section 2.4)",
                code=553,
                enhanced="5.6.7",
            )
        if len(line) + 2 > self.longest:
            raise LocalProtocolError(
                f"{command.verb}: the line has {len(line) + 2} octets with its CRLF, "
                f"{self.longest} are allowed (RFC 5321 section 4.5.3.1.4)"
            )
        return line

    def lines(self, commands: Sequence[Command]) -> list[bytes]:
        """The lines of several commands.

        Raises:
            LocalProtocolError: as `line`, for one of them.
        """
        lines = [str(command).encode("utf-8") for command in commands]
        longest = max(map(len, lines), default=0) + 2
        if longest > self.longest or not (self.utf8 or b"".join(lines).isascii()):
            # Says which.
            return [self.line(command) for command in commands]
        return lines


class Agreement:
    """The terms of all commands, as far as they were asked for.

    Arguments:
        catalogue: the extensions that the client understands.
    """

    __slots__ = ("_catalogue", "_known", "_offered")

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._offered: Offered[object] | None = None
        self._known: dict[tuple[State, type[Command], str], Terms] = {}

    def terms(
        self, command: Command, state: State, session: Session, transaction: Transaction | None
    ) -> Terms:
        """The terms of a command, which may be sent.

        Arguments:
            command: the command.
            state: where the session will be when it arrives.
            session: the facts, with what the server offers by then.
            transaction: the mail transaction by then.

        Raises:
            LocalProtocolError: it is not possible in this state, or an extension is not offered or
                refuses it.
        """
        offered = session.offered
        if offered is not self._offered:
            self._known, self._offered = {}, offered
        known = self._known.get((state, type(command), command.row))
        terms = known or self._find(command, state, session)
        if command.parameters:
            reply = self._catalogue.parameters_refusal(command, offered)
            if reply is not None:
                raise _refused(reply)
        if terms.checks:
            terms.check(command, session, transaction)
        return terms

    def _find(self, command: Command, state: State, session: Session) -> Terms:
        catalogue, kind, row = self._catalogue, type(command), command.row
        offered = session.offered
        step = catalogue.rows[state].get(row)
        if step is None or step.in_flight:
            raise impossible(command, state)
        if isinstance(command, Hello):
            self._check_hello(command, session)
        reply = catalogue.owner_refusal(command, offered)
        if reply is not None:
            raise _refused(reply)
        after = step.after[3] or step.after[2] or state
        nothing_else = (
            kind is Rcpt
            and after is state
            and step.forget is Forget.NOTHING
            and not any(told in offered for told in catalogue.told.get(Rcpt, ()))
        )
        terms = Terms(
            row,
            after,
            checks=tuple(
                extension
                for watcher in catalogue.watchers.get(kind, ())
                if (extension := offered.get(watcher)) is not None
            ),
            longest=catalogue.longest_line(kind, offered),
            utf8=any(isinstance(each, Extension) and each.utf8 for each in offered),
            ends_group=command.ends_group,
            timeout=command.timeout,
            unsettles=step.forget is Forget.SESSION,
            dialogue=isinstance(command, DialogueCommand),
            repeats=state if nothing_else else None,
        )
        if not isinstance(command, Hello):
            # Whether that may be sent depends on its name.
            self._known[state, kind, row] = terms
        return terms

    def _check_hello(self, command: Hello, session: Session) -> None:
        if command.verb not in self._catalogue.grammar.verbs:
            raise LocalProtocolError(
                f"{command.verb} is not spoken here: {session.protocol.value}", code=500
            )
        if isinstance(command.name, NoDomain):
            raise LocalProtocolError(
                f"{command.verb}: expected a domain, found {command.name.name!a} "
                "(RFC 5321 section 4.1.1.1)"
            )


def impossible(command: Command, state: State) -> LocalProtocolError:
    """The error for a command that cannot stand in a state."""
    return LocalProtocolError(
        f"{command.verb} is not possible here: {state.value} (RFC 5321 section 4.1.4)",
        code=503,
        enhanced="5.5.1",
    )


def _refused(reply: Reply) -> LocalProtocolError:
    """The error for what a server would refuse with this reply."""
    return LocalProtocolError(reply.text, code=reply.code, enhanced=reply.enhanced)
