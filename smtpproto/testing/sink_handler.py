"""The handler of a test server: it checks the rules for faults, then stores the message."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..extensions import StartTlsCommand
from ..sasl import ScramKeys, Users
from ..vocabulary.replies import Reply
from .faults import Drop
from .faulty_handler import FaultyHandler
from .faulty_replies import NeverReplies
from .inbox import ReceivedMessage, bare

if TYPE_CHECKING:
    from ..conversations import Envelope
    from ..vocabulary.command_base import Command
    from ..vocabulary.commands import Quit
    from ..vocabulary.events import Rejected
    from ..vocabulary.session_facts import Session
    from .conversation_log import ConversationLog
    from .faults import Action, FaultRules
    from .faulty_replies import FaultyReplies
    from .inbox import Inbox

__all__ = ["Accounts", "SinkHandler"]


class SinkHandler(FaultyHandler):
    """Accepts everything that the rules do not refuse.

    Arguments:
        rules: what goes wrong.
        replies: carries out what is not a reply.
        inbox: where messages go.
        log: where refusals without a reply are noted.
        wait: called with seconds, for delays.
    """

    def __init__(
        self,
        rules: FaultRules,
        replies: FaultyReplies,
        inbox: Inbox,
        log: ConversationLog,
        wait: Callable[[float], object],
    ) -> None:
        super().__init__(rules)
        self._replies = replies
        self._inbox = inbox
        self._log = log
        self._wait = wait

    def _ask(self, step: str, *subjects: str, party: object = None) -> Action | None:
        """Return what the rules demand at a step, after the delay."""
        verdict = self._rules.at(step, *subjects, party=party)
        self._pause(verdict.seconds)
        return verdict.action

    def _pause(self, seconds: float) -> None:
        if seconds == math.inf:
            raise NeverReplies
        if seconds:
            self._wait(seconds)

    def _answer(self, step: str, *subjects: str, party: object = None) -> Reply | None:
        return self._replies.answer(step, self._ask(step, *subjects, party=party))

    def auth(self, username: str) -> Reply | None:
        """Return what the rules demand when a user logs in."""
        return self._answer("auth", username)

    def data(self, session: Session, envelope: Envelope) -> Reply | None:
        """DATA, or the first chunk."""
        answer: Reply | None = super().data(session, envelope)
        recipients = map(bare, envelope.forward_paths)
        if (answer is None or not answer.negative) and self._rules.during_content(*recipients):
            self._replies.break_content(session)
        return answer

    def message(
        self, session: Session, envelope: Envelope, content: bytes
    ) -> Reply | list[Reply | None] | None:
        """The whole message: it is kept before any delay of the reply."""
        if self._replies.content_breaks(session):
            return self._replies.answer("content", Drop())
        verdict = self._at_content(session, envelope)
        if verdict.taken is not None:
            self._inbox.add(ReceivedMessage(verdict.taken, content, session))
        self._pause(verdict.seconds)
        return [self._replies.answer("content", action) for action in verdict.actions]

    def quit(self, session: Session, command: Quit) -> None:
        """QUIT."""
        self._replies.replace_last(session, self._ask("quit", ""))

    def command(self, session: Session, command: Command) -> Reply | None:
        """STARTTLS, and commands of extensions that a test gave."""
        return self._answer("starttls", "") if isinstance(command, StartTlsCommand) else None

    def rejected(self, session: Session, rejected: Rejected) -> None:
        """Note a failed handshake, which no line of the conversation shows."""
        if rejected.reply.code == 421:
            self._log.remark(session, rejected.reason)


class Accounts:
    """The users of a test server: a `CredentialStore` that asks the rules for "auth" first.

    Arguments:
        users: passwords by user name.
        answer: returns what the rules demand for a user name.
    """

    def __init__(self, users: Mapping[str, str], answer: Callable[[str], Reply | None]) -> None:
        self._users = Users(users, secret=os.urandom(16))
        self._answer = answer

    def check_password(self, username: str, password: str) -> bool | Reply:
        """For PLAIN and LOGIN."""
        return self._answer(username) or self._users.check_password(username, password)

    def fetch_secret(self, mechanism: str, username: str) -> ScramKeys | str | Reply | None:
        """For SCRAM and CRAM-MD5."""
        return self._answer(username) or self._users.fetch_secret(mechanism, username)

    def authorize(self, authentication: str, authorization: str) -> bool:
        """A user may act as itself."""
        return self._users.authorize(authentication, authorization)
