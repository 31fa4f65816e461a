"""Puts faults in the place of a server's replies.

The engine sends only replies.  For another fault (other octets, a closed connection) the handler
returns a stand-in: a reply with a number in its text.  The conversation of the session passes
through `FaultyReplies.run`, which replaces each stand-in by its fault.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..conversations.conversation_steps import Steps
from ..conversations.io_requests import BeginTLS, Draining, Flow, Receive, Send
from ..vocabulary.replies import Reply
from .faults import Drop

if TYPE_CHECKING:
    from ..engine.connection import Observer
    from ..vocabulary.session_facts import Session
    from .faults import Action

__all__ = ["BROKEN_OFF", "FaultyReplies", "NeverReplies"]

BROKEN_OFF = "the test lets this handshake fail"

_STAND_IN = re.compile(rb"[2-5][0-9]{2} (?:[245]\.[0-9]\.[0-9] )?smtpproto stand-in ([0-9]+)")
# Where the server goes on as usual, if the octets begin as the usual reply does.
_USUAL = {"connect": (b"2", 220), "mail": (b"2", 250), "rcpt": (b"2", 250), "data": (b"3", 354)}
# Keys of `session.state`.
_BREAKS, _LAST = "smtpproto.testing breaks", "smtpproto.testing last"


class NeverReplies(BaseException):
    """Raised in the handler: no reply comes any more, and the connection stays open."""


class FaultyReplies:
    """The stand-ins of one server, and what takes their place.

    Arguments:
        tls_fails: called before each handshake; whether the server breaks it off.
    """

    def __init__(self, tls_fails: Callable[[], bool]) -> None:
        self._tls_fails = tls_fails
        self._numbers = itertools.count(1)
        self._actions: dict[int, bytes | Drop] = {}

    # --- for the handler ----------------------------------------------------------------------

    def answer(self, step: str, action: Action | None) -> Reply | None:
        """Return what the handler returns for an action.

        Arguments:
            step: the step.
            action: what takes the place of the usual reply; None: nothing does.
        """
        if action is None or isinstance(action, Reply):
            return action
        number = next(self._numbers)
        self._actions[number] = action
        start, code = _USUAL.get(step, (b"", 0))
        usual = bool(start) and isinstance(action, bytes) and action.startswith(start)
        return Reply(code if usual else 451, "", f"smtpproto stand-in {number}")

    def break_content(self, session: Session) -> None:
        """Close the connection when content arrives."""
        session.state[_BREAKS] = True

    def content_breaks(self, session: Session) -> bool:
        """Whether that was asked for: a small message in one chunk may have arrived already."""
        return _BREAKS in session.state

    def replace_last(self, session: Session, action: Action | None) -> None:
        """Replace the last reply of a session, which no handler can refuse: the one to QUIT."""
        if isinstance(action, Reply):
            action = f"{action}\r\n".encode()
        if action is not None:
            session.state[_LAST] = action

    # --- for the server -----------------------------------------------------------------------

    def run(self, session: Session, flow: Flow[None]) -> Flow[None]:
        """Run the conversation of a session, with the faults in it."""
        steps = Steps(flow)
        for request in steps:
            ends = False
            if isinstance(request, Send):
                request.data, ends = self._replaced(session, request.data)
            elif isinstance(request, BeginTLS) and self._tls_fails():
                steps.error = ConnectionAbortedError(BROKEN_OFF)
                continue
            try:
                steps.result = yield request
            except NeverReplies:
                flow.close()
                yield from _say_nothing()
                return
            except BaseException as error:  # noqa: BLE001  # the conversation handles it
                steps.error = error
            if ends or (isinstance(request, Receive) and self.content_breaks(session)):
                flow.close()
                return

    def observed(self, session: Session, observer: Observer) -> Observer:
        """Return an observer that shows what leaves instead of the stand-ins."""

        def observe(sender: str, octets: bytes, content: bool) -> None:  # noqa: FBT001  an Observer
            if sender == "S":
                said, ends = self._replaced(session, octets + b"\r\n")
                for line in said.splitlines():
                    observer(sender, line, content)
                if ends:
                    observer(sender, b"(closes the connection)", content)
            else:
                observer(sender, octets, content)

        return observe

    def _replaced(self, session: Session, data: bytes) -> tuple[bytes, bool]:
        """Return what leaves instead of these octets, and whether the connection is closed then."""
        if _LAST in session.state:
            action = session.state[_LAST]
            before = data[: data.rfind(b"\n", 0, -1) + 1]
            return (before, True) if isinstance(action, Drop) else (before + action, False)
        made = b""
        while found := _STAND_IN.search(data):
            made += data[: found.start()]
            action = self._actions[int(found[1])]
            if isinstance(action, Drop):
                return made, True
            made += action
            data = data[found.end() + 2 :]
        return made + data, False


def _say_nothing() -> Flow[None]:
    """Read until the client has closed, or the server stops."""
    with contextlib.suppress(OSError, Draining):
        while (yield Receive(math.inf, fresh=True)):
            pass
