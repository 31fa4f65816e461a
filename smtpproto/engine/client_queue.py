"""A client's queue of commands: which are held back, and when they are sent: RFC 2920 3.1."""

from __future__ import annotations

from collections import deque

from ..vocabulary.command_base import Command
from ..vocabulary.states import Effect, State
from .transition_table import Row, Rows

__all__ = ["Awaited", "CommandQueue"]

Awaited = tuple[Row, Command | None]
"""A pending reply: the row of its command when that was sent, and the command.  The command is DATA
for the end of content, None for the greeting."""

_SESSION = Effect.SESSION


class CommandQueue:
    """The commands that wait for replies, and behind them those that are held back.

    Arguments:
        greeting: the row of the greeting, the first reply to come.
        most: how many commands may wait for replies at once.

    Attributes:
        sent: the pending replies to sent commands, oldest first.
        held: the commands that are held back, each with its line.  An entry without a command
            (None) has octets that follow the counted command before it.
        unsettled: how many of `sent` and `held` make both sides forget the offered extensions.
        released: the index in `sent` of the first command that was held back and is not written
            yet; -1: there is none.
    """

    __slots__ = ("_held_commands", "_most", "held", "released", "sent", "unsettled")

    def __init__(self, greeting: Row, most: int) -> None:
        self.sent: deque[Awaited] = deque([(greeting, None)])
        self.held: deque[tuple[Awaited | None, bytes]] = deque()
        self.unsettled = 0
        self._most = most
        self._held_commands = 0
        self.released = -1

    def __len__(self) -> int:
        return len(self.sent) + self._held_commands

    def may_leave(self, pipelining: bool) -> bool:  # noqa: FBT001  what the server allows
        """Return whether another command may be sent now, after those that were held back.

        Arguments:
            pipelining: whether PIPELINING is in use.
        """
        sent = self.sent
        if not sent:
            return True
        if not pipelining or len(sent) >= self._most:
            return False
        row, command = sent[-1]
        return command is not None and (row.name == "content" or not command.ends_group)

    def hold(self, awaited: Awaited, line: bytes) -> None:
        """Hold a command back."""
        self.held.append((awaited, line))
        self._held_commands += 1

    def release(self, pipelining: bool) -> tuple[Awaited | None, bytes] | None:  # noqa: FBT001
        """Move the next entry of `held` that may be sent to `sent`, and return it; or None."""
        if not self.held:
            return None
        if self.held[0][0] is not None:
            if not self.may_leave(pipelining):
                return None
            self._held_commands -= 1
            if self.released < 0:
                self.released = len(self.sent)
        return self.held.popleft()

    def answered(self) -> None:
        """Remove the oldest command, which has its last reply."""
        row, _ = self.sent.popleft()
        if row.forget is _SESSION:
            self.unsettled -= 1
        if self.released > 0:
            self.released -= 1

    def state_if_all_succeed(self, state: State, rows: Rows) -> State:
        """Return the state that a session in this state has if all pending commands succeed."""
        waiting = [*self.sent, *(awaited for awaited, _ in self.held if awaited is not None)]
        for sent, _ in waiting:
            row = rows[state].get(sent.name)
            if row is not None:
                state = row.success
        return state

    def clear(self) -> None:
        """Drop everything: the session is over, and no more replies come."""
        self.sent.clear()
        self.held.clear()
        self._held_commands = self.unsettled = 0
        self.released = -1
