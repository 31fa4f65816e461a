"""Converts the return values of a handler to replies: RFC 5321 section 4.2.

If a hook returns None, the server accepts the command.  If it returns a `Reply`, the server sends
it.  After content on LMTP the server sends a reply for each recipient (RFC 2033 section 4.2).  For
an exception it replies 451 or 452.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...vocabulary.events import Deviation, Rejected
from ...vocabulary.replies import Reply
from ...vocabulary.session_facts import changed
from ..io_requests import Call, Flow, Report, Send
from .handler_failures import reply_to_failure

if TYPE_CHECKING:
    from ...engine.server import Server
    from ...vocabulary.session_facts import Session
    from .handler import Answer, Hooks
    from .incoming_content import IncomingContent

__all__ = ["HandlerAnswers", "answer_of", "tell"]


def tell(hook: Any, *arguments: object) -> Flow[None]:
    """Call a hook whose return value is ignored."""
    try:
        yield Call(hook, arguments)
    except Exception as error:  # noqa: BLE001  # the session continues after any error of a hook
        yield Report(error)


class HandlerAnswers:
    """The half of a session that asks the handler and replies with its answers.

    Arguments:
        server: the connection.
        hooks: the handler's methods.
    """

    __slots__ = ("hooks", "server")

    def __init__(self, server: Server, hooks: Hooks) -> None:
        self.server = server
        self.hooks = hooks

    @property
    def session(self) -> Session:
        """The session for the handler: with the mail transaction so far."""
        server = self.server
        session = server.session
        if session.transaction is not server.transaction:
            session = server.session = changed(session, transaction=server.transaction)
        return session

    def ask(self, hook: Any, *arguments: object, unanswered: Reply | None = None) -> Flow[None]:
        """Answer what waits for a reply with the return value of a hook.

        Arguments:
            hook: the hook, or None.
            arguments: the arguments of the hook.
            unanswered: the reply if there is no hook.
        """
        if hook is None:
            self.answer(unanswered)
            return
        try:
            answer = answer_of(hook, (yield Call(hook, arguments)))
            self.answer(unanswered if answer is None else answer)
        except Exception as error:  # noqa: BLE001  # an error of the handler
            yield from self.failed(error)

    def answer(self, answer: Answer | Sequence[Answer]) -> None:
        """Reply with the return value of a hook."""
        server = self.server
        if answer is None and server.owed == 1:
            # The most frequent case; the check for `Sequence`, an abstract class, is slow.
            server.accept()
            return
        if isinstance(answer, Sequence):
            if len(answer) != server.owed:
                raise ValueError(f"expected {server.owed} replies, the handler gave {len(answer)}")
            answers = answer
        else:
            answers = [answer] * server.owed
        for one in answers:
            if one is None:
                server.accept()
            else:
                server.send(one)

    def failed(self, error: Exception) -> Flow[None]:
        """After an error of a hook reply 451 or 452 to everything that waits for a reply."""
        yield Report(error)
        for _ in range(self.server.owed):
            self.server.send(reply_to_failure(error))

    def rejected(self, rejected: Rejected) -> Flow[None]:
        """Tell the handler what the engine refused."""
        if self.hooks.rejected is not None:
            yield from tell(self.hooks.rejected, self.session, rejected)

    def deviated(self, deviation: Deviation) -> Flow[None]:
        """Tell the handler about a command line with mistakes that the server understood."""
        if self.hooks.deviated is not None:
            yield from tell(self.hooks.deviated, self.session, deviation)

    def answer_each(
        self, hook: Any, step: Any, answers: Any, content: IncomingContent
    ) -> Flow[None]:
        """Send the reply to each recipient as soon as the handler has it (RFC 2033 section 4.2).

        Arguments:
            hook: the hook that returned the answers.
            step: a function that returns the iterator's next answer.
            answers: the iterator; its code belongs to the handler too.
            content: the content to reply to.

        Raises:
            ValueError: there are fewer answers than recipients, or more.
        """
        server, end = self.server, object()
        while server.owed:
            answer = yield Call(step, (answers, end))
            if answer is end:
                raise ValueError(f"expected {server.owed} replies, the handler gave none")
            reply = answer_of(hook, answer)
            if reply is None:
                server.accept()
            else:
                server.send(_one_reply(reply))
            try:
                yield Send(server.data_to_send(), server.timeout)
            except OSError as error:
                # This is an error of the link, not of the handler.
                content.lost = error
                raise
        if (yield Call(step, (answers, end))) is not end:
            raise ValueError("expected one reply for each recipient, the handler gave more")


def _one_reply(answer: Answer | Sequence[Answer]) -> Reply:
    if isinstance(answer, Reply):
        return answer
    raise ValueError(f"expected None or a Reply for one recipient, found {answer!r:.80}")


def answer_of(hook: Any, answer: Any) -> Answer | Sequence[Answer]:
    """Check the return value of a hook.

    Raises:
        TypeError: it is neither None nor a reply; other servers accept text here.
    """
    if answer is None or isinstance(answer, Reply):
        return answer
    if isinstance(answer, Sequence) and not isinstance(answer, (str, bytes)):
        return answer
    name = getattr(hook, "__qualname__", repr(hook))
    raise TypeError(f"{name} returned {answer!r:.80}: expected None or a Reply")
