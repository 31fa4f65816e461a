"""The table of states, and both machines walked together through all that it allows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeVar

import pytest

from smtpproto import (
    Client,
    Command,
    ConnectionClosed,
    Data,
    Domain,
    Ehlo,
    EndOfContent,
    ForwardPath,
    LocalProtocolError,
    Mail,
    Need,
    Quit,
    Rcpt,
    Rejected,
    Reply,
    ReversePath,
    Rset,
    Server,
    State,
)
from smtpproto.engine.transition_table import BASE_TABLE, check, compile_table
from smtpproto.extensions import Extension, Pipelining
from smtpproto.extensions.known import KNOWN
from smtpproto.vocabulary.states import Effect, Transition

K = TypeVar("K")

BASE = compile_table()
WHOLE = compile_table(kind.transitions for kind in KNOWN)


@pytest.mark.parametrize("rows", [compile_table(), WHOLE], ids=["base", "with all extensions"])
def test_the_table_is_sound(rows: dict[State, object]) -> None:
    assert check(rows) == []  # type: ignore[arg-type]


def test_check_finds_a_state_that_is_a_trap() -> None:
    rows = compile_table()
    rows[State.MAIL] = {"NOOP": rows[State.MAIL]["NOOP"], "RCPT": rows[State.MAIL]["RCPT"]}
    rows[State.RCPT] = {}
    assert check(rows) == ["MAIL has no way to CLOSED", "RCPT has no way to CLOSED"]


def test_check_finds_a_state_out_of_reach() -> None:
    rows = compile_table()
    del rows[State.READY]["MAIL"]
    assert {"MAIL cannot be reached", "RCPT cannot be reached"} <= set(check(rows))


@pytest.mark.parametrize("state", [s for s in State if s not in (State.CONNECTED, State.CONTENT)])
def test_quit_is_possible_wherever_commands_are(state: State) -> None:
    """RFC 5321 section 4.1.1.10: at any time."""
    verbs = WHOLE[state]
    commands = {verb for verb in verbs if verb.isupper()}
    assert ("QUIT" in commands) is bool(commands)


@pytest.mark.parametrize("state", [State.READY, State.MAIL, State.RCPT])
def test_the_hellos_are_possible_within_a_session(state: State) -> None:
    """RFC 5321 section 4.1.4: EHLO may come later in the session, and clears the transaction."""
    for verb in ("EHLO", "HELO"):
        step = BASE_TABLE[state][verb]
        assert step.ok is State.READY
        assert step.forget is Effect.SESSION


def test_two_rows_for_one_verb_are_an_error() -> None:
    with pytest.raises(ValueError, match="NOOP has a row in READY already"):
        compile_table([{State.READY: {"NOOP": Transition()}}])


def test_what_a_row_without_ok_takes() -> None:
    after = compile_table()[State.RCPT]["DATA"].after
    assert after == (None, None, None, State.CONTENT, State.RCPT, State.RCPT)


# --- the joint walk ---------------------------------------------------------------------------

# One for each kind of row: HELO has the rows of EHLO, and NOOP, HELP, VRFY and EXPN change nothing.
COMMANDS: tuple[Command, ...] = (
    Ehlo(Domain("c.example")),
    Mail(ReversePath.of("a@c.example")),
    Rcpt(ForwardPath.of("b@s.example")),
    Data(),
    Rset(),
    Quit(),
)
MOST_PENDING = 3
Action = Callable[["Walker"], None]
ACCEPT, REJECT, CLOSE = "accept", "reject", "close"


class Walker:
    """A client and a server, and what is on the way between them, after some actions.

    What is under way is kept here, by what the two show: the lines that the server has not read,
    and the commands that the client has not seen answered.
    """

    def __init__(self, extensions: tuple[Extension, ...]) -> None:
        self.client = Client(map(type, extensions))
        self.server = Server("s.example", extensions)
        self.to_client: list[bytes] = []
        self.unread: list[bytes] = []
        self.unanswered: list[str] = []
        self.awaiting = "the greeting"

    @classmethod
    def after(cls, extensions: tuple[Extension, ...], path: tuple[Action, ...]) -> Walker:
        walker = cls(extensions)
        for action in path:
            action(walker)
        return walker

    def key(self) -> object:
        client, server = self.client, self.server
        return (
            client.state,
            tuple(self.unanswered),
            recipients(client),
            server.state,
            self.awaiting if server.owed else "",
            server.in_content,
            recipients(server),
            tuple(self.unread),
            tuple(self.to_client),
        )

    def actions(self) -> Iterator[tuple[str, Action]]:
        client, server = self.client, self.server
        if server.owed:
            codes = (ACCEPT, CLOSE) if self.awaiting == "QUIT" else (ACCEPT, REJECT, CLOSE)
            for answer in codes:
                yield f"S {answer}", partial(Walker.answer, how=answer)
        elif self.unread and server.state is not State.CLOSED:
            yield "S reads", Walker.serve
        if self.to_client:
            yield "C reads", Walker.read
        if client.pending < MOST_PENDING and client.state is not State.CLOSED:
            for command in COMMANDS:
                yield f"C {command.verb}", partial(Walker.send, message=command)
            yield "C end", partial(Walker.send, message=EndOfContent())

    def send(self, message: Command | EndOfContent) -> None:
        self.client.send(message)
        self.unanswered.append(message.verb if isinstance(message, Command) else "end")
        self.flow()

    def flow(self) -> None:
        """What the client wrote is at the server at once; the server takes it when it likes."""
        data = self.client.data_to_send()
        if data:
            self.server.receive_data(data)
            self.unread += data.splitlines()

    def serve(self) -> None:
        event = self.server.next_event()
        del self.unread[:1]
        self.awaiting = event.verb if isinstance(event, Command) else "end"
        # A client of ours never sends what the core of a server refuses, but for commands that were
        # pipelined behind one that failed.
        if isinstance(event, Rejected):
            assert event.reply.code in (503, 550)
        else:
            assert isinstance(event, (Command, EndOfContent, Need))
        self.collect()

    def answer(self, how: str) -> None:
        if how == ACCEPT:
            self.server.accept()
        else:
            self.server.reject(550 if how == REJECT else 421)
        self.collect()

    def collect(self) -> None:
        data = self.server.data_to_send()
        if data:
            self.to_client.append(data)

    def read(self) -> None:
        self.client.receive_data(self.to_client.pop(0))
        while not isinstance(event := self.client.next_event(), (Need, ConnectionClosed)):
            assert isinstance(event, Reply)
            if event.command is not None:
                del self.unanswered[:1]
        self.flow()

    def quiet(self) -> bool:
        return not (self.to_client or self.client.pending or self.unread or self.server.owed)


def recipients(side: Client | Server) -> bool | None:
    transaction = side.transaction
    return None if transaction is None else bool(transaction.recipients)


def closure(start: set[K], edges: Mapping[K, set[K]]) -> set[K]:
    found, open_ = set(start), list(start)
    while open_:
        for key in edges.get(open_.pop(), set()) - found:
            found.add(key)
            open_.append(key)
    return found


@pytest.mark.parametrize("extensions", [(), (Pipelining(),)], ids=["one by one", "pipelined"])
def test_the_joint_walk(extensions: tuple[Extension, ...]) -> None:
    """Every state that the two can get into together: they agree, and never wait for each other."""
    start = Walker(extensions)
    seen = {start.key(): start}
    edges: dict[object, set[object]] = {}
    waiting: deque[tuple[Walker, tuple[Action, ...]]] = deque([(start, ())])
    while waiting:
        pair, path = waiting.popleft()
        if pair.quiet() and pair.client.state is not State.CLOSED:
            assert pair.client.state is pair.server.state
            assert recipients(pair.client) == recipients(pair.server)
        after = edges.setdefault(pair.key(), set())
        for name, action in pair.actions():
            successor = Walker.after(extensions, path)
            try:
                action(successor)
            except LocalProtocolError:
                # Only the client's wishes may be impossible.
                assert name.startswith("C ")
                assert successor.key() == pair.key()
                continue
            key = successor.key()
            after.add(key)
            if key not in seen:
                seen[key] = successor
                waiting.append((successor, (*path, action)))
    assert len(seen) > 300
    # From everywhere there is a way to the end of the session on both sides.
    over = {
        key
        for key, pair in seen.items()
        if pair.client.state is State.CLOSED and pair.server.state is State.CLOSED
    }
    assert over
    backwards: dict[object, set[object]] = {}
    for key, targets in edges.items():
        for target in targets:
            backwards.setdefault(target, set()).add(key)
    ways = closure(over, backwards)
    stuck = [
        key
        for key, pair in seen.items()
        if key not in ways and pair.server.state is not State.CLOSED
    ]
    assert stuck == []
    # Each state of the table that these extensions can reach was seen on both sides.
    edges_of = {
        s: {a for step in verbs.values() for a in step.after if a} for s, verbs in BASE.items()
    }
    reachable = closure({State.CONNECTED}, edges_of)
    assert {pair.client.state for pair in seen.values()} >= reachable
